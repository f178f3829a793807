"""Ways to people; each takes one message to one recipient and raises TemporaryError when it was not taken."""

from __future__ import annotations

from daemon.notify.channels.making import make_channels

__all__ = ["make_channels"]
