"""Encoders: a picture -> a feature vector, and the laundered profile."""
