"""What a version is worth at one moment of the calendar, on every family: those delivered, and those still to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from daemon.backtest.cache import CachingEncoder
from daemon.backtest.calendar import Calendar
from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.errors import CorruptArtifact
from daemon.evaluate.average_precision import auroc, average_precision
from daemon.evaluate.material import by_subject
from daemon.model import PROFILES, LabelledVectors, Profile

Logits = NDArray[np.float64]


class FamilyFigure(BaseModel):
    """One family against all real pictures, every one scored by a head that has not learned it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ap: float  # at the configured prevalence
    auroc: float
    recall: float  # share above the threshold
    n: int


class ProfileFigures(BaseModel):
    """One version under one profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    families: dict[str, FamilyFigure]
    false_positive_rate: dict[str, float]  # real source -> share above the threshold


class Moment(BaseModel):
    """The champion at one moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    profiles: dict[Profile, ProfileFigures]


def measure(context: Context, calendar: Calendar, encoder: CachingEncoder, families: Iterable[str]) -> Moment | None:
    """The champion's figures on these families as it stands; None before the first champion.

    A family of which something was delivered is measured on that, one to come on all of its pictures.
    """
    champion = context.champion.get()
    if champion is None:
        return None
    wanted = tuple(families)
    found = {profile: _measure(context, champion, calendar, encoder, wanted, profile) for profile in PROFILES}
    return Moment(version=champion.record.id, profiles=found)


def _measure(
    context: Context,
    champion: LoadedVersion,
    calendar: Calendar,
    encoder: CachingEncoder,
    families: tuple[str, ...],
    profile: Profile,
) -> ProfileFigures:
    rows = context.samples.labelled_vectors(champion.record.fingerprint, profile)
    logits = champion.held_out(rows)
    real = logits[~rows.synthetic]
    delivered = _logits_of_families(rows, logits)
    threshold = champion.threshold(profile)
    prevalence = context.settings.evaluate.prevalence
    figures = {}
    for family in families:
        own = delivered.get(family)
        if own is None:
            own = champion.artifact.head.scores(_to_come(calendar, encoder, family, profile))
        figures[family] = FamilyFigure(
            ap=average_precision(real, own, prevalence),
            auroc=auroc(real, own),
            recall=float((own > threshold).mean()),
            n=len(own),
        )
    _, sources = by_subject(rows)
    rates = {subject.name: float((logits[own] > threshold).mean()) for subject, own in sources.items()}
    return ProfileFigures(families=figures, false_positive_rate=rates)


def _logits_of_families(rows: LabelledVectors, logits: Logits) -> Mapping[str, Logits]:
    families, _ = by_subject(rows)
    return {subject.name: logits[own] for subject, own in families.items()}


def _to_come(calendar: Calendar, encoder: CachingEncoder, family: str, profile: Profile) -> NDArray[np.float16]:
    """(n, d) of a family that was not delivered yet."""
    found = []
    for entry in calendar.pictures[family]:
        vectors = encoder.vectors(entry.sha256)
        if vectors is None:
            raise CorruptArtifact(f"the back-test's vector of {entry.uri} is gone: run the command again to encode it")
        found.append(vectors[profile])
    return np.stack(found).astype(np.float16)
