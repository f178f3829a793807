"""Telling people: events become messages in the outbox, and each channel is sent them until it has taken them."""
