"""Group statistics: content-addressed files, counts and digests in SQL, and which samples they took in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, insert, select, update

from daemon.errors import TemporaryError
from daemon.model import Subject
from daemon.ports import StatisticsKey
from store import tables as t
from store.database import chunks
from store.files import read_checked, sha256_hex, write_files
from store.parts import Part, subjects_of


class StatisticsFiles(Part):
    """Writes and reads group statistics."""

    def untrusted(self) -> set[int]:
        """Ids of the active samples whose source is untrusted."""
        query = select(t.sample.c.id).join(t.source).where(t.sample.c.state == "active")
        with self._database.read() as connection:
            return set(connection.execute(query.where(t.source.c.trust == "untrusted")).scalars())

    def statistics_revision(self, fingerprint: str) -> int:
        """The last committed revision; 0 before the first."""
        with self._database.read() as connection:
            return _revision(connection, fingerprint)

    def statistics(self, fingerprint: str) -> dict[StatisticsKey, bytes]:
        """Every group's file. Raises CorruptArtifact when one does not match its digest."""
        s = t.statistics.c
        query = select(s.subject_kind, s.subject_name, s.profile, s.digest).where(s.fingerprint == fingerprint)
        with self._shards.steady, self._database.read() as connection:
            return {
                (Subject(kind, name), profile): read_checked(self._layout.statistics_file(digest), digest)
                for kind, name, profile, digest in connection.execute(query)
            }

    def learned_revisions(self, fingerprint: str, sample_ids: Sequence[int]) -> NDArray[np.int64]:
        """(n,) the revision of that encoder's statistics that took each sample in; 0: none did."""
        found: dict[int, int] = {}
        learned = t.learned.c
        with self._database.read() as connection:
            for part in chunks([int(sample_id) for sample_id in sample_ids]):
                query = select(learned.sample_id, learned.revision).where(
                    learned.fingerprint == fingerprint, learned.sample_id.in_(part)
                )
                found.update({row[0]: row[1] for row in connection.execute(query)})
        return np.array([found.get(int(sample_id), 0) for sample_id in sample_ids], dtype=np.int64)

    def commit_statistics(
        self,
        fingerprint: str,
        revision: int,
        changed: Mapping[StatisticsKey, tuple[int, bytes]],
        sample_ids: Sequence[int],
        at: datetime,
    ) -> None:
        """Write the changed groups (n, bytes), set their rows and mark the samples learned at `revision`.

        Raises TemporaryError, and changes nothing, when `revision` is not the current one + 1, or when a sample was
        learned before or is no longer active and labelled: read again, learn again.
        """
        digests = {key: sha256_hex(content) for key, (_, content) in changed.items()}
        with self._shards.steady:  # nobody is between a row and its file
            write_files({self._layout.statistics_file(digests[key]): content for key, (_, content) in changed.items()})
            ids = [int(sample_id) for sample_id in sample_ids]
            with self._database.write(durable=True) as connection:
                current = _revision(connection, fingerprint)
                if revision != current + 1:
                    raise TemporaryError(f"statistics are at revision {current}, not {revision - 1}; learn again")
                subjects = _to_learn(connection, fingerprint, ids)
                old = set()
                for (subject, profile), (n, _) in changed.items():
                    old.add(
                        _set_group(connection, fingerprint, subject, profile, n, digests[subject, profile], revision)
                    )
                if ids:
                    connection.execute(
                        insert(t.learned),
                        [
                            {
                                "sample_id": sample_id,
                                "fingerprint": fingerprint,
                                "revision": revision,
                                "subject_kind": subjects[sample_id].kind,
                                "subject_name": subjects[sample_id].name,
                            }
                            for sample_id in ids
                        ],
                    )
                _set_revision(connection, fingerprint, revision, at)
                used = set(connection.execute(select(t.statistics.c.digest)).scalars())
            for digest in old - used - {None}:
                self._layout.statistics_file(str(digest)).unlink(missing_ok=True)


def _revision(connection: Connection, fingerprint: str) -> int:
    r = t.statistics_revision.c
    return connection.execute(select(r.revision).where(r.fingerprint == fingerprint)).scalar() or 0


def _set_revision(connection: Connection, fingerprint: str, revision: int, at: datetime) -> None:
    r = t.statistics_revision
    values = {"revision": revision, "at": at}
    if connection.execute(update(r).where(r.c.fingerprint == fingerprint).values(values)).rowcount == 0:
        connection.execute(insert(r).values(fingerprint=fingerprint, **values))


def _to_learn(connection: Connection, fingerprint: str, sample_ids: list[int]) -> dict[int, Subject]:
    """What each sample is learned as; refuses samples that must not be added."""
    subjects: dict[int, Subject] = {}
    for part in chunks(sample_ids):
        learned = t.learned.c
        before = connection.execute(
            select(learned.sample_id).where(learned.fingerprint == fingerprint, learned.sample_id.in_(part))
        ).scalar()
        if before is not None:
            raise TemporaryError(f"sample {before} was learned before; learn again without it")
        subjects |= subjects_of(connection, part)
    missing = sorted(set(sample_ids) - subjects.keys())
    if missing:
        raise TemporaryError(f"sample {missing[0]} is no longer active and labelled; learn again without it")
    return subjects


def _set_group(
    connection: Connection, fingerprint: str, subject: Subject, profile: str, n: int, digest: str, revision: int
) -> str | None:
    """Set one group's row; returns the digest that it had."""
    s = t.statistics
    key = and_(
        s.c.fingerprint == fingerprint,
        s.c.subject_kind == subject.kind,
        s.c.subject_name == subject.name,
        s.c.profile == profile,
    )
    old = connection.execute(select(s.c.digest).where(key)).scalar()
    values = {"n": n, "digest": digest, "revision": revision}
    if old is not None:
        connection.execute(update(s).where(key).values(values))
    else:
        connection.execute(
            insert(s).values(
                fingerprint=fingerprint,
                subject_kind=subject.kind,
                subject_name=subject.name,
                profile=profile,
                **values,
            )
        )
    return old
