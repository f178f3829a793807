"""Why a family evades: what separates it from the reals and from the families that the champion knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.drift.placement import placement_values
from daemon.errors import BadInputError
from daemon.explain.concepts import ConceptSpace
from daemon.explain.effects import (
    LEVEL,
    MIN_GROUPS,
    Effect,
    Summary,
    block_effect,
    number_effect,
    pool,
    squared_distance,
)
from daemon.explain.layout import Layout, layout_of
from daemon.explain.picture import concept_label, pole
from daemon.explain.space import space_of
from daemon.explain.subjects import FromVectors, Pictures, read_subjects
from daemon.explain.views import ComparisonView, EffectView, FamilyExplanationView, FamilyProfileView, SeenView
from daemon.explain.words import in_words
from daemon.model import PROFILES, Profile, Subject
from daemon.reembed.recorded import settings_of

_UNITS_RIDGE = 1e-6  # activations are few and not collinear; only rounding is to be caught


def explain_family(context: Context, version: LoadedVersion, name: str) -> FamilyExplanationView:
    """What sets family `name` apart, by the pictures in the store; writes nothing but the vocabulary's embeddings.

    Raises BadInputError when there is no such family or nothing to compare with.
    """
    every = {profile: _read(context, version, profile) for profile in PROFILES}
    family = Subject("family", name)
    for profile in PROFILES:
        if family not in every[profile]:
            raise BadInputError(
                f"there are no vectors of a family {name!r}; `sidwatch families list` shows the names, and "
                "`sidwatch run --until-idle` encodes what waits"
            )
    known = version.known
    pictures = every["raw"][family]
    view = FamilyExplanationView(
        family=name,
        version=version.record.id,
        known=family in known if known else None,
        pictures=pictures.pictures,
        groups=pictures.groups,
        level=LEVEL,
        from_statistics=not isinstance(pictures, FromVectors),
        resembles=None,
        resembles_share=None,
        profiles={},
        notes=_notes(known, pictures),
    )
    least = context.settings.evaluate.min_samples
    if pictures.pictures < least or pictures.groups < MIN_GROUPS:
        text = (
            f"{name} has {pictures.pictures} pictures of {pictures.groups} groups: too few to say what sets it apart "
            f"({least} pictures of {MIN_GROUPS} groups are needed)"
        )
        return view.model_copy(update={"notes": [text]})
    layout = layout_of(settings_of(context, version.record.fingerprint), version.artifact.head.dimension)
    space = space_of(context, version.record.fingerprint, layout)
    job = _Job(version, family, layout, space, context.settings.head.ridge)
    resembles, share = job.resembles(every["raw"])
    profiles: dict[str, FamilyProfileView] = {p: job.profile(p, every[p]) for p in PROFILES}
    return view.model_copy(update={"profiles": profiles, "resembles": resembles, "resembles_share": share})


def _read(context: Context, version: LoadedVersion, profile: Profile) -> dict[Subject, Pictures]:
    last = context.settings.evaluate.last_per_subject
    return read_subjects(context.samples, version.record.fingerprint, profile, last)


def _notes(known: frozenset[Subject], pictures: Pictures) -> list[str]:
    notes = []
    if not isinstance(pictures, FromVectors):
        notes.append("its vectors are gone: figures are from group statistics, where every picture is its own group")
    if not known:
        notes.append("the champion does not say which families it knows: all others stand for them")
    return notes


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    version: LoadedVersion
    family: Subject
    layout: Layout
    space: ConceptSpace | None
    ridge: float

    def profile(self, profile: Profile, subjects: Mapping[Subject, Pictures]) -> FamilyProfileView:
        own = subjects[self.family]
        usable = {s: p for s, p in subjects.items() if s != self.family and p.pictures >= 2 and p.groups >= 2}
        threshold = self.version.threshold(profile)
        sides = {"reals": [s for s in usable if s.kind == "source"], "known_families": self._known(usable)}
        if not sides["reals"]:
            raise BadInputError("there is no real source with two pictures to compare with")
        comparisons = [
            ComparisonView(
                against="reals" if side == "reals" else "known_families",
                subjects=[subject.name for subject in members],
                pictures=sum(usable[subject].pictures for subject in members),
                effects=self._effects(own, [usable[subject] for subject in members]),
            )
            for side, members in sides.items()
            if members
        ]
        seen = self._seen(own, [usable[subject] for subject in sides["reals"]], threshold)
        known = self.version.known
        return FamilyProfileView(
            comparisons=comparisons,
            seen=seen,
            summary=in_words(self.family.name, comparisons, seen, self.family in known),
        )

    def resembles(self, subjects: Mapping[Subject, Pictures]) -> tuple[str | None, float | None]:
        """The family, other than itself, that most of its pictures fire, and their share."""
        own = subjects[self.family]
        if not isinstance(own, FromVectors):
            return None, None
        fired = Counter(one.family for one in self.version.artifact.head.fired(own.rows.vectors) if one.family)
        others = [(subject, count) for subject, count in fired.most_common() if subject != self.family]
        return (others[0][0].name, others[0][1] / own.pictures) if others else (None, None)

    def _known(self, subjects: Mapping[Subject, Pictures]) -> list[Subject]:
        modelled = self.version.known
        return [s for s in subjects if s.kind == "family" and (s in modelled or not modelled)]

    def _effects(self, own: Pictures, others: Sequence[Pictures]) -> list[EffectView]:
        found = [
            _view("features", group.name, group.label, _block(own, others, group.columns, self.ridge))
            for group in self.layout.groups
        ]
        if self.space is not None:
            mine = own.concepts(self.space)
            theirs = pool(other.concepts(self.space) for other in others)
            for j, concept in enumerate(self.space.concepts):
                effect = number_effect(mine.take(j), theirs.take(j))
                view = _view("concept", concept.name, concept_label(concept), effect, pole(concept, effect.value))
                found.append(view)
        return sorted(found, key=lambda view: (-abs(view.effect), view.name))

    def _seen(self, own: Pictures, reals: Sequence[Pictures], threshold: float) -> SeenView | None:
        others = [pictures for pictures in reals if isinstance(pictures, FromVectors)]
        if not isinstance(own, FromVectors) or not others:
            return None
        head = self.version.artifact.head
        logits = self.version.held_out(own.rows)
        placed = [placement_values(self.version.held_out(other.rows), logits).mean() for other in others]

        def over(summary: Callable[[FromVectors], Summary]) -> tuple[Summary, Summary]:
            return summary(own), pool(summary(one) for one in others)

        units = over(lambda one: one.of(head.activations(one.rows.vectors)))
        whole = over(lambda one: one.features(slice(None)))
        possible = block_effect(*whole, self.ridge)
        share = None
        if possible.proved:
            share = float(np.clip(squared_distance(*units, _UNITS_RIDGE) / possible.value**2, 0.0, 1.0))
        return SeenView(auroc=float(np.mean(placed)), recall=float(np.mean(logits > threshold)), share=share)


def _block(own: Pictures, others: Sequence[Pictures], columns: slice, ridge: float) -> Effect:
    return block_effect(own.features(columns), pool(other.features(columns) for other in others), ridge)


def _view(kind: str, name: str, label: str, effect: Effect, towards: str | None = None) -> EffectView:
    return EffectView(
        kind="concept" if kind == "concept" else "features",
        name=name,
        label=label,
        effect=effect.value,
        lower=effect.lower,
        upper=effect.upper,
        proved=effect.proved,
        approximate=effect.approximate,
        towards=towards,
    )
