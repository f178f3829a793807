"""A challenger from the group statistics, brought up to date before; `automatic` says when one is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from daemon import __version__
from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.cores import meanwhile
from daemon.errors import BadInputError, TemporaryError
from daemon.heads import HeadSettings, Origin, fit_version, forms, write
from daemon.heads.forms import Forms, modelled_apart
from daemon.heads.learner import EVIDENCE_SPLITS
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.learn.attempts import against, history, key_of
from daemon.learn.bookkeeping import bring_up_to_date
from daemon.learn.excluding import excluded
from daemon.learn.settling import settle
from daemon.learn.triggers import may_start, new_family_weight
from daemon.model import PROFILES, FamilyRow, LabelledSamples, LabelledVectors, Profile, Subject


@dataclass(frozen=True)
class Challenge:
    """A challenger and what it was made for."""

    version: LoadedVersion
    champion: LoadedVersion | None  # None: the first
    triggers: tuple[Subject, ...]
    trigger_groups: dict[str, int]  # groups of each triggering family when it was made
    noted: Mapping[str, object] = field(default_factory=dict)  # what the verdict keeps beside


# Makes a version for the triggers, to follow the champion, from statistics that are up to date.
Make = Callable[[Context, LoadedVersion | None, tuple[Subject, ...]], LoadedVersion]
KnownFiles = dict[str, Forms]  # of statistics, by digest


def holds_forgotten(context: Context, champion: LoadedVersion) -> int:
    """How many samples the champion was solved from that were taken out of the statistics since."""
    return context.samples.taken_out_since(champion.record.fingerprint, champion.record.statistics_revision)[0]


def families_to_learn(subjects: Sequence[FamilyRow]) -> tuple[Subject, ...]:
    """Every family that may ask for a version."""
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
    families = families_to_learn(subjects)
    if champion is not None and not families:
        raise BadInputError("no family may be learned from: one needs a trusted source, or two known ones")
    return challenge_for(context, champion, families if champion else (), make)


def challenge_for(
    context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...], make: Make | None = None
) -> Challenge | None:
    """A challenger for these; None: the gate has judged this very version, nothing was learned since."""
    fingerprint, make = fingerprint_of(context, champion), make or ClosedForm()
    ahead = partial(make.read_ahead, context, fingerprint) if isinstance(make, ClosedForm) else None
    with meanwhile(ahead) if ahead else nullcontext():  # most files stay what they are, whatever is to be learned
        bring_up_to_date(context, fingerprint)
    version = make(context, champion, triggers)
    if version.record.verdict is not None:
        return None  # nothing new was learned since the gate judged this very version
    groups = context.samples.group_counts(subjects=triggers) if triggers else {}
    return Challenge(version, champion, triggers, {key_of(subject): groups.get(subject, 0) for subject in triggers})


def _log_priors(
    context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...]
) -> tuple[tuple[str, float], ...]:
    """The champion's priors go on; those of families that are new to it follow the gate's answers so far.

    New families that are detected already count too: it is their number beside the known ones that does harm.
    """
    if champion is None:
        return ()
    settings = champion.artifact.about.get("settings", {})  # of another store it need not say any
    stored = {str(name): float(prior) for name, prior in settings.get("log_priors", ())}
    # A family keeps its own prior, also when one with another prior was merged into it.
    priors = {champion.present(name): stored.get(champion.present(name), prior) for name, prior in stored.items()}
    versions = context.registry.versions()
    tried = [against(history(versions, trigger, champion.names), champion.record.id) for trigger in triggers]
    weight = new_family_weight(tried, context.settings.learn)
    modelled = champion.known
    for family in context.samples.family_flags():
        if family not in modelled:
            priors[family.name] = math.log(weight)
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


@dataclass(frozen=True)
class ClosedForm:
    """Makes a version by the closed form. read_out: another one than the configured."""

    read_out: Literal["mixture", "linear"] | None = None
    _known: KnownFiles = field(default_factory=dict)

    def __call__(
        self, context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...]
    ) -> LoadedVersion:
        """Solve the statistics as they are now."""
        values = context.settings.head.model_dump() | ({"read_out": self.read_out} if self.read_out else {})
        settings = HeadSettings(**values, log_priors=_log_priors(context, champion, triggers))
        return _solve(context, fingerprint_of(context, champion), champion, settings, self._known)

    def read_ahead(self, context: Context, fingerprint: str) -> None:
        """Read the statistics' files: what has not changed by the time of the solve need not be read then."""
        context.samples.read_statistics(fingerprint, forms.from_bytes, self._known)


