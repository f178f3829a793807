"""Learn: what asks for a new version is answered as the policy says, by one challenger at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.drift.standing import pipeline_fault_stands
from daemon.errors import BadInputError, CorruptArtifact
from daemon.learn.attempts import history
from daemon.learn.bookkeeping import bring_up_to_date
from daemon.learn.importing_export import LEARNER as IMPORTED
from daemon.learn.learning import (
    Challenge,
    ClosedForm,
    Make,
    challenge_for,
    families_to_learn,
    fingerprint_of,
    holds_forgotten,
)
from daemon.learn.policy import SLOW, Plan, due, plan, steps_of
from daemon.learn.recalibrating import answer_to_shift
from daemon.learn.retraining import trained
from daemon.learn.settling import settle
from daemon.learn.triggers import Trigger, may_start, triggers_of
from daemon.model import FamilyRow, Subject, VersionRecord
from daemon.registry.approval import person_decides

log = structlog.get_logger("sidwatch.learn")

JOB = "retrain_due"  # the running service's job for learners that train, so that a cycle never waits for them
Aside = Callable[[], None]


@dataclass(frozen=True)
class Planned:
    """Every trigger with what is to be done for it."""

    rows: Mapping[Subject, FamilyRow]
    triggers: tuple[Trigger, ...]
    plans: Mapping[Subject, Plan]


def learn(context: Context, make: Make | None = None, *, aside: Aside | None = None) -> Challenge | None:
    """Make a challenger when something asks for one; returns it with its reasons.

    make: another learner than the policy's. aside: called instead of a learner that takes long, which `learn_aside`
    then is to be asked for; None: it learns here.
    """
    settle(context)
    if not context.settings.learn.automatic or pipeline_fault_stands(context):
        return None
    champion = context.champion.get()
    if champion is None:
        waiting = context.samples.queue(context.encoder.fingerprint).get("embed", (0, None))[0]
        ready = not waiting and may_start(context.samples.subjects(), context.settings.learn)
        return _first_challenge(context, make) if ready else None
    found = _by_policy(context, champion, make, aside=aside)
    if found is None and "real_pool_shift" in context.settings.learn.policy.triggers:
        found = answer_to_shift(context, champion)
    if found is None and holds_forgotten(context, champion) and not _judged_without_it(context, champion):
        families = families_to_learn(context.samples.subjects())
        found = challenge_for(context, champion, families, make) if families else None
    if found is None and _is_time(context):
        found = _everything(context, champion, make)
    return found


def learn_aside(context: Context) -> Challenge | None:
    """The challenger of a learner that takes long, when one is due.

    Raises ChildFailed (the training died, overran or grew too large), BadInputError (too little to learn from).
    """
    champion = context.champion.get()
    if champion is None or not context.settings.learn.automatic or pipeline_fault_stands(context):
        return None
    return _by_policy(context, champion, None, slow_only=True)


def planned(context: Context, champion: LoadedVersion, spent: Collection[tuple[Subject, str]] = frozenset()) -> Planned:
    """What asks for a version, and what the policy says to it.

    spent: (trigger, learner) that gave nothing new in this pass.
    """
    settings, samples = context.settings, context.samples
    rows = {row.subject: row for row in samples.subjects()}
    triggers = triggers_of(
        samples.episodes(open_only=True),
        samples.test_states(champion.record.id),
        samples.named_families(),
        champion.known,
        settings.learn.policy.triggers,
    )
    triggers = tuple(t for t in triggers if t.subject not in rows or not rows[t.subject].retired)
    if not triggers:
        return Planned(rows, (), {})
    versions = context.registry.versions()
    made = _made(versions, champion.record, samples.statistics_revision(champion.record.fingerprint))
    new = any(subject.kind == "family" and subject not in champion.known for subject in rows)
    failed = _failed(context)
    asked = _asked(context, champion.record, versions)
    plans = {
        trigger.subject: plan(
            trigger,
            rows.get(trigger.subject),
            history(versions, trigger.subject, champion.names),
            champion.record.id,
            steps_of(settings),
            settings.learn,
            context.clock.now(),
            gentler=new,  # while nothing is new, no weight of what is new makes another mixture
            made={*made, *(learner for subject, learner in spent if subject == trigger.subject)},
            failed=failed,
            asked=asked,
        )
        for trigger in triggers
    }
    return Planned(rows, triggers, plans)


def _by_policy(
    context: Context,
    champion: LoadedVersion,
    make: Make | None,
    *,
    aside: Aside | None = None,
    slow_only: bool = False,
) -> Challenge | None:
    spent: set[tuple[Subject, str]] = set()
    while (found := due(planned(context, champion, spent).plans)) is not None:
        slow = found.learner in SLOW and make is None
        if slow_only and not slow:
            return None  # the cycle is at it
        if slow and aside is not None:
            aside()
            return None
        if slow:  # before minutes are spent: is there anything that it was not asked about?
            bring_up_to_date(context, fingerprint_of(context, champion))
            if due(planned(context, champion, spent).plans) != found:
                continue
        challenge = challenge_for(context, champion, found.triggers, make or _maker(found.learner))
        if challenge is not None:
            return challenge
        spent |= {(trigger, found.learner) for trigger in found.triggers}
    return None


def _maker(learner: str) -> Make:
    match learner:
        case "mixture" | "linear":
            return ClosedForm(learner)
        case "gradient" | "probe" | "concept":
            return trained(learner)
    raise AssertionError(f"the settings know no learner {learner}")


def _made(versions: list[VersionRecord], champion: VersionRecord, revision: int) -> set[str]:
    """Learners whose version of just these statistics was judged; a mixture may be made again with another weight."""
    judged = [
        str(version.verdict.get("learner", version.learner))
        for version in versions
        if version.parent == champion.id and version.statistics_revision == revision and version.verdict is not None
    ]
    return set(judged) - {"mixture", "closed_form"}


def _asked(context: Context, champion: VersionRecord, versions: list[VersionRecord]) -> set[str]:
    """The versions that a person is asked about and could let come into force."""
    waiting = [version for version in versions if version.state == "waiting" and version.parent == champion.id]
    if not waiting or not person_decides(context.registry.audit, context.clock.now(), context.settings.promotion):
        return set()
    forgotten = context.samples.forgotten_in
    return {v.id for v in waiting if not forgotten(v.fingerprint, v.statistics_revision)}


def _failed(context: Context) -> dict[str, datetime]:
    """When the last run of each slow learner broke, as far as the run log knows: they share a job."""
    runs = [run for run in context.runs.latest() if run.job == JOB and run.finished_at is not None]
    # One that was lost with its process is taken up at once: a restart is no fault of the training.
    broken = [run.finished_at for run in runs if run.outcome in ("failed", "timed_out") and run.finished_at]
    return dict.fromkeys(SLOW, max(broken)) if broken else {}


def _first_challenge(context: Context, make: Make | None) -> Challenge | None:
    """A first champion, or None while too few of the pictures lie on the side that may be learned."""
    try:
        return challenge_for(context, None, (), make)
    except CorruptArtifact:
        raise
    except BadInputError as error:
        log.info("too little to learn from for a first champion", reason=str(error))
        return None


def _judged_without_it(context: Context, champion: LoadedVersion) -> bool:
    """Whether the gate has answered on a challenger without anything that was taken out."""
    record = champion.record
    _, until = context.samples.taken_out_since(record.fingerprint, record.statistics_revision)
    return any(
        version.parent == record.id
        and version.learner != IMPORTED  # what another store learned is not known
        and version.statistics_revision >= until
        and version.judged
        for version in context.registry.outlines()
    )


def _is_time(context: Context) -> bool:
    """Whether the last version is older than the policy's `every`."""
    every = context.settings.learn.policy.every
    made = [version.created_at for version in context.registry.outlines() if version.judged]
    return every is not None and bool(made) and context.clock.now() - max(made) >= every


def _everything(context: Context, champion: LoadedVersion, make: Make | None) -> Challenge | None:
    """What `update` would make, when something was learned since the last version."""
    families = families_to_learn(context.samples.subjects())
    bring_up_to_date(context, fingerprint_of(context, champion))
    fingerprint = champion.record.fingerprint
    revision = context.samples.statistics_revision(fingerprint)
    newest = max(v.statistics_revision for v in context.registry.outlines() if v.fingerprint == fingerprint)
    return challenge_for(context, champion, families, make) if families and revision > newest else None
