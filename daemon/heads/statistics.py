"""What the service remembers of one group: counts, sums and second moments, kept per cross-fitting fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError, CorruptArtifact
from daemon.heads.tensors import load_tensors, save_tensors
from daemon.model import FOLDS, Profile, Subject

# Rows enter the moments in blocks of this many, counted from a fold's first row: the floating-point sums
# then depend on the sequence of rows alone, never on how deliveries cut it into batches.
BLOCK = 64


class GroupKey(NamedTuple):
    """One group of statistics: a family or real source, as delivered under one profile."""

    subject: Subject
    profile: Profile


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, sum and second moment of a set of vectors; sets merge with + and separate with -."""

    count: int
    total: NDArray[np.float64]  # (d,) sum of x
    second: NDArray[np.float64]  # (d, d) sum of x x'

    @classmethod
    def zero(cls, dimension: int) -> Moments:
        """Moments of the empty set of vectors of `dimension` features."""
        return cls(0, np.zeros(dimension), np.zeros((dimension, dimension)))

    @classmethod
    def of(cls, vectors: NDArray[np.float16]) -> Moments:
        """Moments of `vectors`, float16 (n, d), summed in float64 block by block."""
        moments = cls.zero(vectors.shape[1])
        for block in _blocks(vectors):
            x = block.astype(np.float64)
            moments = cls(moments.count + len(x), moments.total + x.sum(axis=0), moments.second + x.T @ x)
        return moments

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.second + other.second)

    def __sub__(self, other: Moments) -> Moments:
        if other.count > self.count:
            raise BadInputError(f"cannot forget {other.count} vectors from statistics of {self.count}")
        return Moments(self.count - other.count, self.total - other.total, self.second - other.second)


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Moments of whole blocks of rows, the second moment as its upper triangle."""

    count: int
    total: NDArray[np.float64]  # (d,)
    triangle: NDArray[np.float64]  # (d (d + 1) / 2,) upper triangle, row by row

    def moments(self) -> Moments:
        return Moments(self.count, self.total, unpack_triangle(self.triangle, len(self.total)))


@dataclass(frozen=True, slots=True, eq=False)
class FoldStatistics:
    """Statistics of one fold: the moments of packed blocks, then rows not packed (yet)."""

    rows: NDArray[np.float16]  # (m, d); once the group is packed, m < BLOCK
    packed: Packed | None = None

    @property
    def count(self) -> int:
        return len(self.rows) + (self.packed.count if self.packed is not None else 0)

    def total(self) -> NDArray[np.float64]:
        """Sum of the fold's vectors, float64 (d,), the same to the bit as `moments().total`."""
        dimension = self.rows.shape[1]
        total = self.packed.total if self.packed is not None else np.zeros(dimension)
        for block in _blocks(self.rows):
            total = total + block.astype(np.float64).sum(axis=0)
        return total

    def moments(self) -> Moments:
        start = self.packed.moments() if self.packed is not None else Moments.zero(self.rows.shape[1])
        for block in _blocks(self.rows):
            start = start + Moments.of(block)
        return start

    def append(self, rows: NDArray[np.float16]) -> FoldStatistics:
        return FoldStatistics(np.concatenate([self.rows, rows]), self.packed)

    def pack(self) -> FoldStatistics:
        """Fold every whole block of rows into the packed moments."""
        whole = len(self.rows) - len(self.rows) % BLOCK
        if whole == 0 and self.packed is not None:
            return self
        moments = FoldStatistics(self.rows[:whole], self.packed).moments()
        dimension = self.rows.shape[1]
        triangle = moments.second[_triangle(dimension)]
        return FoldStatistics(self.rows[whole:].copy(), Packed(moments.count, moments.total, triangle))


