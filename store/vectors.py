"""Feature vectors of samples: which are missing, where they lie, matrices of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from daemon.errors import BadInputError, CorruptArtifact
from daemon.model import PROFILES, LabelledSamples, LabelledVectors, PendingSample, Profile
from store import tables as t
from store.database import chunks, columns
from store.parts import Part, canonical_order, labelled, subject_ids
from store.shards import Shards

SMALL_ROWS = 4096  # a shard under this is worth merging
_ASK_FOR_EACH = 10_000  # samples up to which vectors are looked up one by one
SMALL_SHARDS = 32  # of one encoder and profile: merged when there are more


class Vectors(Part):
    """Writes and reads vectors."""

    def without_vector(self, fingerprint: str, profile: Profile, limit: int) -> list[PendingSample]:
        """Active samples with a blob and without that vector, in order of (delivery time, sha256)."""
        query = (
            select(t.sample.c.id, t.sample.c.sha256)
            .where(t.sample.c.state == "active", t.sample.c.has_blob, ~vector_exists(fingerprint, profile))
            .order_by(*canonical_order)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [PendingSample(row.id, row.sha256) for row in connection.execute(query)]

    def blob(self, sha256: str) -> bytes:
        """The picture's bytes. Raises CorruptArtifact when they are missing or were changed."""
        return self._blobs.get(sha256)

    def add_vectors(
        self, fingerprint: str, profile: Profile, sample_ids: Sequence[int], vectors: NDArray[np.float16]
    ) -> None:
        """Store vectors; a sample that has its vector keeps it.

        Parameters: `vectors` (n, d) float16, finite, d that of the encoder's other vectors.
        Raises BadInputError for anything else.
        """
        if len(sample_ids) == 0:
            return
        if vectors.ndim != 2 or len(vectors) != len(sample_ids) or vectors.dtype != np.float16:
            raise BadInputError(f"{len(sample_ids)} samples need ({len(sample_ids)}, d) vectors in float16")
        if not np.isfinite(vectors).all():
            raise BadInputError("vectors must be finite in float16")
        with self._database.write() as connection:
            expected = dimension_of(connection, fingerprint)
            if expected not in (None, vectors.shape[1]):
                raise BadInputError(f"vectors of {vectors.shape[1]} numbers beside others of {expected}")
            there = with_vector(connection, fingerprint, profile, sample_ids)
            missing: dict[int, int] = {}  # sample id -> row; a sample named twice is stored once
            for row, sample_id in enumerate(sample_ids):
                if sample_id not in there:
                    missing.setdefault(int(sample_id), row)
            if missing:
                register_shard(
                    connection, self._shards, fingerprint, profile, list(missing), vectors[list(missing.values())]
                )
        self.compact(fingerprint, profile)

    def compact(self, fingerprint: str, profile: Profile) -> int:
        """Merge the small shards into one when there are many; returns how many were merged.

        The new file is durable before its row, the row before the old files go: a kill in between leaves files that
        nothing refers to, which the next start sweeps.
        """
        s = t.vector_shard.c
        small = (
            select(s.id, s.digest)
            .where(s.fingerprint == fingerprint, s.profile == profile, s.rows < SMALL_ROWS)
            .order_by(s.id)
        )
        with self._database.read() as connection:
            if len(connection.execute(small).all()) <= SMALL_SHARDS:
                return 0
        with self._database.write(durable=True) as connection:
            old = connection.execute(small).all()
            loaded = [self._shards.read(shard.digest) for shard in old]
            ids = np.concatenate([shard.sample_ids for shard in loaded])
            matrix = np.concatenate([shard.vectors for shard in loaded])
            connection.execute(delete(t.vector).where(t.vector.c.shard_id.in_([shard.id for shard in old])))
            connection.execute(delete(t.vector_shard).where(s.id.in_([shard.id for shard in old])))
            register_shard(connection, self._shards, fingerprint, profile, ids.tolist(), matrix)
        with self._shards.steady:
            for shard in old:
                self._shards.forget(shard.digest)
        return len(old)

    def _rewrite_shards(self) -> None:
        """Write every shard that holds a forgotten sample anew without it, each in a transaction of its own."""
        v, sh = t.vector.c, t.vector_shard.c
        forgotten = select(t.sample.c.id).where(t.sample.c.state == "forgotten")
        touched = select(sh.id, sh.digest, sh.fingerprint, sh.profile).where(
            sh.id.in_(select(v.shard_id).where(v.sample_id.in_(forgotten)))
        )
        while True:
            with self._shards.steady:
                with self._database.write(durable=True) as connection:
                    old = connection.execute(touched.limit(1)).first()
                    if old is None:
                        return
                    gone = set(connection.execute(select(v.sample_id).where(v.sample_id.in_(forgotten))).scalars())
                    shard = self._shards.read(old.digest)
                    left = np.array([row for row, i in enumerate(shard.sample_ids.tolist()) if i not in gone], np.intp)
                    connection.execute(delete(t.vector).where(v.shard_id == old.id))
                    connection.execute(delete(t.vector_shard).where(sh.id == old.id))
                    if len(left):
                        ids = shard.sample_ids[left].tolist()
                        register_shard(connection, self._shards, old.fingerprint, old.profile, ids, shard.vectors[left])
                self._shards.forget(old.digest)

    def vectors_of(self, fingerprint: str, profile: Profile, sample_ids: Sequence[int]) -> NDArray[np.float16]:
        """(n, d) in the order asked for. Raises BadInputError when one of the samples has no such vector."""
        v = t.vector.c
        with self._shards.steady:
            places: dict[int, tuple[int, int]] = {}
            with self._database.read() as connection:
                for part in chunks([int(sample_id) for sample_id in sample_ids]):
                    query = select(v.sample_id, v.shard_id, v.row).where(
                        v.fingerprint == fingerprint, v.profile == profile, v.sample_id.in_(part)
                    )
                    places.update({row[0]: (row[1], row[2]) for row in connection.execute(query)})
                digests = _digests(connection, {shard for shard, _ in places.values()})
            missing = [sample_id for sample_id in sample_ids if sample_id not in places]
            if missing:
                raise BadInputError(f"sample {missing[0]} has no {profile} vector of encoder {fingerprint[:12]}")
            if not len(sample_ids):
                return np.zeros((0, 0), dtype=np.float16)
            found = np.array([places[int(sample_id)] for sample_id in sample_ids], np.int64)
            return self._gather(np.array(sample_ids, np.int64), found[:, 0], found[:, 1], digests)

    def dimensions(self) -> dict[str, int]:
        """Encoder fingerprint -> how many numbers its vectors have; without those of which no vector is left."""
        s = t.vector_shard.c
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(select(s.fingerprint, s.dimension).distinct())}

    def labelled_vectors(
        self, fingerprint: str, profile: Profile, *, last_per_subject: int | None = None
    ) -> LabelledVectors:
        """Active labelled samples that have vectors of both profiles; the newest N of each subject when asked."""
        samples = self.labelled_samples(fingerprint, last_per_subject=last_per_subject)
        return self.with_vectors(fingerprint, profile, samples)

    def labelled_samples(self, fingerprint: str, *, last_per_subject: int | None = None) -> LabelledSamples:
        """The rows of `labelled_vectors`, without reading a vector."""
        s, group = t.sample.c, t.sample_group.c
        query = (
            select(s.id, s.label, s.source_id, s.family_id, group.key, group.split, group.fold, s.delivered_at)
            .select_from(t.sample.join(t.sample_group, group.id == s.group_id))
            .where(labelled)
            .order_by(*canonical_order)
        )
        with self._database.read() as connection:
            ids, labels, source_ids, family_ids, groups, splits, folds, times = columns(connection, query)
            sample_ids = np.array(ids, np.int64)
            kept = np.isin(sample_ids, self._with_both_profiles(connection, fingerprint))
            revisions = _first_revisions(connection, fingerprint, sample_ids)
            sources = subject_ids(connection, "source")
            families = subject_ids(connection, "family")
        subjects = [
            sources[source] if label == "real" else families[family]
            for label, source, family in zip(labels, source_ids, family_ids, strict=True)
        ]
        if last_per_subject is not None:
            numbers = {subject: number for number, subject in enumerate(dict.fromkeys(subjects))}
            of_subjects = np.array([numbers[subject] for subject in subjects], np.int64)
            kept[kept] = _newest(of_subjects[kept], last_per_subject)
        samples = LabelledSamples(
            sample_ids=sample_ids,
            synthetic=np.array([label == "synthetic" for label in labels], np.bool_),
            subjects=tuple(subjects),
            groups=tuple(groups),
            splits=tuple(splits),
            folds=np.array(folds, np.int8),
            learned_revision=revisions,
            delivered_at=tuple(times),
        )
        return samples if kept.all() else samples.take(np.flatnonzero(kept))

    def _with_both_profiles(self, connection: Connection, fingerprint: str) -> NDArray[np.int64]:
        """Ids of the samples that have the vectors of both profiles, in ascending order."""
        raw, laundered = (
            np.concatenate(
                [np.zeros(0, np.int64), *(ids for _, _, ids in self._rows(connection, fingerprint, profile))]
            )
            for profile in PROFILES
        )
        return np.intersect1d(raw, laundered, assume_unique=True)

    def _rows(
        self, connection: Connection, fingerprint: str, profile: Profile
    ) -> list[tuple[int, str, NDArray[np.int64]]]:
        """(id, digest, sample of each row) of every shard of an encoder and profile.

        A shard never changes, and its rows come and go with it in one transaction: they are read once.
        """
        s, v = t.vector_shard.c, t.vector.c
        query = select(s.id, s.digest).where(s.fingerprint == fingerprint, s.profile == profile).order_by(s.id)
        shards = {row.id: row.digest for row in connection.execute(query)}
        known: dict[int, NDArray[np.int64]] = {}
        for number, digest in shards.items():
            if (own := self._shards.sample_ids(digest)) is not None:
                known[number] = own
        for part in chunks(shards.keys() - known.keys()):
            rows = select(v.shard_id, v.sample_id).where(v.shard_id.in_(part)).order_by(v.shard_id, v.row)
            of_shards, ids = (np.array(column, np.int64) for column in columns(connection, rows))
            for number in part:
                own = ids[np.searchsorted(of_shards, number) : np.searchsorted(of_shards, number, side="right")].copy()
                self._shards.remember_sample_ids(shards[number], own)
                known[number] = own
        return [(number, digest, known[number]) for number, digest in shards.items()]

    def with_vectors(self, fingerprint: str, profile: Profile, samples: LabelledSamples) -> LabelledVectors:
        """The samples with their vectors; those whose vectors were deleted since they were read are left out."""
        wanted = samples.sample_ids
        with self._shards.steady:
            with self._database.read() as connection:
                ids, shard_ids, rows = self._places(connection, fingerprint, profile, wanted)
                digests = _digests(connection, set(np.unique(shard_ids).tolist()))
                dimension = dimension_of(connection, fingerprint) or 0
            there = np.isin(wanted, ids)
            if not there.all():
                samples = samples.take(np.flatnonzero(there))
            if not len(samples):
                return samples.with_vectors(np.zeros((0, dimension), dtype=np.float16))
            place = np.searchsorted(ids, samples.sample_ids)
            return samples.with_vectors(self._gather(samples.sample_ids, shard_ids[place], rows[place], digests))

    def _places(
        self, connection: Connection, fingerprint: str, profile: Profile, wanted: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(sample ids in ascending order, shards, rows): at least of those wanted samples that have the vector."""
        parts = [(np.zeros(0, np.int64),) * 3]
        if len(wanted) > _ASK_FOR_EACH:  # all of them are faster than so many searches
            for number, _, own in self._rows(connection, fingerprint, profile):
                parts.append((own, np.full(len(own), number, np.int64), np.arange(len(own), dtype=np.int64)))
        else:
            v = t.vector.c
            query = select(v.sample_id, v.shard_id, v.row).where(v.fingerprint == fingerprint, v.profile == profile)
            for part in chunks(wanted.tolist()):
                found, numbers, places = columns(connection, query.where(v.sample_id.in_(part)))
                parts.append((np.array(found, np.int64), np.array(numbers, np.int64), np.array(places, np.int64)))
        ids, shards, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(ids, kind="stable")
        return ids[order], shards[order], rows[order]

    def _gather(
        self,
        wanted: NDArray[np.int64],
        shard_ids: NDArray[np.int64],
        rows: NDArray[np.int64],
        digests: dict[int, str],
    ) -> NDArray[np.float16]:
        """Rows of shards, as one matrix; at least one row."""
        gathered: NDArray[np.float16] | None = None
        for shard_id, digest in sorted(digests.items()):
            mine = np.flatnonzero(shard_ids == shard_id)
            if not len(mine):
                continue
            shard, places = self._shards.read(digest), rows[mine]
            if places.max() >= len(shard.sample_ids) or (shard.sample_ids[places] != wanted[mine]).any():
                raise CorruptArtifact(f"shard {digest[:12]} does not hold the samples that the database says it holds")
            if gathered is None:
                gathered = np.empty((len(wanted), shard.vectors.shape[1]), dtype=np.float16)
            gathered[mine] = shard.vectors[places]
        assert gathered is not None
        return gathered


def vector_exists(fingerprint: str, profile: str) -> Any:
    """A correlated condition on `sample`: it has that vector."""
    v = t.vector.c
    return (
        select(v.row)
        .where(v.sample_id == t.sample.c.id, v.fingerprint == fingerprint, v.profile == profile)
        .correlate(t.sample)
        .exists()
    )


def vectors_complete(fingerprint: str) -> Any:
    """A correlated condition on `sample`: it has the vectors of both profiles."""
    raw, laundered = (vector_exists(fingerprint, profile) for profile in PROFILES)
    return raw & laundered


def _first_revisions(connection: Connection, fingerprint: str, sample_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the first revision of the encoder's statistics that ever took each sample in; 0: none did."""
    found = np.zeros(len(sample_ids), np.int64)
    order = np.argsort(sample_ids)
    for table in (t.learned, t.unlearned):  # what was taken out once was learned before it is now
        query = select(table.c.sample_id, table.c.revision).where(table.c.fingerprint == fingerprint)
        ids, revisions = (np.array(column, np.int64) for column in columns(connection, query))
        there = np.isin(ids, sample_ids)
        found[order[np.searchsorted(sample_ids, ids[there], sorter=order)]] = revisions[there]
    return found


def _newest(subjects: NDArray[np.int64], most: int) -> NDArray[np.bool_]:
    """Which rows are among the last `most` of their subject, (n,); subjects are numbers."""
    order = np.argsort(subjects, kind="stable")
    ends = np.searchsorted(subjects[order], subjects[order], side="right")
    newest = np.empty(len(subjects), np.bool_)
    newest[order] = ends - np.arange(len(subjects)) <= most
    return newest


def dimension_of(connection: Connection, fingerprint: str) -> int | None:
    """How many numbers a vector of that encoder has; None before the first."""
    s = t.vector_shard.c
    return connection.execute(select(s.dimension).where(s.fingerprint == fingerprint).limit(1)).scalar()


def with_vector(connection: Connection, fingerprint: str, profile: str, sample_ids: Sequence[int]) -> set[int]:
    """Which of the samples have that vector."""
    v = t.vector.c
    found: set[int] = set()
    for part in chunks([int(sample_id) for sample_id in sample_ids]):
        query = select(v.sample_id).where(v.fingerprint == fingerprint, v.profile == profile, v.sample_id.in_(part))
        found.update(connection.execute(query).scalars())
    return found


def register_shard(
    connection: Connection,
    shards: Shards,
    fingerprint: str,
    profile: Profile,
    sample_ids: list[int],
    vectors: NDArray[np.float16],
) -> None:
    """Write one shard file and, in the caller's transaction, the rows that make it count."""
    digest = shards.write(fingerprint, profile, np.array(sample_ids, dtype=np.int64), vectors)
    connection.execute(
        insert(t.vector_shard).values(
            digest=digest,
            fingerprint=fingerprint,
            profile=profile,
            dimension=vectors.shape[1],
            rows=len(sample_ids),
        )
    )
    shard_id = connection.execute(select(t.vector_shard.c.id).where(t.vector_shard.c.digest == digest)).scalar_one()
    connection.execute(
        insert(t.vector),
        [
            {
                "sample_id": sample_id,
                "fingerprint": fingerprint,
                "profile": profile,
                "shard_id": shard_id,
                "row": row,
            }
            for row, sample_id in enumerate(sample_ids)
        ],
    )


def _digests(connection: Connection, shard_ids: set[int]) -> dict[int, str]:
    s = t.vector_shard.c
    found: dict[int, str] = {}
    for part in chunks(shard_ids):
        found.update({row[0]: row[1] for row in connection.execute(select(s.id, s.digest).where(s.id.in_(part)))})
    return found
