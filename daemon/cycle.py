"""One pass of the service. Every stage takes up what is pending in the store, so each may be repeated.

Work waiting is state, not a queue in memory: a kill between any two lines loses nothing that was acknowledged,
and the next cycle goes on from what the store says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daemon.context import Context
from daemon.drift.detecting import detect
from daemon.encoders.embedding import embed
from daemon.evaluate.measuring import evaluate
from daemon.evaluate.scoring import score
from daemon.intake.taking_in import intake
from daemon.learn.automatic import Aside, learn
from daemon.learn.bookkeeping import finish_corrections, finish_forgetting
from daemon.learn.learning import Make
from daemon.learn.ticketing import watch_tickets
from daemon.notify.notifying import notify
from daemon.promote.judging import judge
from daemon.promote.promoting import promote
from daemon.promote.returning import return_from_damage, return_from_worse
from daemon.promote.shadowing import end_shadow, judge_in_shadow
from daemon.reembed.following import follow
from daemon.settings import AdapterSettings
from daemon.shortcuts.auditing import audit_shortcuts
from daemon.transitions import note_transitions


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What one cycle did; all zero and empty when the service is idle."""

    delivered: int = 0  # candidates offered by adapters
    embedded: int = 0  # samples that got their vectors
    scored: int = 0  # samples scored by the champion for the first time
    alarmed: tuple[str, ...] = ()  # families newly proved to evade
    version: str | None = None  # the challenger that was solved, or that the gate was asked about again
    decision: str | None = None  # what became of it: promote, hold, reject, wait, shadow
    told: int = 0  # events sent
    forgotten: int = 0  # samples whose last byte went
    corrected: int = 0  # corrections by people that the statistics followed

    @property
    def idle(self) -> bool:
        """Whether nothing happened, so that another cycle would find nothing either."""
        return self == CycleReport()

    def __str__(self) -> str:
        parts = [f"{self.delivered} delivered", f"{self.embedded} embedded", f"{self.scored} scored"]
        parts += [f"{family} evades" for family in self.alarmed]
        if self.forgotten:
            parts.append(f"{self.forgotten} forgotten")
        if self.corrected:
            parts.append(f"{self.corrected} corrections followed")
        if self.version:
            parts.append(f"{self.version}: {self.decision}")
        return ", ".join(parts)


def run_cycle(
    context: Context,
    adapters: Sequence[AdapterSettings] = (),
    *,
    may_learn: Callable[[], bool] = lambda: True,
    make: Make | None = None,
    aside: Aside | None = None,
    noticed: Callable[[], object] = lambda: None,
    handed_over: Callable[[], object] = lambda: None,
) -> CycleReport:
    """intake -> embed -> score -> evaluate -> detect -> learn -> gate -> promote -> notify.

    Before all of them comes what was asked to be forgotten and is not yet, and what people corrected.

    adapters: those to poll in this pass; the running service polls each on its own schedule and passes none.
    may_learn: asked once detection is done; False leaves out the stages from `learn` to `promote`.
    make: another learner than the policy's. aside: called instead of a learner that takes long; None: it learns here.
    noticed, handed_over: called once changes of state are stored, and once their messages wait in the outbox; both
    before anything is learned, which may take long: an alarm is seen from outside however quickly it is repaired.
    """
    return_from_damage(context)
    follow(context)  # a switch or a rollback across encoders may have come between two cycles
    forgotten = finish_forgetting(context)
    corrected = finish_corrections(context)
    delivered = sum(intake(context, adapter) for adapter in adapters)
    audit_shortcuts(context)
    embedded = embed(context)
    scored = score(context)
    judge_in_shadow(context)
    evaluate(context)
    alarmed = detect(context)
    if return_from_worse(context):
        evaluate(context)
    told = 0
    if note_transitions(context) or alarmed:
        noticed()
        told = notify(context)
        handed_over()
    may = may_learn()
    version, became = (end_shadow(context) if may else None) or (None, None)
    challenge = learn(context, make, aside=aside) if may and version is None else None
    if challenge:
        version, became = challenge.version.record.id, promote(context, challenge, judge(context, challenge))
    if version:
        evaluate(context)  # a new champion is never without figures
        note_transitions(context)
    watch_tickets(context)
    told += notify(context)
    return CycleReport(
        delivered=delivered,
        embedded=embedded,
        scored=scored,
        alarmed=alarmed,
        version=version,
        decision=became,
        told=told,
        forgotten=forgotten,
        corrected=corrected,
    )
