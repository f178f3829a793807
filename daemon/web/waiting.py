"""Waiting: how much may be on its way in, how many pictures may wait to be judged, and whose sender has gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Event
from typing import TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from daemon.errors import TemporaryError

Wanted = Callable[[], bool]  # whether somebody still waits for the answer
Judged = TypeVar("Judged")


class Room:
    """Memory for uploads, counted as they arrive: who sends slowly takes little of it, and no place from anybody.

    most: bytes of all uploads together. of_one: of one caller's, so that nobody alone can keep the others out.
    """

    def __init__(self, most: int, of_one: int) -> None:
        self._most = most
        self._of_one = of_one
        self._taken: Counter[str] = Counter()

    @contextmanager
    def of(self, caller: str) -> Iterator[Callable[[int], None]]:
        """Gives what is to be told the bytes of each chunk; they count until the block ends.

        It raises TemporaryError when there is no room for them.
        """
        held = 0

        def take(size: int) -> None:
            nonlocal held
            if self._taken.total() + size > self._most or self._taken[caller] + size > self._of_one:
                raise TemporaryError("too many uploads are on their way (http.scores_at_once); try again")
            held += size
            self._taken[caller] += size

        try:
            yield take
        finally:
            self._taken[caller] -= held
            if not self._taken[caller]:
                del self._taken[caller]


class Places:
    """A queue of limited length: each place is a picture that has arrived, and a thread."""

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
