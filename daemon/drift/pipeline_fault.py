"""Pipeline or label fault: many families that the champion knows move together, which no generator can do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from daemon.drift.alarm import known_family_test
from daemon.drift.e_cusum import ECusum
from daemon.drift.standing import since
from daemon.drift.subject_test import SubjectTest
from daemon.drift.watch import Watch, logits_of, rows_by_subject
from daemon.model import Alarm, Subject

RECENT = timedelta(days=7)
RECENT_VOTES = 50
FEWEST_VOTES = 5  # of a family that has something to say
FEWEST_FAMILIES = 3  # that move together
SHARE = 0.5  # of the families with recent votes
MOVED_BY_LUCK = 0.05  # a healthy family counts as moved with at most this probability
ALARM_LOG10 = 3.0
NO_LIMIT = 1e300  # run length of a test that is only read


@dataclass(frozen=True, slots=True)
class Movement:
    """How many of the learned families have moved in the recent votes."""

    moved: tuple[Subject, ...]
    families: int  # with enough recent votes

    @property
    def log10_evidence(self) -> float:
        """-log10 of the probability that so many healthy families count as moved by luck."""
        from scipy.stats import binom

        if not self.moved:
            return 0.0
        return -float(binom.logsf(len(self.moved) - 1, self.families, MOVED_BY_LUCK)) / math.log(10)

    @property
    def together(self) -> bool:
        """Whether they are many, and more than luck explains."""
        many = len(self.moved) >= FEWEST_FAMILIES and len(self.moved) >= SHARE * self.families
        return many and self.log10_evidence >= ALARM_LOG10


def has_moved(log_e: float, votes: int) -> bool:
    """Whether an e-CUSUM over `votes` recent votes says that a family has moved.

    The mean of an e-CUSUM of a healthy family is at most its number of votes, so by Markov's inequality it exceeds
    votes / .05 with probability at most .05.
    """
    return log_e >= math.log(votes / MOVED_BY_LUCK)


def movement(watch: Watch) -> Movement:
    """Look at the last 50 votes of the last 7 days of every family that the champion has learned."""
    moved, families = [], 0
    for subject, rows in rows_by_subject(watch.every_row).items():
        if subject.kind != "family" or subject not in watch.learned:
            continue
        recent = [row for row in rows if row.delivered_at > watch.now - RECENT]
        placements, recalls = watch.votes(logits_of(recent), [row.group for row in recent])
        placements, recalls = placements[-RECENT_VOTES:], recalls[-RECENT_VOTES:]
        if placements.size < FEWEST_VOTES:
            continue
        families += 1
        test = known_family_test(NO_LIMIT, *_floors(watch, subject)).update(placements, recalls)
        if has_moved(test.log_e, placements.size):
            moved.append(subject)
    return Movement(tuple(moved), families)


def watch_pipeline(watch: Watch, before: Alarm | None) -> Alarm:
    """The alarm after the votes of this pass; it ends when the families' recent votes are good again.

    The pool and the champion are frozen, so a family can only move by itself: many at once are a fault of what
    delivers, labels, decodes or encodes. While it stands no vote is counted and nothing is learned. What came with it
    is never counted: it would accuse the families later.
    """
    found = movement(watch)
    suspect = with_what_came(watch, before) if found.together else watch.suspect
    names = [subject.name for subject in found.moved]
    return Alarm(
        "pipeline_fault",
        "",
        watch.champion.record.id,
        {"moved": names, "families": found.families, "suspect": [list(one) for one in suspect], "mark": _last(watch)},
        found.log10_evidence,
        ALARM_LOG10,
        since(before, found.together, watch.now),
        f"{len(names)} of {found.families} known families fell together ({', '.join(names[:5])}"
        f"{', ...' if len(names) > 5 else ''}): look for wrong labels or a fault in what delivers or decodes them",
    )


def with_what_came(watch: Watch, before: Alarm | None) -> tuple[tuple[int, int], ...]:
    """The suspect ranges, and what came since the last pass: one range per fault, however long it stands.

    A test that counts anew, for labels were corrected, waits for votes that it had counted before: those came with no
    fault, or lie in a range already.
    """
    mark: Any = before.state.get("mark", 0) if before is not None else 0
    came = [row.score_id for subject in watch.by_subject for row in watch.new(subject) if row.score_id > int(mark)]
    if not came:
        return watch.suspect
    goes_on = before is not None and before.raised_at is not None and watch.suspect
    if goes_on:
        return (*watch.suspect[:-1], (watch.suspect[-1][0], max(came)))
    return (*watch.suspect, (min(came), max(came)))


def _last(watch: Watch) -> int:
    return max((row.score_id for row in watch.every_row), default=0)


def _floors(watch: Watch, subject: Subject) -> tuple[float, float]:
    """A known family's own baseline, the configured floors for another."""
    state = watch.states.get(subject)
    test = SubjectTest.from_dict(state.state) if state is not None else None
    if test is not None and test.stage == "known":
        placement, recall = test.test.parts
        assert isinstance(placement, ECusum) and isinstance(recall, ECusum)
        return placement.m0, recall.m0
    return watch.settings.auroc_floor, watch.settings.recall_floor
