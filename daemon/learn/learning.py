"""Learn: bring the group statistics up to date and solve a challenger from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import structlog

from daemon import __version__
from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.drift.standing import pipeline_fault_stands
from daemon.errors import BadInputError, CorruptArtifact, TemporaryError
from daemon.heads import GroupKey, GroupStatistics, HeadSettings, Origin, fit_version, write
from daemon.learn.bookkeeping import bring_up_to_date
from daemon.learn.importing_export import LEARNER
from daemon.learn.settling import settle
from daemon.learn.triggers import attempts, due_triggers, may_start, new_family_weight
from daemon.model import PROFILES, FamilyRow, LabelledVectors, Profile, Subject

log = structlog.get_logger("sidwatch.learn")


@dataclass(frozen=True)
class Challenge:
    """A challenger and what it was made for."""

    version: LoadedVersion
    champion: LoadedVersion | None  # None: the first
    triggers: tuple[Subject, ...]
    trigger_groups: dict[str, int]  # groups of each triggering family when it was made


# Makes a version for the triggers, to follow the champion, from statistics that are up to date.
Make = Callable[[Context, LoadedVersion | None, tuple[Subject, ...]], LoadedVersion]


def learn(context: Context, make: Make | None = None) -> Challenge | None:
    """Make a challenger when something asks for one; returns it with its reasons.

    make: another learner than the closed form as configured.
    """
    settle(context)
    if not context.settings.learn.automatic or pipeline_fault_stands(context):
        return None
    subjects = context.samples.subjects()
    champion = context.champion.get()
    if champion is None:
        waiting = context.samples.queue(context.encoder.fingerprint).get("embed", (0, None))[0]
        ready = not waiting and may_start(subjects, context.settings.learn)
        return _first_challenge(context, make) if ready else None
    triggers = due_triggers(
        context.samples.episodes(open_only=True),
        subjects,
        context.registry.versions(),
        champion.record.id,
        champion.known,
        context.settings.learn,
        champion.names,
    )
    if not triggers and holds_forgotten(context, champion) and not _judged_without_it(context, champion):
        triggers = _families(subjects)
    return _challenge(context, champion, triggers, make) if triggers else None


def holds_forgotten(context: Context, champion: LoadedVersion) -> int:
    """How many samples the champion was solved from that were taken out of the statistics since."""
    return context.samples.taken_out_since(champion.record.fingerprint, champion.record.statistics_revision)[0]


def _judged_without_it(context: Context, champion: LoadedVersion) -> bool:
    """Whether the gate has answered on a challenger without anything that was taken out."""
    record = champion.record
    _, until = context.samples.taken_out_since(record.fingerprint, record.statistics_revision)
    return any(
        version.parent == record.id
        and version.learner != LEARNER  # what another store learned is not known
        and version.statistics_revision >= until
        and version.verdict is not None
        for version in context.registry.versions()
    )


def _families(subjects: Sequence[FamilyRow]) -> tuple[Subject, ...]:
    return tuple(sorted(row.subject for row in subjects if row.subject.kind == "family" and row.may_trigger))


def update(context: Context, make: Make | None = None) -> Challenge | None:
    """The `update` command: a challenger from everything there is, for all families together; None: nothing new.

    make: another learner than the closed form as configured.
    Raises BadInputError when there is too little for a first champion.
    """
    settle(context)
    subjects = context.samples.subjects()
    champion = context.champion.get()
    if champion is None and not may_start(subjects, context.settings.learn):
        raise BadInputError("too few families and real sources for a first champion; see `learn` in config.yaml")
    families = _families(subjects)
    if champion is not None and not families:
        raise BadInputError("no family may be learned from: one needs a trusted source, or two known ones")
    return _challenge(context, champion, families if champion else (), make)


def _first_challenge(context: Context, make: Make | None) -> Challenge | None:
    """A first champion, or None while too few of the pictures lie on the side that may be learned."""
    try:
        return _challenge(context, None, (), make)
    except CorruptArtifact:
        raise
    except BadInputError as error:
        log.info("too little to learn from for a first champion", reason=str(error))
        return None


def _challenge(
    context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...], make: Make | None = None
) -> Challenge | None:
    bring_up_to_date(context, fingerprint_of(context, champion))
    version = (make or closed_form())(context, champion, triggers)
    if version.record.verdict is not None:
        return None  # nothing new was learned since the gate judged this very version
    groups = {row.subject: row.groups for row in context.samples.subjects()}
    return Challenge(version, champion, triggers, {subject.name: groups.get(subject, 0) for subject in triggers})


def _log_priors(
    context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...]
) -> tuple[tuple[str, float], ...]:
    """The champion's priors go on; those of families that are new to it follow the gate's answers so far.

    New families that are detected already count too: it is their number beside the known ones that does harm.
    """
    if champion is None:
        return ()
    settings = champion.artifact.about["settings"]
    stored = {str(name): float(prior) for name, prior in settings.get("log_priors", ())}
    # A family keeps its own prior, also when one with another prior was merged into it.
    priors = {champion.present(name): stored.get(champion.present(name), prior) for name, prior in stored.items()}
    versions = context.registry.versions()
    tried = [attempts(versions, champion.record.id, trigger, champion.names) for trigger in triggers]
    weight = new_family_weight(tried, context.settings.learn)
    modelled = champion.known
    for row in context.samples.subjects():
        if row.subject.kind == "family" and row.subject not in modelled:
            priors[row.subject.name] = math.log(weight)
    return tuple(sorted(priors.items()))


def fingerprint_of(context: Context, champion: LoadedVersion | None) -> str:
    """The encoder whose vectors a challenger is made from: the champion's, whatever comes into force meanwhile.

    Before there is one it is the encoder in force; a command that starts none takes the only one that there are
    vectors of. Raises BadInputError when there are none or several.
    """
    if champion is not None:
        return champion.record.fingerprint
    if context.encoder.fingerprint:
        return context.encoder.fingerprint
    encoders = sorted(context.migrations.encoders())
    if len(encoders) == 1:
        return encoders[0]
    if not encoders:
        raise BadInputError("no picture is embedded yet, so there is nothing to learn from; `sidwatch run` does that")
    raise BadInputError(
        f"there is no champion yet, and the store holds vectors of {len(encoders)} encoders; `sidwatch run` learns "
        "from those of the configured one"
    )


def closed_form(read_out: Literal["mixture", "linear"] | None = None) -> Make:
    """Solve by the closed form; read_out: another one than the configured."""

    def make(context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...]) -> LoadedVersion:
        values = context.settings.head.model_dump() | ({"read_out": read_out} if read_out else {})
        settings = HeadSettings(**values, log_priors=_log_priors(context, champion, triggers))
        return _solve(context, fingerprint_of(context, champion), champion, settings)

    return make


def solve_beside(context: Context, fingerprint: str, champion: LoadedVersion) -> LoadedVersion:
    """A version from everything that may be learned of another encoder's vectors than the champion's.

    Repeated with nothing new it returns the same version. Raises BadInputError when there is too little.
    """
    bring_up_to_date(context, fingerprint)
    return _solve(context, fingerprint, champion, HeadSettings(**context.settings.head.model_dump()))


def teachable(context: Context, fingerprint: str) -> dict[Profile, LabelledVectors]:
    """Per profile, every row that may teach a head: of no untrusted source, of no anchor."""
    barred = context.samples.untrusted() | context.samples.anchored()
    return {p: context.samples.labelled_vectors(fingerprint, p).without(barred) for p in PROFILES}


def unpicked(context: Context, rows: dict[Profile, LabelledVectors]) -> dict[Profile, LabelledVectors]:
    """The rows that nobody picked by a detector's error: only they may place thresholds and calibrate."""
    reported = context.samples.reported()
    return {profile: own.without(reported) for profile, own in rows.items()}


