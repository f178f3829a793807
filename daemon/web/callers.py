"""Callers: which addresses count as one."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

_NETWORK = 64  # bits of an IPv6 address that a provider gives away; whoever has them has 2^64 addresses


def caller_of(address: str) -> str:
    """The address, or of an IPv6 one its network of 64 bits; what is no address counts as itself.

    >>> caller_of("192.0.2.7"), caller_of("2001:db8:1:2:3:4:5:6"), caller_of("::ffff:192.0.2.7"), caller_of("")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', '')
    """
    try:
        known = ip_address(address.partition("%")[0])  # the zone of a link-local address
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return f"{IPv6Address(int(known) >> _NETWORK << _NETWORK)}/{_NETWORK}"
