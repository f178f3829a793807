"""Waiting: how many pictures may wait to be judged, and what becomes of those whose sender has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Event
from typing import TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from daemon.errors import TemporaryError

Wanted = Callable[[], bool]  # whether somebody still waits for the answer
Judged = TypeVar("Judged")


class Places:
    """A queue of limited length: each place is an upload in memory, and a thread once it has arrived."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place while the block runs. Raises TemporaryError at once when all are taken."""
        if self._taken >= self._count:
            raise TemporaryError(
                f"{self._count} pictures are being judged or wait for it (http.scores_at_once); try again"
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


async def while_wanted(request: Request, judge: Callable[[bytes, Wanted], Judged], content: bytes) -> Judged:
    """What `judge` makes of the picture; it is told when whoever sent it has closed the connection.

    request: its body has been read. Raises what `judge` raises.
    """
    gone = Event()
    watching = asyncio.create_task(_watch(request, gone))
    try:
        return await run_in_threadpool(judge, content, lambda: not gone.is_set())
    finally:
        watching.cancel()


async def _watch(request: Request, gone: Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()
