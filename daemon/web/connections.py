"""Connections: how many may be open, and which one makes place when a further one comes.

A connection costs its caller nothing and this process a file descriptor, of which the store needs some too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

Connection = TypeVar("Connection", bound=Hashable)


class Connections(Generic[Connection]):
    """Those that are open, by caller. A connection waits while its caller has a request to send, or the rest of one.

    most: open at a time. of_one: of them from one caller; None: as many as there are.

    >>> open = Connections[str](3, 2)
    >>> [open.add(name, caller) for name, caller in (("a", "ada"), ("b", "ada"), ("c", "ada"))]
    [None, None, 'a']
    >>> open.works("b"); open.works("c"); open.add("d", "ada")
    'd'
    """

    def __init__(self, most: int, of_one: int | None) -> None:
        self._most = most
        self._of_one = of_one
        self._callers: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: dict[Connection, int] = {}  # since when, as a number that grows
        self._order = count()

    def __len__(self) -> int:
        return len(self._callers)

    def add(self, connection: Connection, caller: str, *, limited: bool = True) -> Connection | None:
        """Count a new connection, which waits. Returns the one to be closed for it, already left out; None: none is.

        That is the one that has waited longest among the caller's own when he has too many, among those of whoever has
        most when there are too many; the new one itself when all others are at work. limited: False for a caller who
        stands for many, such as a proxy.
        """
        gone: Connection | None = None
        if limited and self._of_one is not None and self._counts[caller] >= self._of_one:
            gone = self._longest([one for one in self._waiting if self._callers[one] == caller])
            if gone is None:
                return connection
        elif len(self._callers) >= self._most:
            most = max((self._counts[self._callers[one]] for one in self._waiting), default=0)
            gone = self._longest([one for one in self._waiting if self._counts[self._callers[one]] == most])
            if gone is None:
                return connection
        if gone is not None:
            self.remove(gone)
        self._callers[connection] = caller
        self._counts[caller] += 1
        self.waits(connection)
        return gone

    def waits(self, connection: Connection) -> None:
        """It is its caller's turn to send, from now on."""
        if connection in self._callers:
            self._waiting[connection] = next(self._order)

    def works(self, connection: Connection) -> None:
        """A request is in whole: it is not closed to make place."""
        self._waiting.pop(connection, None)

    def remove(self, connection: Connection) -> None:
        """It is closed. May be called twice."""
        caller = self._callers.pop(connection, None)
        if caller is None:
            return
        self._waiting.pop(connection, None)
        self._counts[caller] -= 1
        if not self._counts[caller]:
            del self._counts[caller]

    def _longest(self, among: list[Connection]) -> Connection | None:
        return min(among, key=self._waiting.__getitem__, default=None)
