"""The back-test: the whole service on a release calendar, on a simulated clock, one policy of learning beside another.

A labelled collection is replayed in the order of release through the cycle that the service itself turns.
"""
