"""A simulated world of feature vectors: near-orthogonal families, photographs of many modes, seeded.

A row is what all have in common, the shift of its mode, and variation within the mode. A family has one mode. A real
source has several, so that photographs are no single cloud. The shifts are random directions of the whitened space: in
1,024 dimensions they are almost orthogonal. A few directions vary much, for what pictures show, and most vary little:
the variances fall as those of the `forensic` vectors of real pictures do. Rows have CLIP's mean norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from daemon.heads import GroupKey
from daemon.model import FOLDS, Subject

DIMENSION = 1024
NEW_ROWS = 256
CHUNK = 10_000  # rows drawn at once, each chunk with a generator of its own

_NORM = 33.0  # mean norm of CLIP's feature
_COMMON = 1.0  # share of what all rows have in common in the squared norm, beside 1 of all variation
_DECAY = 1.4  # variance of a direction: rank ** -this; of standardised forensic vectors, ranks 10 to 400: 1.40
_FAMILY = 3.0  # length of a family's shift, in standard deviations within a mode
_SOURCE = 3.0  # the same for a real source
_MODE = 4.0  # and for a mode around its source
_MODES = 3  # of a real source

# What the seeds of independent draws begin with.
_LAYOUT, _KNOWN, _NEW, _HELD_OUT = range(4)

Rows = tuple[NDArray[np.float16], NDArray[np.int16], NDArray[np.int8]]  # vectors (n, d), groups (n,), folds (n,)


@dataclass(frozen=True)
class World:
    """Which groups there are; everything else follows from that and the seed."""

    families: int
    sources: int = 10
    seed: int = 3

    @property
    def keys(self) -> tuple[GroupKey, ...]:
        """The groups by number: families first, then real sources."""
        subjects = [Subject("family", f"family_{i:02d}") for i in range(self.families)]
        subjects += [Subject("source", f"source_{i:02d}") for i in range(self.sources)]
        return tuple(GroupKey(subject, "raw") for subject in subjects)

    def known(self, start: int, end: int) -> Iterator[Rows]:
        """Rows `start` to `end` of those that are known, chunk by chunk; both a multiple of CHUNK."""
        for number in range(start // CHUNK, end // CHUNK):
            yield self._draw((_KNOWN, number), self._mixed(CHUNK, (_KNOWN, number)))

    def new(self, run: int) -> Rows:
        """The rows of one update: more pictures of the first family."""
        return self._draw((_NEW, run), np.zeros(NEW_ROWS, np.int16))

    def held_out(self, per_family: int = 250) -> Rows:
        """Rows that nobody learns: as many of each family, and as many real ones as synthetic ones."""
        return self._draw((_HELD_OUT,), self._mixed(2 * self.families * per_family, (_HELD_OUT,)))

    def is_synthetic(self, groups: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Whether each row is of a family, (n,)."""
        return groups < self.families

    def _mixed(self, rows: int, seed: tuple[int, ...]) -> NDArray[np.int16]:
        """Groups of rows, half of them families', each side spread evenly over its groups, in random order."""
        half = rows // 2
        groups = np.concatenate(
            [np.arange(half) % self.families, self.families + np.arange(rows - half) % self.sources]
        )
        return np.random.default_rng((self.seed, *seed, 1)).permutation(groups).astype(np.int16)

    def _draw(self, seed: tuple[int, ...], groups: NDArray[np.int16]) -> Rows:
        shape, random = self.shape, np.random.default_rng((self.seed, *seed))
        mode = random.integers(0, _MODES, len(groups))
        x = random.standard_normal((len(groups), DIMENSION), np.float32)
        x += shape.modes[groups, mode]
        x = x @ shape.colour + shape.common
        return x.astype(np.float16), groups, random.integers(0, FOLDS, len(groups)).astype(np.int8)

    @cached_property
    def shape(self) -> Shape:
        """What rows are made of, by the seed."""
        random = np.random.default_rng((self.seed, _LAYOUT))
        basis, _ = np.linalg.qr(random.standard_normal((DIMENSION, DIMENSION)))
        spread = np.arange(1, DIMENSION + 1) ** (-_DECAY / 2.0)
        families = _FAMILY * _directions(random, self.families)
        sources = _SOURCE * _directions(random, self.sources)
        around = _MODE * _directions(random, self.sources * _MODES).reshape(self.sources, _MODES, DIMENSION)
        modes = np.concatenate([np.repeat(families[:, None], _MODES, axis=1), sources[:, None] + around])
        common = np.sqrt(_COMMON * (spread**2).sum()) * _directions(random, 1)[0]
        scale = _NORM / np.sqrt((spread**2).sum() + common @ common)
        return Shape(
            (scale * common).astype(np.float32),
            (scale * spread[:, None] * basis).astype(np.float32),
            modes.astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class Shape:
    """A row is (a mode + standard normal noise) @ colour + common."""

    common: NDArray[np.float32]  # (d,)
    colour: NDArray[np.float32]  # (d, d) whitened row -> row
    modes: NDArray[np.float32]  # (groups, modes, d) shift of each mode, whitened


def _directions(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Random directions of length 1, (count, d)."""
    found = random.standard_normal((count, DIMENSION))
    result: NDArray[np.float64] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return result
