"""Several heads of one shape that take their gradient steps side by side, each on its own rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from daemon.heads.linear_head import LinearHead

if TYPE_CHECKING:
    from torch import Generator, Tensor

_DECAY = (0.9, 0.999)  # of Adam's two moments, and what keeps it from dividing by zero: as published
_LEAST = 1e-8


class Stack:
    """m heads Linear(d -> k), Linear(k -> 1) in one float32 matrix, a row each, with Adam's state beside them.

    All start from the weights that `seed` gives: each head is trained as it would be alone.
    """

    def __init__(self, heads: int, dimension: int, units: int, seed: int) -> None:
        import torch

        self._shape = (units, dimension)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            first, second = torch.nn.Linear(dimension, units), torch.nn.Linear(units, 1)
            torch.nn.init.orthogonal_(first.weight)
        parts = (first.weight, first.bias, second.weight, second.bias)
        start = torch.cat([part.detach().flatten() for part in parts])
        self._values = start.repeat(heads, 1)
        self._first_moment = torch.zeros_like(self._values)
        self._second_moment = torch.zeros_like(self._values)
        self._steps = torch.zeros(heads, 1)

    def step(
        self,
        heads: Tensor,
        features: Tensor,
        targets: Tensor,
        present: Tensor,
        *,
        decorrelation: float,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        """One step of Adam for some of the heads, each on its own batch; weight decay enters the gradient.

        Parameters:
            heads: int64 (a,), their numbers.
            features: float32 (a, n, d). targets: float32 (a, n). present: bool (a, n), False: padding of a batch.
        """
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        values = self._values[heads].requires_grad_()
        activations, logits = self._forward(values, features)
        weights = present / present.sum(dim=1, keepdim=True)
        loss = binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
        loss = loss + decorrelation * penalty(activations * present[:, :, None]).sum()
        (gradient,) = torch.autograd.grad(loss, values)
        with torch.no_grad():
            gradient = gradient + weight_decay * values
            steps = self._steps[heads] + 1
            first = _DECAY[0] * self._first_moment[heads] + (1 - _DECAY[0]) * gradient
            second = _DECAY[1] * self._second_moment[heads] + (1 - _DECAY[1]) * gradient**2
            size = (second / (1 - _DECAY[1] ** steps)).sqrt() + _LEAST
            self._values[heads] = values - learning_rate * (first / (1 - _DECAY[0] ** steps)) / size
            self._first_moment[heads], self._second_moment[heads], self._steps[heads] = first, second, steps

    def logits(self, head: int, features: Tensor) -> Tensor:
        """One head's logits of float32 (n, d), float32 (n,)."""
        return self._forward(self._values[head : head + 1], features[None])[1][0]

    def head(self, number: int) -> LinearHead:
        """One head as it stands, float64."""
        weights, biases, read_out, offset = (
            part[0].double().numpy().copy() for part in self._parts(self._values[number : number + 1])
        )
        return LinearHead(weights, biases, read_out, np.array([offset]))

    def _forward(self, values: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Activations (a, n, k) and logits (a, n)."""
        weights, biases, read_out, offset = self._parts(values)
        activations = features @ weights.transpose(1, 2) + biases[:, None]
        return activations, (activations @ read_out[:, :, None])[:, :, 0] + offset[:, None]

    def _parts(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """weights (a, k, d), biases (a, k), read-out (a, k), offset (a,)."""
        units, dimension = self._shape
        import torch

        weights, biases, read_out, offset = torch.split(values, [units * dimension, units, units, 1], dim=1)
        return weights.reshape(-1, units, dimension), biases, read_out, offset[:, 0]


def penalty(activations: Tensor) -> Tensor:
    """`decorrelation_penalty` with a gradient, for activations (..., n, k): (...)."""
    import torch
    from torch.nn.functional import normalize

    normalised = normalize(activations, dim=-2)
    gram = normalised.transpose(-1, -2) @ normalised
    # this norm, unlike a square root, has a gradient at 0 too: one unit has nothing to be decorrelated from
    result: Tensor = torch.linalg.vector_norm(torch.eye(activations.shape[-1]) - gram, dim=(-2, -1))
    return result


def batches(
    heads: Sequence[int], rows: Sequence[Tensor], orders: Sequence[Generator], size: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One epoch of the heads, step by step: which of them take part, their rows int64 (a, n), and which rows count.

    Parameters:
        heads: numbers of those that go on.
        rows: of every head, int64, what it learns from.
        orders: of every head, what shuffles its rows.
        size: rows of a batch; a head's last batch may be smaller, and is padded where others' is not.
    """
    import torch

    # those with the most rows first: whoever has none left is at the end
    heads = sorted(heads, key=lambda head: -len(rows[head]))
    shuffled = [rows[head][torch.randperm(len(rows[head]), generator=orders[head])] for head in heads]
    for start in range(0, len(shuffled[0]), size):
        parts = [own[start : start + size] for own in shuffled if len(own) > start]
        taken = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        lengths = torch.tensor([len(part) for part in parts])
        yield torch.tensor(heads[: len(parts)]), taken, torch.arange(taken.shape[1]) < lengths[:, None]
