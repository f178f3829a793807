"""What the service manager is told, when one started the service: ready, alive, stopping.

Source: sd_notify(3); a datagram to the socket that NOTIFY_SOCKET names. Elsewhere nothing is sent.
"""

from __future__ import annotations

import os
import socket

import structlog

log = structlog.get_logger("sidwatch.systemd")


def tell_manager(state: str) -> bool:
    """Send one assignment, such as READY=1; returns whether somebody was told."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return False
    address = "\0" + name[1:] if name.startswith("@") else name  # @: the abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(1.0)
            sender.sendto(state.encode(), address)
    except OSError as error:  # the watchdog's deadline is many beats long: the next one may get through
        log.warning("the service manager could not be told", state=state, error=str(error))
        return False
    return True