def evidence(context: Context, fingerprint: str) -> dict[Profile, LabelledVectors]:
    """Per profile, every row that may place thresholds and calibrate."""
    return unpicked(context, teachable(context, fingerprint))


def _solve(context: Context, fingerprint: str, champion: LoadedVersion | None, settings: HeadSettings) -> LoadedVersion:
    revision = context.samples.statistics_revision(fingerprint)
    files = context.samples.statistics(fingerprint)
    statistics = {GroupKey(*key): GroupStatistics.from_bytes(data) for key, data in files.items()}
    dataset = context.samples.learned_dataset(fingerprint)
    rows = evidence(context, fingerprint)
    if context.samples.statistics_revision(fingerprint) != revision:
        raise TemporaryError("the statistics changed while a version was solved from them; the next cycle solves it")
    artifact = fit_version(
        statistics,
        rows,
        rows,
        settings,
        context.settings.threshold.alpha,
        Origin(
            encoder_fingerprint=fingerprint,
            learner="closed_form",
            code_version=__version__,
            statistics_revision=revision,
            statistics_digests={GroupKey(*key): sha256(data).hexdigest() for key, data in files.items()},
            parent=champion.record.id if champion else None,
            dataset=dataset,
        ),
    )
    tensors, manifest = write(artifact)
    record = context.registry.add_version(
        parent=champion.record.id if champion else None,
        fingerprint=fingerprint,
        learner="closed_form",
        statistics_revision=revision,
        manifest=manifest,
        tensors=tensors,
        at=context.clock.now(),
    )
    return load_version(context.registry, record)