@dataclass(frozen=True, slots=True, eq=False)
class GroupStatistics:
    """Statistics of one (subject, profile), kept per cross-fitting fold.

    While the group has at most d / 2 vectors its rows are kept as stored; after that, packed second moments
    and less than a block of rows per fold (method section 4, "State").
    """

    folds: tuple[FoldStatistics, ...]  # FOLDS of them

    @classmethod
    def empty(cls, dimension: int) -> GroupStatistics:
        """Statistics of no vectors of `dimension` features."""
        if dimension < 1:
            raise BadInputError(f"a vector of {dimension} features has no statistics")
        return cls(tuple(FoldStatistics(np.zeros((0, dimension), np.float16)) for _ in range(FOLDS)))

    @property
    def n(self) -> int:
        """Number of vectors."""
        return sum(fold.count for fold in self.folds)

    @property
    def dimension(self) -> int:
        """Number of features, d."""
        return int(self.folds[0].rows.shape[1])

    @property
    def is_packed(self) -> bool:
        """Whether the rows were given up for packed second moments."""
        return self.folds[0].packed is not None

    def add(self, vectors: NDArray[np.float16], folds: NDArray[np.int8]) -> GroupStatistics:
        """Take in more vectors; the result depends on their sequence, not on how it is cut into calls.

        Parameters:
            vectors: float16 (n, d), as stored, in canonical order.
            folds: int8 (n,), 0 .. FOLDS - 1.

        Raises:
            BadInputError: a wrong dtype or shape, an unknown fold, or a value that is not finite.
        """
        if vectors.dtype != np.float16 or vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise BadInputError(
                f"statistics of {self.dimension} features take float16 rows of as many, "
                f"not {vectors.dtype} {vectors.shape}"
            )
        if folds.shape != (len(vectors),) or not np.isin(folds, np.arange(FOLDS)).all():
            raise BadInputError(f"statistics want one fold in 0..{FOLDS - 1} for each of {len(vectors)} rows")
        if not np.isfinite(vectors).all():
            raise BadInputError("a vector that is not finite cannot enter the statistics")
        grown = tuple(fold.append(vectors[folds == f]) for f, fold in enumerate(self.folds))
        if sum(fold.count for fold in grown) > self.dimension / 2:
            grown = tuple(fold.pack() for fold in grown)
        return GroupStatistics(grown)

    def moments(self, without_fold: int | None = None) -> Moments:
        """Moments of all vectors, or of all but those of one fold."""
        result = Moments.zero(self.dimension)
        for f, fold in enumerate(self.folds):
            if f != without_fold:
                result = result + fold.moments()
        return result

    def to_bytes(self) -> bytes:
        """The statistics as safetensors; equal statistics give equal bytes, to be named by their sha256."""
        tensors: dict[str, NDArray[Any]] = {}
        for f, fold in enumerate(self.folds):
            tensors[f"fold{f}.rows"] = fold.rows
            if fold.packed is not None:
                tensors[f"fold{f}.count"] = np.array([fold.packed.count], np.int64)
                tensors[f"fold{f}.total"] = fold.packed.total
                tensors[f"fold{f}.triangle"] = fold.packed.triangle
        return save_tensors(tensors)

    @classmethod
    def from_bytes(cls, data: bytes) -> GroupStatistics:
        """Read what `to_bytes` wrote.

        Raises:
            CorruptArtifact: the bytes are not group statistics, whole and consistent.
        """
        tensors = load_tensors(data, "group statistics")
        names = [f"fold{f}.rows" for f in range(FOLDS)]
        packed = "fold0.count" in tensors
        if packed:
            names += [f"fold{f}.{part}" for f in range(FOLDS) for part in ("count", "total", "triangle")]
        if set(tensors) != set(names):
            raise CorruptArtifact("group statistics: the tensors are not those of group statistics")
        dimension = tensors["fold0.rows"].shape[-1] if tensors["fold0.rows"].ndim == 2 else 0
        statistics = cls(tuple(_read_fold(tensors, f, dimension, packed) for f in range(FOLDS)))
        if packed != (statistics.n > dimension / 2):
            raise CorruptArtifact(f"group statistics: {statistics.n} rows are kept in the wrong form")
        return statistics


def unpack_triangle(triangle: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
    """The symmetric (d, d) matrix whose upper triangle, row by row, is `triangle`."""
    full = np.zeros((dimension, dimension))
    upper = _triangle(dimension)
    full[upper] = triangle
    full.T[upper] = triangle
    return full


def _read_fold(tensors: dict[str, NDArray[Any]], f: int, dimension: int, packed: bool) -> FoldStatistics:
    rows = tensors[f"fold{f}.rows"]
    _expect(rows, np.float16, (len(rows) if rows.ndim else 0, dimension), f"fold{f}.rows")
    if not packed:
        return FoldStatistics(rows)
    count, total, triangle = (tensors[f"fold{f}.{part}"] for part in ("count", "total", "triangle"))
    _expect(count, np.int64, (1,), f"fold{f}.count")
    _expect(total, np.float64, (dimension,), f"fold{f}.total")
    _expect(triangle, np.float64, (dimension * (dimension + 1) // 2,), f"fold{f}.triangle")
    if count[0] < 0 or count[0] % BLOCK or len(rows) >= BLOCK:
        raise CorruptArtifact(f"group statistics: fold {f} does not hold whole blocks of {BLOCK} rows")
    return FoldStatistics(rows, Packed(int(count[0]), total, triangle))


def _expect(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...], name: str) -> None:
    if array.dtype != dtype or array.shape != shape or 0 in shape[1:]:
        raise CorruptArtifact(f"group statistics: {name} is {array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise CorruptArtifact(f"group statistics: {name} holds a value that is not finite")


def _blocks(rows: NDArray[np.float16]) -> Iterator[NDArray[np.float16]]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


@lru_cache(maxsize=4)
def _triangle(dimension: int) -> tuple[NDArray[np.intp], ...]:
    return tuple(np.triu_indices(dimension))
