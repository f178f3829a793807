"""Hosts: the names under which this service may be asked for, so that no other page's name is made to lead here.

A page of the internet may give its own name this machine's address (DNS rebinding); the browser then lets its scripts
read what is served here. It still says the name. An address, or a name without a dot, nobody else can give away.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit


def host_of(header: str) -> str:
    """The name in a Host header, in lower case, without port, brackets and final dot.

    >>> host_of("Watch.example.org.:8600"), host_of("[::1]:8600"), host_of("::1"), host_of("")
    ('watch.example.org', '::1', '::1', '')
    """
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if text.count(":") == 1:
        text = text.partition(":")[0]
    return text.removesuffix(".")


def names_of(host: str, page: str | None, more: Iterable[str]) -> frozenset[str]:
    """The names of this service: where it listens, where people find its page, this machine, and what is configured.

    page: address of the status page, or None. more: names as in a Host header.
    """
    own = [host, socket.gethostname(), *more]
    if page is not None:
        own.append(urlsplit(page).hostname or "")
    return frozenset(name for one in own if (name := host_of(one)))


def is_own(header: str, names: frozenset[str]) -> bool:
    """Whether a request with this Host header is meant for this service.

    >>> [is_own(one, frozenset({"watch.example.org"})) for one in ("watch.example.org:443", "10.0.0.7:8600", "[::1]")]
    [True, True, True]
    >>> [is_own(one, frozenset()) for one in ("sidwatch:8600", "a.localhost", "", "10.0.0.7.evil.example")]
    [True, True, True, False]
    """
    host = host_of(header)
    if "." not in host or host in names or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
