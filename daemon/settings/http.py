"""What is served, and to whom."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr

from daemon.settings.section import Section
from daemon.units import Duration, Size, parse_size

Scope = Literal["read", "ingest", "operate"]


def _address(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address or network, such as 127.0.0.1 or 10.0.0.0/8") from error
    return text


class TokenSettings(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    token: SecretStr = Field(min_length=16)
    scopes: tuple[Scope, ...] = Field(min_length=1)


EVERYWHERE: Final = ("0.0.0.0", "::", "")  # what to listen on, as `http.host`, that is no address to ask


class HttpSettings(Section):
    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(8600, ge=0, le=65535)
    read_token: SecretStr | None = None
    ingest_token: SecretStr | None = None
    write_token: SecretStr | None = None
    tokens: tuple[TokenSettings, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=1)] | None = 1200
    allowed_hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$")], ...] = ()
    trusted_proxies: tuple[Annotated[str, AfterValidator(_address)], ...] = ()
    pictures: bool = True
    max_upload: Size = parse_size("20MiB")
    scores_at_once: int = Field(16, ge=1, le=32)
    request_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(seconds=30)
    connections: int = Field(512, ge=16, le=100_000)
    connections_per_address: Annotated[int, Field(ge=8)] | None = 128
