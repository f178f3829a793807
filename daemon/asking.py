"""Asking the service that runs on this configuration, over its own port."""

from __future__ import annotations

from typing import NamedTuple

import httpx

from daemon.errors import ConfigurationError
from daemon.settings import Settings

_SECONDS = 5.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # bound everywhere: asked here


class Health(NamedTuple):
    """What the service says of itself."""

    well: bool
    reasons: list[str]


def ask_health(settings: Settings, *, ready: bool) -> Health:
    """Alive, or ready for work. Raises ConfigurationError when the configuration leaves nothing to ask."""
    http = settings.http
    if not http.enabled or http.port == 0:
        raise ConfigurationError("http.enabled is false or http.port is 0, so there is no known port to ask")
    host = _LOOPBACK.get(http.host, http.host)
    address = f"http://{f'[{host}]' if ':' in host else host}:{http.port}/-/{'ready' if ready else 'healthy'}"
    try:
        answer = httpx.get(address, timeout=_SECONDS, trust_env=False)
        said = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return Health(False, [f"{address} does not answer ({type(error).__name__})"])
    reasons = said.get("reasons") or ["the supervisor's loop does not turn"]
    return Health(answer.is_success, [] if answer.is_success else [str(reason) for reason in reasons])
