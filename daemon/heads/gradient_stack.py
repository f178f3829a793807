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

        values = self._values[heads]
        weights, biases, read_out, offset = self._parts(values)
        # Autograd takes the small half alone: through the products with the features it is several times slower.
        activations = _activations(weights, biases, features).requires_grad_()
        read_out, offset = read_out.clone().requires_grad_(), offset.clone().requires_grad_()
        shares = present / present.sum(dim=1, keepdim=True)
        logits = _logits(activations, read_out, offset)
        loss = binary_cross_entropy_with_logits(logits, targets, shares, reduction="sum")
        loss = loss + decorrelation * penalty(activations * present[:, :, None]).sum()
        of_activations, *of_read_out = torch.autograd.grad(loss, (activations, read_out, offset))
        of_first = (of_activations.transpose(1, 2) @ features).flatten(start_dim=1), of_activations.sum(dim=1)
        gradient = torch.cat([*of_first, of_read_out[0], of_read_out[1][:, None]], dim=1)
        self._adam(heads, values, gradient.add_(values, alpha=weight_decay), learning_rate)

    def _adam(self, heads: Tensor, values: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """In place where it can be: new memory for every product would take longer than the products."""
        steps = self._steps[heads] + 1
        first = self._first_moment[heads].mul_(_DECAY[0]).add_(gradient, alpha=1 - _DECAY[0])
        second = self._second_moment[heads].mul_(_DECAY[1]).add_(gradient.square_(), alpha=1 - _DECAY[1])
        size = (second / (1 - _DECAY[1] ** steps)).sqrt_().add_(_LEAST)
        change = (first / (1 - _DECAY[0] ** steps)).div_(size)
        self._values[heads] = values.sub_(change, alpha=learning_rate)
        self._first_moment[heads], self._second_moment[heads], self._steps[heads] = first, second, steps

    def logits(self, head: int, features: Tensor) -> Tensor:
        """One head's logits of float32 (n, d), float32 (n,)."""
        weights, biases, read_out, offset = self._parts(self._values[head : head + 1])
        return _logits(_activations(weights, biases, features[None]), read_out, offset)[0]

    def head(self, number: int) -> LinearHead:
        """One head as it stands, float64."""
        weights, biases, read_out, offset = (
            part[0].double().numpy().copy() for part in self._parts(self._values[number : number + 1])
        )
        return LinearHead(weights, biases, read_out, np.array([offset]))

    def _parts(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """weights (a, k, d), biases (a, k), read-out (a, k), offset (a,)."""
        units, dimension = self._shape
        import torch

        weights, biases, read_out, offset = torch.split(values, [units * dimension, units, units, 1], dim=1)
        return weights.reshape(-1, units, dimension), biases, read_out, offset[:, 0]


def _activations(weights: Tensor, biases: Tensor, features: Tensor) -> Tensor:
    """Activations (a, n, k) of features (a, n, d)."""
    return (weights @ features.transpose(1, 2)).transpose(1, 2) + biases[:, None]


def _logits(activations: Tensor, read_out: Tensor, offset: Tensor) -> Tensor:
    """Logits (a, n)."""
    return (activations @ read_out[:, :, None])[:, :, 0] + offset[:, None]


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
