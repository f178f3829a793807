"""The paper's recipe as published: the k-unit linear head trained by gradient descent on stored vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.concept_head import ConceptHead
from daemon.heads.linear_head import LinearHead
from daemon.heads.standardise import Standardisation

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Sequential

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


def train_gradient(
    vectors: NDArray[np.float16],
    synthetic: NDArray[np.bool_],
    validation_vectors: NDArray[np.float16],
    validation_synthetic: NDArray[np.bool_],
    settings: GradientSettings,
    progress: Epochs = no_epochs,
) -> TrainedHead:
    """Train the paper's head; the same rows and settings give the same bytes in the same environment.

    Loss: binary cross entropy with symmetrically smoothed labels, plus the weighted decorrelation penalty of the
    batch's activations. Adam; stopped by the validation rows' cross entropy, and put back to its best epoch.

    Parameters:
        vectors, synthetic: float16 (n, d) and bool (n,), what is learned from.
        validation_vectors, validation_synthetic: float16 (m, d) and bool (m,), of other groups.
        settings: the recipe.
        progress: told after each epoch.

    Raises:
        BadInputError: a label is missing among the rows or the validation rows, or the loss is not finite.

    Source: method section 1, "Head".
    """
    for labels, what in ((synthetic, "learn from"), (validation_synthetic, "validate by")):
        if labels.all() or not labels.any():
            raise BadInputError(f"the gradient recipe needs real and synthetic pictures to {what}: deliver more groups")
    import torch

    scale = Standardisation.of(vectors, settings.standardise)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = _network(vectors.shape[1], settings.units)
        return _train(
            network,
            (torch.from_numpy(vectors), _targets(synthetic, settings.label_smoothing)),
            (torch.from_numpy(validation_vectors), _targets(validation_synthetic, settings.label_smoothing)),
            scale,
            settings,
            progress,
        )


def _train(
    network: Sequential,
    rows: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    scale: Standardisation,
    settings: GradientSettings,
    progress: Epochs,
) -> TrainedHead:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    centre = torch.from_numpy(scale.centre.astype(np.float32))
    inverse_scale = torch.from_numpy(scale.inverse_scale.astype(np.float32))

    def features(stored: Tensor) -> Tensor:
        return (stored.float() - centre) * inverse_scale

    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    order = torch.Generator().manual_seed(settings.seed)
    vectors, targets = rows
    losses: list[float] = []
    best, best_epoch = LinearHead(*_weights(network)), 0
    for epoch in range(1, settings.max_epochs + 1):
        for batch in torch.split(torch.randperm(len(targets), generator=order), settings.batch_size):
            optimiser.zero_grad()
            activations = network[0](features(vectors[batch]))
            loss = binary_cross_entropy_with_logits(network[1](activations)[:, 0], targets[batch])
            loss = loss + settings.decorrelation * _penalty(activations)
            torch.autograd.backward(loss)
            optimiser.step()
        with torch.no_grad():
            losses.append(_validation_loss(network, features, validation))
        if not np.isfinite(losses[-1]):
            raise BadInputError("the gradient recipe diverged: lower learn.gradient.learning_rate, or standardise")
        if losses[-1] < min(losses[:-1], default=np.inf):
            best, best_epoch = LinearHead(*_weights(network)), epoch
        progress(epoch, settings.max_epochs)
        if epoch - best_epoch >= settings.patience:
            break
    stopped = len(losses) < settings.max_epochs or len(losses) - best_epoch >= settings.patience
    return TrainedHead(scale.unfold(best), len(losses), best_epoch, tuple(losses), stopped)


def _network(dimension: int, units: int) -> Sequential:
    from torch import nn

    first, second = nn.Linear(dimension, units), nn.Linear(units, 1)
    nn.init.orthogonal_(first.weight)
    return nn.Sequential(first, second)


def _targets(synthetic: NDArray[np.bool_], smoothing: float) -> Tensor:
    import torch

    return torch.from_numpy(np.where(synthetic, 1.0 - smoothing, smoothing).astype(np.float32))


def _penalty(activations: Tensor) -> Tensor:
    """`decorrelation_penalty` with a gradient."""
    import torch
    from torch.nn.functional import normalize

    normalised = normalize(activations, dim=0)
    # this norm, unlike a square root, has a gradient at 0 too: one unit has nothing to be decorrelated from
    penalty: Tensor = torch.linalg.norm(torch.eye(activations.shape[1]) - normalised.T @ normalised)
    return penalty


def _validation_loss(
    network: Sequential, features: Callable[[Tensor], Tensor], validation: tuple[Tensor, Tensor]
) -> float:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    total = 0.0
    for vectors, targets in zip(*(torch.split(part, 4096) for part in validation), strict=True):
        logits = network(features(vectors))[:, 0]
        total += float(binary_cross_entropy_with_logits(logits.double(), targets.double(), reduction="sum"))
    return total / len(validation[1])


def _weights(
    network: Sequential,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """weights (k, d), biases (k,), read-out (k,), offset (1,), as float64."""
    first, second = network[0], network[1]
    arrays = [
        parameter.detach().double().numpy().copy()  # type: ignore[operator]
        for parameter in (first.weight, first.bias, second.weight, second.bias)
    ]
    return arrays[0], arrays[1], arrays[2][0], arrays[3]
