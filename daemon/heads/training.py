"""What a learner other than the closed form is trained on, and the heads it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.concept_training import ConceptRecipe, Concepts, train_concepts
from daemon.heads.gradient import Epochs, GradientSettings, TrainedHead, no_epochs, train_gradient
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


def train_without(
    rows: TrainingRows,
    recipe: Recipe,
    *,
    fold: int | None = None,
    source: int | None = None,
    concepts: Concepts | None = None,
    progress: Epochs = no_epochs,
) -> TrainedHead:
    """Train a head on the rows, leaving out a fold or a real source; concepts: for a concept recipe alone.

    Raises:
        BadInputError: a label is missing among what is left, or there are no concepts for a concept recipe.
    """
    kept = np.ones(len(rows.synthetic), np.bool_)
    if fold is not None:
        kept &= rows.folds != fold
    if source is not None:
        kept &= rows.sources != source
    if isinstance(recipe, ProbeSettings):  # it stops by itself, so it learns from the validation rows too
        return train_probe(rows.vectors[kept], rows.synthetic[kept], recipe)
    learn, validate = kept & ~rows.validation, kept & rows.validation
    split = (rows.vectors[learn], rows.synthetic[learn], rows.vectors[validate], rows.synthetic[validate])
    if isinstance(recipe, GradientSettings):
        return train_gradient(*split, recipe, progress)
    if concepts is None:
        raise BadInputError("the concept model needs concepts to learn from")
    return train_concepts(*split, concepts, recipe, progress)
