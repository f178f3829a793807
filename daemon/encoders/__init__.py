"""Encoders: picture -> feature vector, in one long-lived child process."""
