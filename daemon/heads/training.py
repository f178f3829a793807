"""What a learner other than the closed form is trained on, and the heads that it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.concept_training import ConceptRecipe, Concepts, train_concepts
from daemon.heads.gradient import Epochs, GradientSettings, Split, TrainedHead, no_epochs, train_gradient
from daemon.heads.probe import ProbeSettings, train_probe

Recipe = GradientSettings | ProbeSettings | ConceptRecipe
RECIPES: dict[str, type[Recipe]] = {"gradient": GradientSettings, "probe": ProbeSettings, "concept": ConceptRecipe}


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """Learned rows of both profiles, as stored, in canonical order."""

    vectors: NDArray[np.float16]  # (n, d)
    synthetic: NDArray[np.bool_]  # (n,)
    folds: NDArray[np.int8]  # (n,) 0 .. FOLDS - 1
    sources: NDArray[np.int32]  # (n,) number of a real row's source; -1: synthetic
    validation: NDArray[np.bool_]  # (n,) rows that an early stop may be decided by, whole groups

    @property
    def digest(self) -> str:
        """sha256 (hex) of everything in it: which rows a version was trained on."""
        digest = sha256()
        for array in (self.vectors, self.synthetic, self.folds, self.sources, self.validation):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def is_validation(group: str, share: float) -> bool:
    """Whether a group's rows of the train split decide the early stop, by stable hash of its key."""
    number = int.from_bytes(sha256(f"validation:{group}".encode()).digest()[:8], "big")
    return number < share * 2.0**64


@dataclass(frozen=True, slots=True)
class Without:
    """What a head is trained without; nothing: it is trained on every row."""

    fold: int | None = None
    source: int | None = None  # number of a real source, as in `TrainingRows.sources`

    def kept(self, rows: TrainingRows) -> NDArray[np.bool_]:
        """bool (n,), the rows that are left."""
        kept = np.ones(len(rows.synthetic), np.bool_)
        if self.fold is not None:
            kept &= rows.folds != self.fold
        if self.source is not None:
            kept &= rows.sources != self.source
        return kept


def train_heads(
    rows: TrainingRows,
    recipe: Recipe,
    heads: Sequence[Without],
    *,
    concepts: Concepts | None = None,
    progress: Epochs = no_epochs,
) -> list[TrainedHead]:
    """Train heads on the rows, each without a fold or a real source; concepts: for a concept recipe alone.

    The gradient recipe trains all of them side by side, the others one after another. progress is told of all heads
    together.

    Raises:
        BadInputError: a label is missing among what a head is left, or there are no concepts for a concept recipe.
    """
    if isinstance(recipe, GradientSettings):
        splits = [
            Split(np.flatnonzero(kept & ~rows.validation), np.flatnonzero(kept & rows.validation))
            for kept in (head.kept(rows) for head in heads)
        ]
        return train_gradient(rows.vectors, rows.synthetic, splits, recipe, progress)
    trained = []
    for i, head in enumerate(heads):
        trained.append(_one_head(rows, recipe, head.kept(rows), concepts, _share(progress, i, len(heads))))
        if isinstance(recipe, ProbeSettings):  # no epochs to tell of
            progress(i + 1, len(heads))
    return trained


def _one_head(
    rows: TrainingRows,
    recipe: ProbeSettings | ConceptRecipe,
    kept: NDArray[np.bool_],
    concepts: Concepts | None,
    progress: Epochs,
) -> TrainedHead:
    if isinstance(recipe, ProbeSettings):  # it stops by itself, so it learns from the validation rows too
        return train_probe(rows.vectors[kept], rows.synthetic[kept], recipe)
    if concepts is None:
        raise BadInputError("the concept model needs concepts to learn from")
    learn, validate = kept & ~rows.validation, kept & rows.validation
    split = (rows.vectors[learn], rows.synthetic[learn], rows.vectors[validate], rows.synthetic[validate])
    return train_concepts(*split, concepts, recipe, progress)


def _share(progress: Epochs, before: int, heads: int) -> Epochs:
    """For one head after `before` others: its epochs as part of those of all heads."""
    return lambda done, total: progress(before * total + done, heads * total)
