"""The test that one family or real source is under: new, or known and watched for a change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from daemon.drift.alarm import AlarmTest
from daemon.model import TestState

Stage = Literal["new", "known"]


@dataclass(frozen=True, slots=True)
class SubjectTest:
    """What the store keeps of a subject's test against one champion; numbers, so that a restart goes on bit by bit.

    A new subject is tested against the floors. A known one is watched for a change from its own baseline; a known
    family that has degraded is then tested against the floors, for it may still be detected.
    """

    stage: Stage
    test: AlarmTest  # new: e-processes against the floors; known: e-CUSUMs against the baseline
    started: float  # Unix seconds, of the new test; known subjects cost nothing at their start
    since: int = 0  # the last score id before it, known: of the baseline; votes are what came later
    degraded_vote: int | None = None  # known: the vote at which the change was proved
    floor: AlarmTest | None = None  # degraded family: e-processes against the floors
    floor_started: float | None = None
    floor_since: int | None = None  # the last score id before the floor test
    ended: tuple[tuple[float, float], ...] = ()  # (Unix seconds, level) of the tests before, that a person ended

    @property
    def running(self) -> AlarmTest:
        """The test that takes the next votes."""
        return self.floor if self.floor is not None else self.test

    @property
    def degraded(self) -> bool:
        """Whether a known subject has fallen below its baseline."""
        return self.degraded_vote is not None

    def spent(self, after: float) -> list[float]:
        """Levels of its tests that started after a time in Unix seconds: new ones, restarts and floors."""
        return [level for started, level in self.begun() if started > after]

    def begun(self) -> tuple[tuple[float, float], ...]:
        """Every test of it that cost something: (start in Unix seconds, level)."""
        begun = list(self.ended)
        if self.stage == "new":
            begun.append((self.started, self.test.alpha))
        if self.floor is not None and self.floor_started is not None:
            begun.append((self.floor_started, self.floor.alpha))
        return tuple(begun)

    def restarted(self) -> SubjectTest:
        """The same test before its first vote: same levels, same baseline, as old as it is, and it costs the same."""
        anew = replace(self, test=self.test.restarted(), degraded_vote=None)
        if anew.floor is None or anew.floor_since is None:  # where a floor test began was not always written down
            return anew.without_floor()
        return replace(anew, floor=anew.floor.restarted())

    def without_floor(self) -> SubjectTest:
        """A known test whose change is not proved any more; what its floor test cost stays spent."""
        if self.floor is None or self.floor_started is None:
            return self
        ended = (*self.ended, (self.floor_started, self.floor.alpha))
        return replace(self, floor=None, floor_started=None, floor_since=None, ended=ended)

    def to_dict(self) -> dict[str, Any]:
        """A mapping that JSON writes and reads back bit by bit."""
        return {
            "stage": self.stage,
            "test": self.test.to_dict(),
            "started": self.started,
            "since": self.since,
            "degraded_vote": self.degraded_vote,
            "floor": None if self.floor is None else self.floor.to_dict(),
            "floor_started": self.floor_started,
            "floor_since": self.floor_since,
            "ended": [list(one) for one in self.ended],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> SubjectTest:
        """The state that `to_dict` wrote, or a bare `AlarmTest` of the first release.

        Raises KeyError or ValueError when it is neither.
        """
        if "parts" in stored:
            return cls("new", AlarmTest.from_dict(stored), 0.0)
        if stored["stage"] not in ("new", "known"):
            raise ValueError(f"a test is new or known, not {stored['stage']}")
        floor = stored["floor"]
        return cls(
            stored["stage"],
            AlarmTest.from_dict(stored["test"]),
            float(stored["started"]),
            int(stored["since"]),
            stored["degraded_vote"],
            None if floor is None else AlarmTest.from_dict(floor),
            stored["floor_started"],
            stored.get("floor_since"),
            tuple((float(started), float(level)) for started, level in stored.get("ended", ())),
        )


def before_replay(state: TestState) -> TestState:
    """A stored test whose votes are to be counted anew, as labels were corrected or pictures forgotten: with none."""
    test = SubjectTest.from_dict(state.state).restarted()
    return replace(
        state,
        state=test.to_dict(),
        log10_evidence=0.0,
        log10_alarm=test.running.log_alarm / math.log(10),
        votes=0,
        last_score_id=test.since,
        first_vote_at=None,
        alarmed_at=None,
    )


def has_degraded(state: TestState | None) -> bool:
    """Whether a stored test says that its family has fallen below its own baseline."""
    return state is not None and SubjectTest.from_dict(state.state).degraded


def watches_baseline(state: TestState | None) -> bool:
    """Whether a stored test's evidence is against the family's own baseline, not against the floors."""
    if state is None:
        return False
    test = SubjectTest.from_dict(state.state)
    return test.stage == "known" and test.floor is None
