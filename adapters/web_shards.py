"""Tar shards on the web: streamed from their beginning, and where a server redirects to is checked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

from adapters.addresses import RefusedAddress, addresses_of, on_the_web


def storage_options(address: str) -> dict[str, Any]:
    """Return what fsspec needs to open an address safely; {} unless it is one of the web.

    The server that a person named may lie in the own network, and may speak http.
    """
    if not on_the_web(address):
        return {}
    import aiohttp  # here, for most shards lie elsewhere

    named = (urlsplit(address).hostname or "",)

    async def check(session: Any, context: Any, said: aiohttp.TraceRequestRedirectParams) -> None:
        headers = said.response.headers
        target = urlsplit(urljoin(str(said.response.url), headers.get("Location", headers.get("URI", ""))))
        port = target.port or {"https": 443, "http": 80}.get(target.scheme, 0)
        try:
            addresses_of(target.scheme, target.hostname or "", port, named)
        except RefusedAddress as error:
            raise PermissionError(f"redirected: {error}") from None

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(check)
    # size 0 is fsspec's word for a stream: not every server knows how to send parts
    return {"client_kwargs": {"trace_configs": [trace]}, "block_size": 0, "skip_instance_cache": True}
