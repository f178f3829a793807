"""A test message on one channel, beside any store."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from daemon.errors import BadInputError
from daemon.model import Event
from daemon.notify.channels import make_channels
from daemon.notify.message import Message, compose
from daemon.settings import Settings


def send_test(settings: Settings, name: str) -> Message:
    """Send it to every recipient. Raises BadInputError for an unknown channel, TemporaryError when it was not taken."""
    channels = {channel.name: channel for channel in make_channels(settings.notify.channels)}
    if name not in channels:
        known = ", ".join(sorted(channels)) or "none"
        raise BadInputError(f"no enabled channel is named {name!r}; configured are: {known}")
    event = Event(None, f"test:{uuid4()}", "test", datetime.now(UTC), "a test message: this channel works", {})
    message = compose(event, page=settings.page_address, simulated=settings.simulated)
    for recipient in channels[name].recipients:
        channels[name].send(message, (), recipient)
    return message
