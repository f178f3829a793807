"""The protocol: uvicorn's HTTP/1.1 with an end to its patience, which uvicorn has only between two requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from daemon.web.callers import caller_of
from daemon.web.connections import Connections

HEAD_SECONDS: Final = 10.0  # from the connection, or the answer before, until a request's head is there
_GRACE: Final = 5.0  # seconds beyond the body's time, in which the application says itself that it is over
_LEAST_READ: Final = 16 * 1024  # bytes of an answer that a caller takes in the time that a body has

Phase = Literal["head", "body", "work"]  # what the connection waits for; in `work` its caller waits for us


class PatientProtocol(H11Protocol):
    """Closes a connection whose caller is too slow, and one for each beyond the limit.

    Made by `patient`, which sets what belongs to the server.
    """

    open: Connections[PatientProtocol]
    body_seconds: float
    stands_for_many: Callable[[str], bool]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._phase: Phase | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._heard = False  # something of a request came since the last answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it; one beyond the limit is answered 503, or another one closed for it."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        gone = self.open.add(self, caller_of(address), limited=not type(self).stands_for_many(address))
        if gone is self:
            self._heard = True  # nobody connects to say nothing
            self._refuse(503, "too many connections are open (http.connections); try again")
            return
        if gone is not None:
            gone._refuse(503, "too many connections are open and this one waited longest; try again")
        self._look()

    def data_received(self, data: bytes) -> None:
        """Take what came in; whether it was enough decides how long the rest may take."""
        self._heard = True
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._phase = None
        self._heard = False
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.open.remove(self)
        _cancel(self._patience)
        _cancel(self._stalled)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller does not read: it may take a while, not for ever."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """The caller has read on."""
        _cancel(self._stalled)
        self._stalled = None
        super().resume_writing()

    def _look(self) -> None:
        """Set the timer anew when the connection waits for something else than before."""
        phase = self._waits_for()
        if self.transport.is_closing() or phase == self._phase:
            return
        self._phase = phase
        _cancel(self._patience)
        self._patience = None
        if phase == "work":
            self.open.works(self)
            return
        self.open.waits(self)
        seconds = HEAD_SECONDS if phase == "head" else self.body_seconds + _GRACE
        self._patience = self.loop.call_later(seconds, self._lose_patience)

    def _waits_for(self) -> Phase:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return "head"  # or the rest of a body that was not wanted, which nobody waits longer for
        return "body" if cycle.more_body else "work"

    def _lose_patience(self) -> None:
        what = "head" if self._phase == "head" else "body"
        self._refuse(408, f"the request's {what} did not arrive in time")

    def _refuse(self, status: int, detail: str) -> None:
        """Close the connection, with a word where one can still be said and somebody has asked."""
        if self.transport.is_closing():
            return
        if self._heard and self._may_answer():
            body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
            self._say(status, json.dumps(body).encode())
        self.transport.close()

    def _may_answer(self) -> bool:
        begun = self.cycle is not None and self.cycle.response_started
        return not begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    def _say(self, status: int, body: bytes) -> None:
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *([(b"retry-after", b"5")] if status == 503 else []),
        ]
        said = [
            h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode()),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        if self.cycle is not None:
            self.cycle.disconnected = True  # what the application says from now on nobody hears
            self.cycle.message_event.set()
        for event in said:
            self.transport.write(self.conn.send(event) or b"")

    def _watch_reading(self) -> None:
        left = self.transport.get_write_buffer_size()

        def look_again() -> None:
            if left - self.transport.get_write_buffer_size() < _LEAST_READ:
                self.transport.abort()
            else:
                self._watch_reading()

        _cancel(self._stalled)
        self._stalled = self.loop.call_later(self.body_seconds, look_again)


def patient(
    connections: int, of_one: int | None, body_seconds: float, stands_for_many: Callable[[str], bool]
) -> type[PatientProtocol]:
    """The protocol of one server.

    connections: open at a time. of_one: of them from one caller. body_seconds: for a request's body, and for the
    caller to read on in an answer. stands_for_many: whether an address is a proxy's.
    """
    values = {
        "open": Connections[PatientProtocol](connections, of_one),
        "body_seconds": body_seconds,
        "stands_for_many": staticmethod(stands_for_many),
    }
    return type("PatientProtocol", (PatientProtocol,), values)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
