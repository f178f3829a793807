"""E-mail: one mail for one message and recipient, the examples attached."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from daemon.errors import ConfigurationError, TemporaryError
from daemon.notify.message import Message, Picture
from daemon.settings import EmailSettings


def mail_of(message: Message, pictures: Sequence[Picture], sender: str, recipient: str) -> EmailMessage:
    """The mail; its Message-ID is the message's id, so that a repeat is recognised."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, recipient
    mail["Subject"] = " ".join(message.title.split())
    mail["Date"] = format_datetime(datetime.fromisoformat(message.at))
    mail["Message-ID"] = f"<{message.id}.sidwatch@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # nobody's holiday answers it (RFC 3834)
    mail.set_content(message.text + "\n")
    for picture in pictures:
        mail.add_attachment(
            picture.content,
            maintype="image",
            subtype="jpeg",
            filename=f"{picture.sha256[:12]}.jpg",
            disposition="inline",
        )
    for file in message.attached:
        kind, _, subtype = file.media_type.partition("/")
        mail.add_attachment(  # as bytes: a text part's line ends would be changed on the way
            file.text.encode(), maintype=kind, subtype=subtype, filename=file.name, params={"charset": "utf-8"}
        )
    return mail


class EmailChannel:
    """Sends through one SMTP server; each recipient's mail waits and is repeated by itself."""

    def __init__(self, settings: EmailSettings) -> None:
        for address in (settings.sender, *settings.recipients):
            if "@" not in parseaddr(address)[1] or not address.isprintable():
                raise ConfigurationError(f"notify.channels: {settings.name}: {address!r} is no e-mail address")
        self.name = settings.name
        self.recipients = settings.recipients
        self.kinds = settings.events
        self._settings = settings

    def send(self, message: Message, pictures: Sequence[Picture], recipient: str) -> None:
        mail = mail_of(message, pictures, self._settings.sender, recipient)
        try:
            with self._connected() as server:
                server.send_message(mail)
        except (smtplib.SMTPException, OSError) as error:
            raise TemporaryError(f"{self.name}: {_said(error)}") from error

    def _connected(self) -> smtplib.SMTP:
        settings, seconds = self._settings, self._settings.timeout.total_seconds()
        if settings.security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=seconds, context=context)
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=seconds)
        try:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.username is not None and settings.password is not None:
                server.login(settings.username, settings.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def _said(error: Exception) -> str:
    """What went wrong, without what was sent: a server's answer may repeat it."""
    code = getattr(error, "smtp_code", None)
    return f"the mail server answered {code}" if code else type(error).__name__
