"""The published checkpoints of arXiv 2602.12381 as heads: what each kind of file must hold, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.concept_head import ConceptHead
from daemon.heads.head import Head
from daemon.heads.linear_head import LinearHead
from daemon.torch_file import shown

_HEAD = "model.classification_head."
# The tensors of each kind of file with their shapes: d features, k units, m concepts, e numbers of an embedding.
KINDS: Mapping[str, Mapping[str, tuple[str | int, ...]]] = {
    "clip": {
        f"{_HEAD}layers.0.weight": ("k", "d"),
        f"{_HEAD}layers.0.bias": ("k",),
        f"{_HEAD}to_logits.weight": (1, "k"),
        f"{_HEAD}to_logits.bias": (1,),
    },
    "linear": {f"{_HEAD}fc.weight": (1, "d"), f"{_HEAD}fc.bias": (1,)},
    "concept": {
        "model.text_embeddings": ("m", "e"),
        "model.W_concepts.weight": ("m", "e"),
        "model.W_concepts.bias": ("m",),
        "model.W_classifier.weight": (1, "m"),
        "model.W_classifier.bias": (1,),
    },
}


def check(model_type: object, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Check that a checkpoint holds what its kind must hold.

    Parameters:
        model_type: `clip` (the k-unit head), `linear` (the probe) or `concept`.
        tensors: by their keys in the file's state_dict.

    Raises:
        BadInputError: an unknown kind, a missing or extra key, or a wrong shape, dtype or value; names it.

    Source: method section 1, "State-dict keys of the published files".
    """
    if not isinstance(model_type, str) or model_type not in KINDS:
        raise BadInputError(f"its model_type is {shown(model_type)!r}, not one of {', '.join(KINDS)}")
    wanted = KINDS[model_type]
    for name, what in ((sorted(set(wanted) - set(tensors)), "lacks"), (sorted(set(tensors) - set(wanted)), "has")):
        if name:
            raise BadInputError(f"a {model_type} model {what} the key {shown(name[0])}")
    sizes: dict[str, int] = {}
    for key, shape in wanted.items():
        tensor = tensors[key]
        if tensor.dtype != np.float32:
            raise BadInputError(f"{key} is {tensor.dtype}, not float32")
        fits = tensor.ndim == len(shape) and all(
            size > 0 and size == (side if isinstance(side, int) else sizes.setdefault(side, size))
            for side, size in zip(shape, tensor.shape, strict=True)
        )
        if not fits:
            sides = ", ".join(str(sizes.get(side, side)) if isinstance(side, str) else str(side) for side in shape)
            raise BadInputError(f"{key} has the shape {tuple(tensor.shape)}, not ({sides})")
        if not np.isfinite(tensor).all():
            raise BadInputError(f"{key} holds a value that is not finite")


def head_of(
    model_type: str, tensors: Mapping[str, NDArray[np.float32]], projection: NDArray[np.float32] | None = None
) -> Head:
    """The head of a checkpoint that passed `check`.

    Parameters:
        projection: float32 (d, e), CLIP's, for a concept model alone: the service stores the pooled vector.

    Raises:
        BadInputError: the projection gives embeddings of another length.
    """
    values = {key.removeprefix("model."): tensor.astype(np.float64) for key, tensor in tensors.items()}
    if model_type == "linear":
        return LinearHead.probe(
            values["classification_head.fc.weight"][0], float(values["classification_head.fc.bias"][0])
        )
    if model_type == "clip":
        return LinearHead(
            values["classification_head.layers.0.weight"],
            values["classification_head.layers.0.bias"],
            values["classification_head.to_logits.weight"][0],
            values["classification_head.to_logits.bias"],
        )
    assert projection is not None
    directions = values["text_embeddings"]
    if projection.shape[1] != directions.shape[1]:
        raise BadInputError(
            f"its concepts have {directions.shape[1]} numbers, the encoder's embeddings {projection.shape[1]}: "
            "configure the CLIP model that it was trained with (ViT-L-14-336-quickgelu)"
        )
    return ConceptHead(
        projection.astype(np.float64),
        directions,
        values["W_concepts.weight"],
        values["W_concepts.bias"],
        values["W_classifier.weight"][0],
        values["W_classifier.bias"],
        (),
    )
