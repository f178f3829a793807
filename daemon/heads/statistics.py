"""What the service remembers of one group: counts, sums and second moments, kept per cross-fitting fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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

Rows = tuple[NDArray[np.float16], NDArray[np.int8]]  # vectors (n, d) and their folds (n,)


class GroupKey(NamedTuple):
    """One group: a family or real source as delivered under one profile, or what of it comes in one form."""

    subject: Subject
    profile: Profile
    form: str = ""  # file format of its pictures; "": of all of them, see `daemon.heads.forms`


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
    """Moments of rows that are not kept, the second moment as its upper triangle."""

    count: int
    total: NDArray[np.float64]  # (d,)
    triangle: NDArray[np.float64]  # (d (d + 1) / 2,) upper triangle, row by row

    @classmethod
    def of(cls, moments: Moments) -> Packed:
        return cls(moments.count, moments.total, moments.second[_triangle(len(moments.total))])

    def moments(self) -> Moments:
        return Moments(self.count, self.total, unpack_triangle(self.triangle, len(self.total)))

    def __add__(self, other: Packed) -> Packed:
        return Packed(self.count + other.count, self.total + other.total, self.triangle + other.triangle)

    def without(self, rows: NDArray[np.float16]) -> Packed:
        """Less the moments of `rows`; of no rows at all exactly nothing is left."""
        if len(rows) > self.count:
            raise BadInputError(f"cannot take {len(rows)} vectors out of statistics that hold {self.count} of them")
        if len(rows) == self.count:
            return Packed.of(Moments.zero(len(self.total)))
        gone = Packed.of(Moments.of(rows))
        return Packed(self.count - gone.count, self.total - gone.total, self.triangle - gone.triangle)


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
        return FoldStatistics(self.rows[whole:].copy(), Packed.of(moments))

    def merge(self, other: FoldStatistics) -> FoldStatistics:
        """This fold with the other's rows and moments after its own."""
        packed = [part for part in (self.packed, other.packed) if part is not None]
        together = packed[0] + packed[1] if len(packed) == 2 else packed[0] if packed else None
        return FoldStatistics(np.concatenate([self.rows, other.rows]), together)

    def without(self, gone: NDArray[np.float16]) -> FoldStatistics:
        """Less these rows: those kept as bytes by their bytes, all others out of the packed moments."""
        wanted = Counter(row.tobytes() for row in gone)
        kept = []
        for number, row in enumerate(self.rows):
            if wanted[row.tobytes()] > 0:
                wanted[row.tobytes()] -= 1
            else:
                kept.append(number)
        rest = np.frombuffer(b"".join(wanted.elements()), np.float16).reshape(-1, self.rows.shape[1])
        if len(rest) and self.packed is None:
            raise BadInputError(f"cannot take {len(rest)} vectors out of statistics that do not hold them")
        return FoldStatistics(self.rows[kept], None if self.packed is None else self.packed.without(rest))


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
        self._check(vectors, folds)
        return GroupStatistics(tuple(fold.append(vectors[folds == f]) for f, fold in enumerate(self.folds)))._in_form()

    def __add__(self, other: GroupStatistics) -> GroupStatistics:
        """Both groups in one, as when two families turn out to be the same.

        Raises:
            BadInputError: the vectors of the two differ in length.
        """
        if other.dimension != self.dimension:
            raise BadInputError(f"statistics of {self.dimension} and of {other.dimension} features cannot be merged")
        return GroupStatistics(tuple(map(FoldStatistics.merge, self.folds, other.folds)))._in_form()

    def subtract(
        self, vectors: NDArray[np.float16], folds: NDArray[np.int8], left: Callable[[], Rows]
    ) -> GroupStatistics:
        """Forget vectors that were added before.

        Rows that are kept are found by their bytes, packed moments are subtracted. When the group falls to d / 2
        vectors, or fewer are left than go, it is built anew from those that are left: exact, and less work.

        Parameters:
            vectors: float16 (n, d), as they were added, in any order.
            folds: int8 (n,), the fold that each was added to.
            left: reads the vectors that stay, in canonical order, with their folds; called only when needed.

        Raises:
            BadInputError: as `add`; a vector that the statistics do not hold (seen for kept rows and by the
                counts), or `left` gives another number of them than there must be.
        """
        self._check(vectors, folds)
        remaining = self.n - len(vectors)
        if remaining < 0:
            raise BadInputError(f"cannot take {len(vectors)} vectors out of statistics of {self.n}")
        if self.is_packed and (remaining <= self.dimension / 2 or remaining < len(vectors)):
            rows, of_folds = left() if remaining else (vectors[:0], folds[:0])
            if len(rows) != remaining:
                raise BadInputError(f"{len(rows)} vectors are left of a group that must have {remaining}")
            return GroupStatistics.empty(self.dimension).add(rows, of_folds)
        return GroupStatistics(tuple(fold.without(vectors[folds == f]) for f, fold in enumerate(self.folds)))

    def _in_form(self) -> GroupStatistics:
        """Packed as soon as there are more than d / 2 vectors."""
        return GroupStatistics(tuple(fold.pack() for fold in self.folds)) if self.n > self.dimension / 2 else self

    def _check(self, vectors: NDArray[np.float16], folds: NDArray[np.int8]) -> None:
        if vectors.dtype != np.float16 or vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise BadInputError(
                f"statistics of {self.dimension} features take float16 rows of as many, "
                f"not {vectors.dtype} {vectors.shape}"
            )
        if folds.shape != (len(vectors),) or not np.isin(folds, np.arange(FOLDS)).all():
            raise BadInputError(f"statistics want one fold in 0..{FOLDS - 1} for each of {len(vectors)} rows")
        if not np.isfinite(vectors).all():
            raise BadInputError("a vector that is not finite cannot enter the statistics")

    def moments(self, without_fold: int | None = None) -> Moments:
        """Moments of all vectors, or of all but those of one fold."""
        result = Moments.zero(self.dimension)
        for f, fold in enumerate(self.folds):
            if f != without_fold:
                result = result + fold.moments()
        return result

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays by name; equal statistics give equal arrays."""
        tensors: dict[str, NDArray[Any]] = {}
        for f, fold in enumerate(self.folds):
            tensors[f"fold{f}.rows"] = fold.rows
            if fold.packed is not None:
                tensors[f"fold{f}.count"] = np.array([fold.packed.count], np.int64)
                tensors[f"fold{f}.total"] = fold.packed.total
                tensors[f"fold{f}.triangle"] = fold.packed.triangle
        return tensors

    def to_bytes(self) -> bytes:
        """The statistics as safetensors; equal statistics give equal bytes, to be named by their sha256."""
        return save_tensors(self.to_tensors())

    @classmethod
    def from_bytes(cls, data: bytes) -> GroupStatistics:
        """Read what `to_bytes` wrote.

        Raises:
            CorruptArtifact: the bytes are not group statistics, whole and consistent.
        """
        return cls.from_tensors(load_tensors(data, "group statistics"))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> GroupStatistics:
        """Read what `to_tensors` gave.

        Raises:
            CorruptArtifact: the arrays are not group statistics, whole and consistent.
        """
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


def _read_fold(tensors: Mapping[str, NDArray[Any]], f: int, dimension: int, packed: bool) -> FoldStatistics:
    rows = tensors[f"fold{f}.rows"]
    _expect(rows, np.float16, (len(rows) if rows.ndim else 0, dimension), f"fold{f}.rows")
    if not packed:
        return FoldStatistics(rows)
    count, total, triangle = (tensors[f"fold{f}.{part}"] for part in ("count", "total", "triangle"))
    _expect(count, np.int64, (1,), f"fold{f}.count")
    _expect(total, np.float64, (dimension,), f"fold{f}.total")
    _expect(triangle, np.float64, (dimension * (dimension + 1) // 2,), f"fold{f}.triangle")
    if count[0] < 0 or len(rows) >= BLOCK:
        raise CorruptArtifact(f"group statistics: fold {f} holds {count[0]} packed rows and {len(rows)} others")
    if count[0] == 0 and (total.any() or triangle.any()):
        raise CorruptArtifact(f"group statistics: fold {f} holds moments of no rows")
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
