"""Why one picture scored as it did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.explain.background import Background
from daemon.explain.concepts import ConceptSpace
from daemon.explain.contributions import concept_contributions, group_contributions, path_direction
from daemon.explain.layout import Layout
from daemon.explain.views import ContributionView, ExplanationView
from daemon.explain.vocabulary import Concept, Vocabulary
from daemon.heads.concept_head import ConceptHead
from daemon.heads.head import Head

LOW_SHARE = 0.5  # below it the concepts say little about a head that is no concept model


@dataclass(frozen=True, slots=True, eq=False)
class Explainer:
    """Everything that explaining pictures by one head needs; made once, used for many."""

    head: Head
    layout: Layout
    background: Background
    space: ConceptSpace | None  # None: the encoder knows no texts, or the head is a concept model
    vocabulary: Vocabulary | None  # for the names of a concept model's concepts

    def explain(self, vector: NDArray[np.float32]) -> ExplanationView:
        """The logit of one vector, float32 (d,), taken apart."""
        stored = _as_scored(vector)
        if isinstance(self.head, ConceptHead):
            return _by_concept_model(self.head, stored, self.vocabulary)
        return self._by_direction(stored)

    def _by_direction(self, vector: NDArray[np.float64]) -> ExplanationView:
        reference = _as_scored(self.background.reference)
        weights = path_direction(self.head, vector, reference)
        values = group_contributions(weights, vector, reference, self.layout.groups)
        found = [
            ContributionView(kind="features", name=group.name, label=group.label, value=float(value))
            for group, value in zip(self.layout.groups, values, strict=True)
        ]
        start, logit = (float(score) for score in self.head.scores(np.stack([reference, vector])))
        remainder = logit - start - float(weights @ (vector - reference))
        explained, notes = None, list[str]()
        if self.layout.pooled is not None and self.space is not None:
            projected = concept_contributions(weights, vector, reference, self.space, self.background.rows)
            cosines = self.space.cosines(np.stack([vector, reference]))
            moved = cosines[0] - cosines[1]
            found += [
                _concept_view(concept, float(value), float(cosine), float(move))
                for concept, value, cosine, move in zip(
                    self.space.concepts, projected.contributions, cosines[0], moved, strict=True
                )
            ]
            remainder, explained = remainder + projected.remainder, projected.explained
            notes.append("the head is no concept model: the concepts describe its direction, they are not its parts")
            if explained < LOW_SHARE:
                notes.append(f"they follow only {explained:.0%} of it: most of what the head sees has no name here")
        return ExplanationView(
            method="integrated_gradients",
            baseline=start,
            reference=self.background.words,
            contributions=_largest_first(found),
            remainder=remainder,
            explained=explained,
            notes=notes,
        )


def _as_scored(vector: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The vector rounded as every head rounds it."""
    return vector.astype(np.float16).astype(np.float64)


def _by_concept_model(head: ConceptHead, vector: NDArray[np.float64], vocabulary: Vocabulary | None) -> ExplanationView:
    switched = head.activations(vector[None, :])[0]
    values = head.contributions(vector[None, :])[0]
    embedded = vector @ head.projection
    cosines = head.directions @ (embedded / max(float(np.linalg.norm(embedded)), 1e-12))
    gates = np.divide(switched, cosines, out=np.zeros_like(switched), where=cosines != 0.0)
    concepts, notes = concepts_of(head, vocabulary)
    return ExplanationView(
        method="concept_model",
        baseline=float(head.offset[0]),
        reference="a picture on which no concept is switched on",
        contributions=_largest_first(
            [
                _concept_view(concept, float(value), float(cosine), float(cosine), float(gate))
                for concept, value, cosine, gate in zip(concepts, values, cosines, gates, strict=True)
            ]
        ),
        remainder=0.0,
        explained=None,
        notes=notes,
    )


def concepts_of(head: ConceptHead, vocabulary: Vocabulary | None) -> tuple[tuple[Concept, ...], list[str]]:
    """The head's concepts with their poles, and what a person must know about the names."""
    count = len(head.directions)
    known = {concept.name: concept for concept in vocabulary.concepts} if vocabulary else {}
    if head.concepts:
        return tuple(known.get(name, Concept(name, "", "", "", "")) for name in head.concepts), []
    if vocabulary is not None and len(vocabulary) == count:
        return vocabulary.concepts, [
            "the head's file names no concepts: the names are those of explain.vocabulary, line by line"
        ]
    return tuple(Concept(f"concept_{i + 1}", "", "", "", "") for i in range(count)), [
        f"the head's file names no concepts: set explain.vocabulary to its {count} pairs to see names"
    ]


def pole(concept: Concept, move: float) -> str | None:
    """The pole that a cosine has moved towards; None when the concept has no words."""
    return (concept.positive if move >= 0.0 else concept.negative) or None


def concept_label(concept: Concept) -> str:
    """Both poles in words, else the name."""
    if concept.positive and concept.negative:
        return f"{concept.positive} / {concept.negative}"
    return concept.name.replace("_", " ")


def _concept_view(
    concept: Concept, value: float, cosine: float, move: float, gate: float | None = None
) -> ContributionView:
    return ContributionView(
        kind="concept",
        name=concept.name,
        label=concept_label(concept),
        value=value,
        towards=pole(concept, move),
        cosine=cosine,
        gate=gate,
    )


def _largest_first(found: list[ContributionView]) -> list[ContributionView]:
    return sorted(found, key=lambda one: (-abs(one.value), one.name))
