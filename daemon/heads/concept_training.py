"""The paper's concept bottleneck model, trained on stored pooled vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError, ConfigurationError
from daemon.heads.concept_head import ConceptHead
from daemon.heads.gradient import Epochs, TrainedHead, no_epochs
from daemon.heads.tensors import load_tensors, save_tensors

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_CHUNK = 4096  # validation rows at once
_NOISE_FLOOR = 1e-6  # uniform noise is kept this far from 0 and 1, where its logit is infinite


@dataclass(frozen=True, slots=True)
class ConceptRecipe:
    """The recipe; the defaults are the published ones (method section 1, "Concept model").

    Raises:
        ConfigurationError: a value is out of range; the message names it.
    """

    learning_rate: float = 1e-3
    gate_factor: float = 10.0  # the gate layer learns so many times faster
    weight_decay: float = 1e-5  # decoupled, of the classifier alone
    batch_size: int = 256
    temperature: float = 0.1  # of the binary-concrete sample of a gate
    sparsity_weight: float = 1e-4  # of the KL divergence in the loss
    sparsity: float = 1e-4  # the share of gates that are open by the prior
    max_epochs: int = 200
    patience: int = 10  # epochs without a better validation loss before it stops
    seed: int = 123

    def __post_init__(self) -> None:
        positive = ("learning_rate", "gate_factor", "batch_size", "temperature", "max_epochs", "patience")
        for name in positive:
            if not 0.0 < getattr(self, name) < np.inf:
                raise ConfigurationError(f"{name}: {getattr(self, name)} is not a positive number")
        if not 0.0 < self.sparsity < 1.0:
            raise ConfigurationError(f"sparsity: {self.sparsity} is not between 0 and 1")
        if self.sparsity_weight < 0.0 or self.weight_decay < 0.0:
            raise ConfigurationError("sparsity_weight and weight_decay cannot be negative")


@dataclass(frozen=True, slots=True, eq=False)
class Concepts:
    """What a concept model looks at, and the way from a stored vector to it."""

    names: tuple[str, ...]  # (c,)
    directions: NDArray[np.float64]  # (c, e), unit rows
    projection: NDArray[np.float64]  # (d, e), stored vector -> embedding; 0 where a column is not CLIP's

    def to_bytes(self) -> bytes:
        """The arrays as safetensors, for the training child; the names are not among them."""
        return save_tensors({"directions": self.directions, "projection": self.projection})

    @classmethod
    def from_bytes(cls, names: Sequence[str], data: bytes) -> Concepts:
        """What gave `to_bytes`."""
        arrays = load_tensors(data, "concepts")
        return cls(tuple(names), arrays["directions"], arrays["projection"])


def train_concepts(
    vectors: NDArray[np.float16],
    synthetic: NDArray[np.bool_],
    validation_vectors: NDArray[np.float16],
    validation_synthetic: NDArray[np.bool_],
    concepts: Concepts,
    recipe: ConceptRecipe,
    progress: Epochs = no_epochs,
) -> TrainedHead:
    """Train gates and classifier; the same rows and recipe give the same bytes in the same environment.

    A gate is sampled in training, sigmoid((logit + logistic noise) / temperature), and its sigmoid is used from then
    on. Loss: binary cross entropy plus the weighted sum over concepts of KL(gate || sparsity). AdamW; stopped by the
    same loss on the validation rows without noise, and put back to its best epoch.

    Parameters:
        vectors, synthetic: float16 (n, d) and bool (n,), what is learned from.
        validation_vectors, validation_synthetic: float16 (m, d) and bool (m,), of other groups.
        concepts: what the model looks at.
        recipe: its numbers. progress: told after each epoch.

    Raises:
        BadInputError: a label is missing, there are no concepts, shapes do not fit, or the loss is not finite.

    Source: arXiv 2602.12381, concept model; the binary-concrete sample, Maddison et al. 2017.
    """
    _check(vectors, synthetic, validation_vectors, validation_synthetic, concepts)
    projection, directions = concepts.projection, concepts.directions
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        gates, classifier = _layers(directions)
        rows = _Rows.of(vectors, synthetic, projection, directions)
        validation = _Rows.of(validation_vectors, validation_synthetic, projection, directions)
        best_epoch, losses, best = _train(gates, classifier, rows, validation, recipe, progress)
    gate_weights, gate_biases, weights, offset = best
    head = ConceptHead(projection, directions, gate_weights, gate_biases, weights[0], offset, concepts.names)
    stopped = len(losses) - best_epoch >= recipe.patience
    return TrainedHead(head, len(losses), best_epoch, tuple(losses), stopped)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    embedded: Tensor  # (n, e) float32, unit rows
    cosines: Tensor  # (n, c) float32
    targets: Tensor  # (n,) float32

    @classmethod
    def of(
        cls,
        vectors: NDArray[np.float16],
        synthetic: NDArray[np.bool_],
        projection: NDArray[np.float64],
        directions: NDArray[np.float64],
    ) -> _Rows:
        import torch
        from torch.nn.functional import normalize

        project = torch.from_numpy(projection.astype(np.float32))
        embedded = normalize(
            torch.cat([part.float() @ project for part in torch.split(torch.from_numpy(vectors), _CHUNK)]), dim=1
        )
        cosines = embedded @ torch.from_numpy(directions.astype(np.float32)).T
        return cls(embedded, cosines, torch.from_numpy(synthetic.astype(np.float32)))


def _layers(directions: NDArray[np.float64]) -> tuple[Module, Module]:
    from torch import nn

    concepts, width = directions.shape
    gates, classifier = nn.Linear(width, concepts), nn.Linear(concepts, 1)
    nn.init.xavier_normal_(gates.weight)
    nn.init.zeros_(gates.bias)
    nn.init.xavier_normal_(classifier.weight)
    nn.init.constant_(classifier.bias, 0.1)
    return gates, classifier


def _train(
    gates: Module, classifier: Module, rows: _Rows, validation: _Rows, recipe: ConceptRecipe, progress: Epochs
) -> tuple[int, list[float], list[NDArray[np.float64]]]:
    import torch

    optimiser = torch.optim.AdamW(
        [
            {"params": gates.parameters(), "lr": recipe.learning_rate * recipe.gate_factor, "weight_decay": 0.0},
            {"params": classifier.parameters(), "lr": recipe.learning_rate, "weight_decay": recipe.weight_decay},
        ]
    )
    order = torch.Generator().manual_seed(recipe.seed)
    losses: list[float] = []
    best, best_epoch = _weights(gates, classifier), 0
    for epoch in range(1, recipe.max_epochs + 1):
        for batch in torch.split(torch.randperm(len(rows.targets), generator=order), recipe.batch_size):
            optimiser.zero_grad()
            logits = gates(rows.embedded[batch])
            noise = torch.rand_like(logits).clamp(_NOISE_FLOOR, 1.0 - _NOISE_FLOOR).logit()
            sampled = torch.sigmoid((logits + noise) / recipe.temperature)
            scores = classifier(sampled * rows.cosines[batch])[:, 0]
            torch.autograd.backward(_loss(scores, rows.targets[batch], logits, recipe))
            optimiser.step()
        losses.append(_validation_loss(gates, classifier, validation, recipe))
        if not np.isfinite(losses[-1]):
            raise BadInputError("the concept model diverged: lower its learning rate")
        if losses[-1] < min(losses[:-1], default=np.inf):
            best, best_epoch = _weights(gates, classifier), epoch
        progress(epoch, recipe.max_epochs)
        if epoch - best_epoch >= recipe.patience:
            break
    return best_epoch, losses, best


def _loss(scores: Tensor, targets: Tensor, logits: Tensor, recipe: ConceptRecipe) -> Tensor:
    from torch.nn.functional import binary_cross_entropy_with_logits

    divergence = _divergence(logits, recipe.sparsity).sum(dim=1).mean()
    return binary_cross_entropy_with_logits(scores, targets) + recipe.sparsity_weight * divergence


def _divergence(logits: Tensor, prior: float) -> Tensor:
    """KL(Bernoulli(sigmoid(logits)) || Bernoulli(prior)), elementwise, finite for any logit."""
    from torch.nn.functional import logsigmoid

    open_, log_open, log_shut = logits.sigmoid(), logsigmoid(logits), logsigmoid(-logits)
    return open_ * (log_open - float(np.log(prior))) + (1.0 - open_) * (log_shut - float(np.log1p(-prior)))


def _validation_loss(gates: Module, classifier: Module, rows: _Rows, recipe: ConceptRecipe) -> float:
    import torch

    total = 0.0
    with torch.no_grad():
        for part in torch.split(torch.arange(len(rows.targets)), _CHUNK):
            logits = gates(rows.embedded[part])
            scores = classifier(logits.sigmoid() * rows.cosines[part])[:, 0]
            total += float(_loss(scores, rows.targets[part], logits, recipe)) * len(part)
    return total / len(rows.targets)


def _weights(gates: Module, classifier: Module) -> list[NDArray[np.float64]]:
    """Gate weights (c, e) and biases (c,), classifier weights (1, c) and offset (1,)."""
    parameters = [*gates.parameters(), *classifier.parameters()]
    return [parameter.detach().double().numpy().copy() for parameter in parameters]


def _check(
    vectors: NDArray[np.float16],
    synthetic: NDArray[np.bool_],
    validation_vectors: NDArray[np.float16],
    validation_synthetic: NDArray[np.bool_],
    concepts: Concepts,
) -> None:
    for labels, what in ((synthetic, "learn from"), (validation_synthetic, "validate by")):
        if labels.all() or not labels.any():
            raise BadInputError(f"the concept model needs real and synthetic pictures to {what}: deliver more groups")
    directions, projection = concepts.directions, concepts.projection
    if not len(directions) or len(concepts.names) != len(directions):
        raise BadInputError(f"the concept model got {len(directions)} concepts and {len(concepts.names)} names")
    if directions.shape[1] != projection.shape[1]:
        raise BadInputError("the concepts' directions and the projection come from different models")
    for rows in (vectors, validation_vectors):
        if rows.ndim != 2 or rows.shape[1] != projection.shape[0]:
            raise BadInputError(f"the projection takes vectors of {projection.shape[0]} features, not {rows.shape}")
