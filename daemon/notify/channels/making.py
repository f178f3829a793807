"""The configured channels."""

from __future__ import annotations

from daemon.notify.channels.apprise import AppriseChannel
from daemon.notify.channels.email import EmailChannel
from daemon.notify.channels.webhook import WebhookChannel
from daemon.ports import Channel
from daemon.settings import ChannelSettings, EmailSettings, WebhookSettings


def make_channels(settings: tuple[ChannelSettings, ...]) -> tuple[Channel, ...]:
    """One for each that is enabled. Raises ConfigurationError when one cannot be used."""
    return tuple(_make(one) for one in settings if one.enabled)


def _make(settings: ChannelSettings) -> Channel:
    if isinstance(settings, WebhookSettings):
        return WebhookChannel(settings)
    if isinstance(settings, EmailSettings):
        return EmailChannel(settings)
    return AppriseChannel(settings)
