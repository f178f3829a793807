"""What is served, and to whom."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from daemon.settings.section import Section
from daemon.units import Size, parse_size

Scope = Literal["read", "ingest", "operate"]


class TokenSettings(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    token: SecretStr = Field(min_length=16)
    scopes: tuple[Scope, ...] = Field(min_length=1)


class HttpSettings(Section):
    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(8600, ge=0, le=65535)
    read_token: SecretStr | None = None
    ingest_token: SecretStr | None = None
    write_token: SecretStr | None = None
    tokens: tuple[TokenSettings, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=1)] | None = 1200
    pictures: bool = True
    max_upload: Size = parse_size("20MiB")
    scores_at_once: int = Field(16, ge=1, le=32)
