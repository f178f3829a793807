"""The policy: which learner is tried next for a family or real source, if any, and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.learn.attempts import Attempt, against, current_round
from daemon.learn.triggers import Trigger, harms
from daemon.model import FamilyRow, Subject
from daemon.settings import AttemptSettings, LearnSettings, Settings

_WORTH_ANOTHER = 2  # times the evidence of a version that a person is asked about
SLOW = frozenset({"gradient", "probe", "concept"})  # learners that train: seconds to minutes, in a child


@dataclass(frozen=True, slots=True)
class Try:
    """This learner is next."""

    learner: str
    number: int  # its place in the policy


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done yet."""

    why: str
    until: datetime | None = None  # None: until something else happens


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a subject has too little of."""

    samples: int = 0  # of groups of their own
    sources: int = 0  # independent ones


@dataclass(frozen=True, slots=True)
class Stuck:
    """Everything that the policy allows was tried, or nothing may be: more evidence or a person is needed."""

    tried: tuple[Attempt, ...]  # in this round
    lacking: Lacking  # of what the next attempt would need


Plan = Try | Wait | Stuck


@dataclass(frozen=True, slots=True)
class Due:
    """The next attempt, for all subjects that wait for it together."""

    learner: str
    triggers: tuple[Subject, ...]


def steps_of(settings: Settings) -> tuple[AttemptSettings, ...]:
    """The policy with `closed_form` as the configured read-out, each learner once."""
    found: dict[str, AttemptSettings] = {}
    for step in settings.learn.policy.attempts:
        learner = settings.head.read_out if step.learner == "closed_form" else step.learner
        found.setdefault(learner, step.model_copy(update={"learner": learner}))
    return tuple(found.values())


def plan(
    trigger: Trigger,
    row: FamilyRow | None,
    attempts: Sequence[Attempt],
    champion: str,
    steps: Sequence[AttemptSettings],
    settings: LearnSettings,
    now: datetime,
    *,
    gentler: bool,
    made: Collection[str] = (),
    failed: Mapping[str, datetime] | None = None,
    asked: Collection[str] = (),
) -> Plan:
    """What is to be done for one trigger.

    row: what the store knows of it; None: nothing is left. attempts: all for it, whatever the champion was. gentler:
    whether a lower weight of new families would make another mixture. made: learners that were asked already on just
    what is learned now, for somebody else. failed: learner -> when its last run broke. asked: versions that a person
    is asked about and could let come into force.
    Harm to others is answered by the same learner with less weight as long as there is one, anything else by the next
    learner; when all were tried the subject waits for `retry_after_groups` more groups, or as many fewer.
    """
    own = against(attempts, champion)
    if any(attempt.state == "shadow" for attempt in own):
        return Wait("a version that knows it judges in the shadow")
    if trigger.cause == "named":  # whether it evades is for its alarm to say
        steps = steps[:1] if not attempts else ()
    if trigger.cause == "degraded":  # it may still be detected: minutes of training are for what evades
        steps = [step for step in steps if step.learner not in SLOW]
    answers = [attempt for attempt in own if _answers(attempt, trigger)]
    tried = current_round(answers, row.groups if row else 0, settings.retry_after_groups)
    if tried and tried[-1].decision == "promote":
        return Wait("a version that knows it passed the gate; a person decides")
    # One from before the incident knows nothing of it.
    waiting = [a for a in own if a.version in asked and (trigger.since is None or a.at >= trigger.since)]
    if waiting and row and row.groups < _WORTH_ANOTHER * waiting[-1].groups:
        return Wait("a version that knows it waits for a person, who is not shown another at every delivery")
    if row is None or row.anchor or row.retired:
        return Stuck(tried, Lacking())
    missing: Lacking | None = None
    for number, step in enumerate(steps):
        earlier = [attempt for attempt in tried if attempt.learner == step.learner]
        if step.learner in made or (earlier and not _again(earlier, own, settings, gentler)):
            continue
        lacks = lacking(step, row)
        if lacks != Lacking():
            missing = missing or lacks
            continue
        if _used_up(step, attempts, trigger):
            continue
        if tried and not _was_judged(tried[-1]):
            return Stuck(tried, Lacking())  # too few pictures can be compared, whatever judges them
        until = _until(step, attempts, failed or {}, now)
        return Wait("cool-down", until) if until is not None and until > now else Try(step.learner, number)
    return Stuck(tried, missing or Lacking())


def due(plans: Mapping[Subject, Plan]) -> Due | None:
    """The attempt that comes first in the policy, for every subject that it is next for."""
    tries = {subject: step for subject, step in plans.items() if isinstance(step, Try)}
    if not tries:
        return None
    first = min(tries.values(), key=lambda step: step.number)
    return Due(first.learner, tuple(sorted(subject for subject, step in tries.items() if step == first)))


def lacking(step: AttemptSettings, row: FamilyRow) -> Lacking:
    """What the subject has too little of for this attempt."""
    sources = row.trusted_sources + row.known_sources
    needed = max(0, step.min_sources - sources)
    if row.trusted_sources == 0:  # nobody who may teach alone
        needed = max(needed, 2 - row.known_sources)
    return Lacking(max(0, step.min_groups - row.groups), needed)


def _again(
    earlier: Sequence[Attempt], against_champion: Sequence[Attempt], settings: LearnSettings, gentler: bool
) -> bool:
    """Whether the next gentler weight answers what the gate said of the mixture."""
    last = earlier[-1]
    weights_left = harms(against_champion) < len(settings.new_family_weights)
    return gentler and last.learner == "mixture" and last.harm and weights_left


def _answers(attempt: Attempt, trigger: Trigger) -> bool:
    """Whether an attempt says what its learner makes of this incident.

    One from before it was made for others, such as `update` for all families at once: that their mean gained nothing
    says nothing of this subject. It used up a level of the gate all the same.
    """
    of_it = trigger.since is None or attempt.at >= trigger.since
    return of_it or attempt.no_gain or attempt.decision == "promote"


def _used_up(step: AttemptSettings, attempts: Sequence[Attempt], trigger: Trigger) -> bool:
    if step.at_most is None:
        return False
    of_it = [a for a in attempts if a.learner == step.learner and (trigger.since is None or a.at >= trigger.since)]
    return len(of_it) >= step.at_most


def _until(
    step: AttemptSettings, attempts: Sequence[Attempt], failed: Mapping[str, datetime], now: datetime
) -> datetime | None:
    """When the learner may be asked again; None: it never was."""
    asked = [attempt.at for attempt in attempts if attempt.learner == step.learner]
    asked += [failed[step.learner]] if step.learner in failed else []
    return max((_cooled(at, step.cool_down, now) for at in asked), default=None)


def _cooled(at: datetime, cool_down: timedelta, now: datetime) -> datetime:
    """When what was asked at a time has cooled down: never later than `cool_down` from now.

    A time in the future is of a clock that was ahead and was put back: by little, and it is waited for, or by more
    than is ever waited for.
    """
    if at <= now:
        return at + cool_down
    return at if at - now <= cool_down else now


def _was_judged(attempt: Attempt) -> bool:
    """Whether the gate had enough of the triggers to ask for a gain. A verdict that keeps no checks counts as such."""
    return not attempt.checks or any(check.get("name") == "trigger_mean" for check in attempt.checks)
