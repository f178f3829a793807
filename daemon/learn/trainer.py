"""The parent's side of training: a child with a deadline for all heads together, and a memory limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np

from daemon.children import Child
from daemon.children.frames import Frame
from daemon.errors import BadInputError, ChildFailed, CorruptArtifact
from daemon.heads.concept_head import ConceptHead
from daemon.heads.concept_training import Concepts
from daemon.heads.gradient import Epochs, TrainedHead, no_epochs
from daemon.heads.linear_head import LinearHead
from daemon.heads.tensors import load_tensors
from daemon.heads.training import Recipe, TrainingRows, Without

_FRAME = 64 * 2**20  # bytes of vectors sent at once


class Trainer:
    """Trains heads on the same rows; a context manager that ends its child.

    learner: `gradient`, `probe` or `concept`, which needs `concepts`. deadline: seconds for everything together.
    memory_limit: bytes.
    """

    def __init__(
        self,
        rows: TrainingRows,
        learner: str,
        recipe: Recipe,
        *,
        deadline: float,
        memory_limit: int,
        concepts: Concepts | None = None,
    ) -> None:
        self._learner = learner
        self._dimension = rows.vectors.shape[1]
        self._concepts = concepts
        self._deadline = self._left = deadline
        self._child = Child(
            "train", {"learner": learner, "recipe": asdict(recipe)}, deadline=deadline, memory_limit=memory_limit
        )
        try:
            self._send(rows)
            if concepts is not None:
                self._timed(partial(self._request, {"concepts": list(concepts.names)}, [concepts.to_bytes()]))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        self._child.close(grace=0.5)

    def train(self, heads: Sequence[Without], progress: Epochs = no_epochs) -> list[TrainedHead]:
        """Heads trained each without a fold or a real source; progress is told of all of them together.

        Raises ChildFailed (died, overran, used too much memory), BadInputError (too little to learn from).
        """
        frame = self._timed(partial(self._request, {"heads": [asdict(head) for head in heads]}, ()))
        while "epoch" in frame.header:
            progress(int(frame.header["epoch"]), int(frame.header["of"]))
            frame = self._timed(lambda left: self._child.receive(deadline=left))
        return [
            _trained(about, tensors, self._dimension, self._concepts)
            for about, tensors in zip(frame.header["heads"], frame.parts, strict=True)
        ]

    def _send(self, rows: TrainingRows) -> None:
        chunk = max(1, _FRAME // (2 * self._dimension))
        starts = range(0, len(rows.synthetic), chunk)
        for start in starts:
            part = slice(start, start + chunk)
            header = {"dimension": self._dimension, "last": start == starts[-1]}
            arrays = (rows.vectors, rows.synthetic, rows.folds, rows.sources, rows.validation)
            parts = [np.ascontiguousarray(array[part]).tobytes() for array in arrays]
            self._timed(partial(self._request, header, parts))

    def _request(self, header: Mapping[str, Any], parts: Sequence[bytes], left: float) -> Frame:
        return self._child.request(header, parts, deadline=left)

    def _timed(self, ask: Callable[[float], Frame]) -> Frame:
        began = time.monotonic()
        try:
            frame = ask(max(self._left, 0.0))
        except ChildFailed as error:
            if self._child.cause == "deadline":  # the child only knows what was left of it
                raise ChildFailed(
                    f"training {self._learner} ran over its deadline of {self._deadline:g} s: raise learn.deadline"
                ) from error
            if self._child.cause == "memory":
                raise ChildFailed(f"training {self._learner}: {error}: raise learn.memory_limit") from error
            raise ChildFailed(f"training {self._learner}: {error}") from error
        self._left -= time.monotonic() - began
        return frame


def _trained(about: Mapping[str, Any], tensors: bytes, dimension: int, concepts: Concepts | None) -> TrainedHead:
    """What the child sent, checked like a file."""
    head: LinearHead | ConceptHead
    try:
        arrays = load_tensors(tensors, "a trained head")
        if concepts is None:
            head = LinearHead.from_tensors(arrays, {})
        else:
            head = ConceptHead.from_tensors(arrays, {"concepts": list(concepts.names)})
        head.validate("the trained head")
    except (CorruptArtifact, KeyError) as error:
        raise BadInputError(f"the training gave no usable head ({error}): lower its learning rate") from error
    if head.dimension != dimension:
        raise BadInputError(f"the training gave a head for {head.dimension} features instead of {dimension}")
    losses = tuple(float(loss) for loss in about["losses"])
    return TrainedHead(head, int(about["epochs"]), int(about["best_epoch"]), losses, bool(about["converged"]))
