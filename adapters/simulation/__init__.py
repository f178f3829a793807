"""A small simulated world: scenes, cameras that photograph them, generator families that imitate them.

Everything here is a simulation for demonstrations and tests; no picture shows anything real.
"""
