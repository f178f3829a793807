"""The paper's recipe as published: k-unit linear heads trained by gradient descent on stored vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.concept_head import ConceptHead
from daemon.heads.gradient_stack import Stack, batches
from daemon.heads.linear_head import LinearHead
from daemon.heads.standardise import Standardisation

if TYPE_CHECKING:
    from torch import Tensor

Epochs = Callable[[int, int], None]  # (epochs done, most epochs)


@dataclass(frozen=True, slots=True)
class GradientSettings:
    """The recipe; the defaults are the published ones (method section 1, "Head")."""

    units: int = 8
    label_smoothing: float = 0.1  # targets are this and one less this
    decorrelation: float = 0.33  # weight of ||I - G||_F in the loss
    learning_rate: float = 1e-3
    weight_decay: float = 0.01  # coupled L2: it enters the gradient, as Adam's own
    batch_size: int = 64
    max_epochs: int = 200
    patience: int = 5  # epochs without a better validation loss before it stops
    seed: int = 123
    standardise: bool = False  # train on standardised features; the paper feeds CLIP's as they are


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHead:
    """A trained head and how the training went."""

    head: LinearHead | ConceptHead
    epochs: int  # passes over the rows, or iterations of the solver
    best_epoch: int  # the pass that the head is of, counted from 1
    losses: tuple[float, ...]  # validation loss after each epoch; none where nothing is validated
    converged: bool = True  # False: the limit on epochs or iterations ended it


def no_epochs(done: int, total: int) -> None:
    """For a training that nobody watches."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The rows of one head, as numbers of the rows that all heads share."""

    learn: NDArray[np.intp]  # (n,)
    validate: NDArray[np.intp]  # (m,) of other groups: they decide when the training stops


def train_gradient(
    vectors: NDArray[np.float16],
    synthetic: NDArray[np.bool_],
    splits: Sequence[Split],
    settings: GradientSettings,
    progress: Epochs = no_epochs,
) -> list[TrainedHead]:
    """Train one of the paper's heads per split, side by side: a batch of one head is too small to fill a processor.

    Each is trained as it would be alone, and stops by itself. The same rows, splits and settings give the same bytes
    in the same environment. Loss: binary cross entropy with symmetrically smoothed labels, plus the weighted
    decorrelation penalty of the batch's activations. Adam; stopped by the validation rows' cross entropy, and put
    back to its best epoch.

    Parameters:
        vectors, synthetic: float16 (n, d) and bool (n,), the rows that the splits number.
        splits: what each head learns from and is stopped by.
        settings: the recipe.
        progress: told after each epoch.

    Raises:
        BadInputError: a label is missing among a head's rows or validation rows, or a loss is not finite.

    Source: method section 1, "Head".
    """
    for split in splits:
        for rows, what in ((split.learn, "learn from"), (split.validate, "validate by")):
            if synthetic[rows].all() or not synthetic[rows].any():
                raise BadInputError(
                    f"the gradient recipe needs real and synthetic pictures to {what}: deliver more groups"
                )
    return _Training(vectors, synthetic, splits, settings).run(progress)


class _Training:
    def __init__(
        self,
        vectors: NDArray[np.float16],
        synthetic: NDArray[np.bool_],
        splits: Sequence[Split],
        settings: GradientSettings,
    ) -> None:
        import torch

        smoothing = settings.label_smoothing
        self._settings = settings
        self._vectors = torch.from_numpy(vectors)
        self._targets = torch.from_numpy(np.where(synthetic, 1.0 - smoothing, smoothing).astype(np.float32))
        self._learn = [torch.from_numpy(split.learn) for split in splits]
        self._validate = [torch.from_numpy(split.validate) for split in splits]
        self._scales = [Standardisation.of(vectors, settings.standardise, split.learn) for split in splits]
        self._centre = torch.from_numpy(np.stack([scale.centre for scale in self._scales])).float()
        self._inverse_scale = torch.from_numpy(np.stack([scale.inverse_scale for scale in self._scales])).float()
        self._stored, self._standardised = torch.empty(0, 0, dtype=torch.float16), torch.empty(0, 0)
        self._stack = Stack(len(splits), vectors.shape[1], settings.units, settings.seed)

    def run(self, progress: Epochs) -> list[TrainedHead]:
        import torch

        settings = self._settings
        heads = range(len(self._learn))
        orders = [torch.Generator().manual_seed(settings.seed) for _ in heads]
        losses: list[list[float]] = [[] for _ in heads]
        best = [(0, self._stack.head(head)) for head in heads]
        going = list(heads)
        for epoch in range(1, settings.max_epochs + 1):
            for some, rows, present in batches(going, self._learn, orders, settings.batch_size):
                self._stack.step(
                    some,
                    self._batch(some, rows),
                    self._targets[rows],
                    present,
                    decorrelation=settings.decorrelation,
                    learning_rate=settings.learning_rate,
                    weight_decay=settings.weight_decay,
                )
            for head in going:
                loss = self._validation_loss(head)
                if not np.isfinite(loss):
                    raise BadInputError(
                        "the gradient recipe diverged: lower learn.gradient.learning_rate, or standardise"
                    )
                if loss < min(losses[head], default=np.inf):
                    best[head] = (epoch, self._stack.head(head))
                losses[head].append(loss)
            progress(epoch, settings.max_epochs)
            going = [head for head in going if epoch - best[head][0] < settings.patience]
            if not going:
                break
        return [
            TrainedHead(scale.unfold(head), len(own), epoch, tuple(own), len(own) - epoch >= settings.patience)
            for scale, own, (epoch, head) in zip(self._scales, losses, best, strict=True)
        ]

    def _batch(self, heads: Tensor, rows: Tensor) -> Tensor:
        """Features (a, n, d) of the heads' rows (a, n), good until the next batch: they lie in the same memory."""
        import torch

        count, dimension = rows.numel(), self._vectors.shape[1]
        if self._stored.shape[0] < count:
            self._stored = torch.empty(count, dimension, dtype=torch.float16)
            self._standardised = torch.empty(count, dimension)
        torch.index_select(self._vectors, 0, rows.flatten(), out=self._stored[:count])
        features = self._standardised[:count].copy_(self._stored[:count]).view(*rows.shape, dimension)
        return features.sub_(self._centre[heads, None]).mul_(self._inverse_scale[heads, None])

    def _validation_loss(self, head: int) -> float:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        total = 0.0
        for rows in torch.split(self._validate[head], 4096):
            features = self._batch(torch.tensor([head]), rows[None])[0]
            logits = self._stack.logits(head, features)
            total += float(
                binary_cross_entropy_with_logits(logits.double(), self._targets[rows].double(), reduction="sum")
            )
        return total / len(self._validate[head])
