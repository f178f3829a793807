"""Which addresses may be fetched from: a feed must not make this machine ask its own network for things."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedAddress(Exception):
    """An address must not be fetched; the message says why."""


def lookup(host: str, port: int) -> list[str]:
    """Return the addresses that a name stands for, IPv4 first. Raises OSError when there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ordered = sorted(found, key=lambda one: one[0] != socket.AF_INET)
    return list(dict.fromkeys(str(one[4][0]) for one in ordered))


def is_public(address: IP) -> bool:
    """Say whether an address lies in the public internet, and so does what it stands for.

    >>> is_public(ipaddress.ip_address("93.184.215.14")), is_public(ipaddress.ip_address("::ffff:10.0.0.1"))
    (True, False)
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(one is not None and not is_public(one) for one in inner):
            return False
        if address.ipv4_mapped is not None or address.sixtofour is not None:
            return True  # the check above has passed; of 6to4 older releases of Python think otherwise than newer ones
    return address.is_global and not address.is_multicast and not address.is_reserved


def addresses_of(
    scheme: str, host: str, port: int, allowed: Collection[str] = (), resolve: Resolve = lookup
) -> list[str]:
    """Return the addresses to connect to, resolved once: the connection goes to one of these and nowhere else.

    Args:
        allowed: hosts (`host` or `host:port`) that may speak plain http and may lie in the own network.

    Raises RefusedAddress, OSError when the name cannot be resolved.
    """
    exempt = host in allowed or f"{host}:{port}" in allowed
    if scheme != "https" and not (exempt and scheme == "http"):
        raise RefusedAddress(f"{scheme}://{host}: only https is fetched, and http from hosts in `allowed_hosts`")
    found = resolve(host, port)
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not exempt and not is_public(address):
            raise RefusedAddress(
                f"{host} stands for {address}, which is not in the public internet (see `allowed_hosts`)"
            )
    return found


def on_the_web(address: str) -> bool:
    """Say whether it is an address of the web."""
    return address.lower().startswith(("http://", "https://"))


def shown(url: str) -> str:
    """Return an address as messages may show it: in one line, without user, password and query, which can be secrets.

    >>> shown("https://me:secret@pictures.example/a\\nb?key=1")
    'https://pictures.example/a\ufffdb'
    """
    scheme, separator, rest = url.partition("?")[0].partition("#")[0].partition("://")
    if not separator:
        scheme, rest = "", scheme
    host, slash, path = rest.partition("/")
    text = f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"[:200]
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
