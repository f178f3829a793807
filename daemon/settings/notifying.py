"""Who is told, and by which way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from daemon.settings.section import Section
from daemon.units import Duration, parse_duration


class ChannelSection(Section):
    """What every channel has."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    enabled: bool = True
    events: tuple[str, ...] | None = None  # kinds; None: one message a change of state


class WebhookSettings(ChannelSection):
    kind: Literal["webhook"]
    url: SecretStr
    secret: SecretStr = Field(min_length=16)
    timeout: Duration = parse_duration("10s")


class EmailSettings(ChannelSection):
    kind: Literal["email"]
    host: str
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str
    recipients: tuple[str, ...] = Field(min_length=1)
    timeout: Duration = parse_duration("20s")

    @model_validator(mode="after")
    def _no_password_in_the_open(self) -> EmailSettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` go together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent without encryption: `security` must be starttls or tls")
        return self


class AppriseSettings(ChannelSection):
    kind: Literal["apprise"]
    url: SecretStr


ChannelSettings = Annotated[WebhookSettings | EmailSettings | AppriseSettings, Field(discriminator="kind")]


class NotifySettings(Section):
    page_url: str | None = Field(None, pattern=r"^https?://\S+$")
    pictures: int = Field(3, ge=0, le=10)
    retry_every: Duration = parse_duration("1m")
    channels: tuple[ChannelSettings, ...] = ()

    @model_validator(mode="after")
    def _channel_names_are_unique(self) -> NotifySettings:
        names = [channel.name for channel in self.channels]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"the name {repeated[0]!r} is used twice; names of channels must be unique")
        return self