def solve_beside(context: Context, fingerprint: str, champion: LoadedVersion) -> LoadedVersion:
    """A version from everything that may be learned of another encoder's vectors than the champion's.

    Repeated with nothing new it returns the same version. Raises BadInputError when there is too little.
    """
    bring_up_to_date(context, fingerprint)
    return _solve(context, fingerprint, champion, HeadSettings(**context.settings.head.model_dump()), {})


def teachable(context: Context, fingerprint: str) -> dict[Profile, LabelledVectors]:
    """Per profile, every row that may teach a head: of no untrusted source or anchor, not implausible."""
    rows = _teachable_samples(context, fingerprint)
    return {profile: context.samples.with_vectors(fingerprint, profile, rows) for profile in PROFILES}


def _teachable_samples(context: Context, fingerprint: str) -> LabelledSamples:
    clipped = {row.sample_id for row in context.samples.clipped(fingerprint)}
    barred = context.samples.untrusted() | context.samples.anchored() | clipped
    return context.samples.labelled_samples(fingerprint).without(barred)


def unpicked(context: Context, rows: dict[Profile, LabelledVectors]) -> dict[Profile, LabelledVectors]:
    """The rows that nobody picked by a detector's error: only they may place thresholds and calibrate."""
    reported = context.samples.reported()
    return {profile: own.without(reported) for profile, own in rows.items()}


def evidence(context: Context, fingerprint: str) -> dict[Profile, LabelledVectors]:
    """Per profile, every row that may place thresholds and calibrate: the holdout and the reference pool may not."""
    rows = _teachable_samples(context, fingerprint).without(context.samples.reported())
    rows = rows.take([i for i, split in enumerate(rows.splits) if split in EVIDENCE_SPLITS])
    return {profile: context.samples.with_vectors(fingerprint, profile, rows) for profile in PROFILES}


def _solve(
    context: Context, fingerprint: str, champion: LoadedVersion | None, settings: HeadSettings, known: KnownFiles
) -> LoadedVersion:
    revision = context.samples.statistics_revision(fingerprint)
    # The solve is numpy's work, the rest is the store's; `fit_version` finds solved what was solved here.
    with meanwhile(lambda: _statistics(context, fingerprint, settings, known)) as solving:
        dataset = context.samples.learned_dataset(fingerprint)
        left_out = excluded(context, fingerprint)
        rows = evidence(context, fingerprint)
    statistics, digests = solving.result()
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
            statistics_digests=digests,
            parent=champion.record.id if champion else None,
            dataset=dataset,
            exclusions=left_out,
        ),
        solved=context.solved,
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


def _statistics(
    context: Context, fingerprint: str, settings: HeadSettings, known: KnownFiles
) -> tuple[dict[GroupKey, GroupStatistics], dict[GroupKey, str]]:
    """What is learned of an encoder's vectors, and the digest of each part; its heads are solved on the way."""
    learned = context.samples.read_statistics(fingerprint, forms.from_bytes, known)
    digests = context.samples.statistics_digests(fingerprint)
    statistics = modelled_apart(learned, max(settings.min_form, settings.min_group))
    told = forms.spread(digests, statistics)
    context.solved.heads(statistics, told, settings).folds()
    return statistics, told
