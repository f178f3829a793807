"""Slack, Matrix, Teams, ntfy and a hundred others, by an address of apprise; needs the extra `notify`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from daemon.errors import ConfigurationError, TemporaryError
from daemon.notify.message import Message, Picture
from daemon.settings import AppriseSettings


class AppriseChannel:
    """Sends through apprise. Few of its services know a stable id: it stands at the end of the text."""

    def __init__(self, settings: AppriseSettings) -> None:
        self.name = settings.name
        self.recipients = ("",)
        self.kinds = settings.events
        self._library = _library(settings.name)
        self._address = settings.url.get_secret_value()
        if not self._library.Apprise().add(self._address):
            raise ConfigurationError(f"notify.channels: {settings.name}: apprise does not know an address like `url`")

    def send(self, message: Message, pictures: Sequence[Picture], recipient: str) -> None:
        apprise = self._library.Apprise()
        apprise.add(self._address)
        memory = import_module("apprise.attachment.memory").AttachMemory
        attached = [
            memory(content=picture.content, name=f"{picture.sha256[:12]}.jpg", mimetype="image/jpeg")
            for picture in pictures
        ]
        attached += [
            memory(content=file.text.encode(), name=file.name, mimetype=file.media_type) for file in message.attached
        ]
        taken = apprise.notify(
            title=message.title,
            body=f"{message.text}\n[{message.id}]",
            body_format=self._library.NotifyFormat.TEXT,
            attach=attached or None,
        )
        if not taken:
            raise TemporaryError(f"{self.name}: apprise could not send it")


def _library(name: str) -> Any:
    # It logs addresses with the keys in them; what it could not do is said by an error that names none.
    logging.getLogger("apprise").disabled = True
    try:
        return import_module("apprise")
    except ImportError as error:
        raise ConfigurationError(
            f"notify.channels: {name}: apprise is not installed: pip install 'sidwatch[notify]', or remove the channel"
        ) from error
