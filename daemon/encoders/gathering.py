"""Gathering: pictures that are asked for at about the same time are answered by one call of the encoder."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from daemon.errors import TemporaryError
from daemon.model import Profile

Answer = TypeVar("Answer")


def never() -> bool:
    """No reason to stop waiting."""
    return False


def always() -> bool:
    """Somebody waits for the answer, come what may."""
    return True


class Turn:
    """One at a time; those who come `first` go before those who come `later`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = False
        self._urgent = 0

    @contextmanager
    def first(self, unless: Callable[[], bool] = never) -> Iterator[bool]:
        """Whether one has the turn; False: `unless`, which is looked at after every turn, came true before."""
        with self._changed:
            self._urgent += 1
            try:
                self._changed.wait_for(lambda: unless() or not self._busy)
            finally:
                self._urgent -= 1  # else an interrupt here would keep those who come later waiting for ever
            mine = not unless()
            if mine:
                self._busy = True
            else:
                self._changed.notify_all()  # who comes later may have given way to this one alone
        if not mine:
            yield False
            return
        with self._released():
            yield True

    @contextmanager
    def later(self) -> Iterator[None]:
        """The turn, when nobody urgent wants it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and self._urgent == 0)
            self._busy = True
        with self._released():
            yield

    @contextmanager
    def _released(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()


@dataclass(eq=False)
class _Request(Generic[Answer]):
    content: bytes
    profile: Profile
    wanted: Callable[[], bool]
    answered: Future[Answer] = field(default_factory=Future)


class Gathering(Generic[Answer]):
    """Whoever gets the turn answers for all who wait, the oldest first; safe to use from any thread.

    answer: of pictures under one profile, one answer each, or it raises for all of them. most: pictures of one call.
    most_bytes: of one call, unless it is one picture. moment: seconds that a call waits for company.
    """

    def __init__(
        self,
        turn: Turn,
        answer: Callable[[Sequence[bytes], Profile], Sequence[Answer]],
        *,
        most: int,
        most_bytes: int,
        moment: float,
    ) -> None:
        self._turn = turn
        self._answer = answer
        self._most = most
        self._most_bytes = most_bytes
        self._moment = moment
        self._arrived = threading.Condition()
        self._waiting: deque[_Request[Answer]] = deque()

    def ask(self, content: bytes, profile: Profile, wanted: Callable[[], bool] = always) -> Answer:
        """The answer to one picture; raises what the call raised that it was in.

        wanted: asked when its turn comes; when it says no the picture costs no work, and TemporaryError is raised.
        """
        mine: _Request[Answer] = _Request(content, profile, wanted)
        with self._arrived:
            self._waiting.append(mine)
            self._arrived.notify_all()
        while not mine.answered.done():
            with self._turn.first(unless=mine.answered.done) as have:
                if have:
                    self._answer_some()
        return mine.answered.result()

    def _answer_some(self) -> None:
        taken = self._taken()
        if not taken:
            return
        try:
            # Paired here: an answer too few is an error of all, not a wait without end of some.
            answers = list(zip(taken, self._answer([one.content for one in taken], taken[0].profile), strict=True))
        except BaseException as error:
            for one in taken:
                one.answered.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return  # each of those who asked raises it
        for one, answer in answers:
            one.answered.set_result(answer)

    def _taken(self) -> list[_Request[Answer]]:
        """The oldest that fit together; those that nobody waits for any more are answered so, and left out."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._waiting) >= self._most, self._moment)
            there, self._waiting = self._waiting, deque()
            taken: list[_Request[Answer]] = []
            size = 0
            for one in there:
                if not one.wanted():
                    one.answered.set_exception(TemporaryError("whoever asked has gone"))
                elif not taken or (
                    len(taken) < self._most
                    and one.profile == taken[0].profile
                    and size + len(one.content) <= self._most_bytes
                ):
                    taken.append(one)
                    size += len(one.content)
                else:
                    self._waiting.append(one)
        return taken
