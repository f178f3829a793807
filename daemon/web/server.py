"""uvicorn in a thread of the service's process, with a start that knows and a stop that ends."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network

import uvicorn
from fastapi import FastAPI

from daemon.errors import ConfigurationError, TemporaryError
from daemon.web.protocol import patient

_START_SECONDS = 10.0


class WebServer:
    """Serves one application on one address.

    host: name or address to bind. port: 0 means any free one; `port` says which after `start`. proxies: addresses and
    networks whose word on who asks is taken (X-Forwarded-For). connections: open at a time; of_one: of them from one
    caller who is no such proxy. request_timeout: seconds for a request's body, and for reading on in an answer.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str,
        port: int,
        proxies: Sequence[str] = (),
        *,
        connections: int = 512,
        of_one: int | None = 128,
        request_timeout: float = 30.0,
    ) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._proxies = list(proxies)
        self._protocol = patient(connections, of_one, request_timeout, _member_of(proxies))
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Return when connections are accepted.

        Raises TemporaryError when another program has the port, ConfigurationError when the address cannot be had.
        """
        # Bound here and not by uvicorn, which would log the fault and leave the thread without a word to the caller.
        self._socket = listener = _bind(self.host, self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,  # through logging, as everything else
            access_log=False,
            server_header=False,
            proxy_headers=bool(self._proxies),  # uvicorn's default would believe everybody on this machine
            forwarded_allow_ips=self._proxies,
            lifespan="off",
            http=self._protocol,
            ws="none",
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        )
        self._server = server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="sidwatch-http", daemon=True
        )
        self._thread.start()
        limit = time.monotonic() + _START_SECONDS
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > limit:
                self.stop(0)
                raise TemporaryError(f"the HTTP server did not start on {self.host}:{self.port}; the log says why")
            time.sleep(0.01)

    def stop(self, timeout: float) -> None:
        """Stop listening, let running requests end for `timeout` seconds, then close them. May be called twice."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout)
            if self._thread.is_alive():
                self._server.force_exit = True
                self._thread.join(2.0)
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None


def _member_of(networks: Sequence[str]) -> Callable[[str], bool]:
    known = [ip_network(one) for one in networks]

    def member(address: str) -> bool:
        return bool(known) and any(ip_address(address) in network for network in known)

    return member


def _bind(host: str, port: int) -> socket.socket:
    where = f"{host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigurationError(f"http.host: {host!r} is no address of this machine ({error})") from error
    listener = socket.socket(family, kind)
    try:
        # After a restart the old connections may linger; without this the port would look taken for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise TemporaryError(
                f"port {port} on {host} is taken by another program: stop it or change http.port (0: any free one)"
            ) from error
        raise ConfigurationError(
            f"cannot listen on {where} ({error.strerror}): change http.host or http.port"
        ) from error
    return listener
