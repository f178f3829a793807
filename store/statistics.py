"""Group statistics: content-addressed files, counts and digests in SQL, and which samples they took in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from daemon.cores import side_by_side
from daemon.errors import TemporaryError
from daemon.model import Dataset, GroupClip, LearnedRow, LeftOutReason, Subject
from daemon.ports import StatisticsKey
from store import tables as t
from store.clips import save_clips
from store.database import chunks, columns
from store.files import read_checked, sha256_hex, write_files
from store.parts import Part, canonical_order, subjects_of

Parsed = TypeVar("Parsed")


class StatisticsFiles(Part):
    """Writes and reads group statistics."""

    def untrusted(self) -> set[int]:
        """Ids of the active samples whose source is untrusted."""
        query = select(t.sample.c.id).join(t.source).where(t.sample.c.state == "active")
        with self._database.read() as connection:
            return set(connection.execute(query.where(t.source.c.trust == "untrusted")).scalars())

    def known_sources(self) -> set[str]:
        """Names of the sources that are neither trusted nor untrusted."""
        query = select(t.source.c.name).where(t.source.c.trust == "known")
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def statistics_revision(self, fingerprint: str) -> int:
        """The last committed revision; 0 before the first."""
        with self._database.read() as connection:
            return revision_of(connection, fingerprint)

    def statistics(self, fingerprint: str, subjects: Collection[Subject] | None = None) -> dict[StatisticsKey, bytes]:
        """Every group's file, or those of some subjects. Raises CorruptArtifact when one does not match its digest."""
        return self._read_statistics(fingerprint, bytes, {}, subjects)

    def read_statistics(
        self, fingerprint: str, parse: Callable[[bytes], Parsed], known: dict[str, Parsed]
    ) -> dict[StatisticsKey, Parsed]:
        """What `parse` makes of every group's file, read side by side. Raises as `statistics`, and what `parse` raises.

        known: by the file's digest, what is not read again; what is read now is put there, what no group has any more
        taken out.
        """
        return self._read_statistics(fingerprint, parse, known, None)

    def _read_statistics(
        self,
        fingerprint: str,
        parse: Callable[[bytes], Parsed],
        known: dict[str, Parsed],
        subjects: Collection[Subject] | None,
    ) -> dict[StatisticsKey, Parsed]:
        s = t.statistics.c
        query = select(s.subject_kind, s.subject_name, s.profile, s.digest).where(s.fingerprint == fingerprint)
        with self._shards.steady, self._database.read() as connection:
            wanted = {
                (Subject(kind, name), profile): digest
                for kind, name, profile, digest in connection.execute(query)
                if subjects is None or Subject(kind, name) in subjects
            }
            for replaced in known.keys() - {*wanted.values()}:
                del known[replaced]
            unread = sorted({*wanted.values()} - known.keys())
            file = self._layout.statistics_file
            read = side_by_side(lambda digest: parse(read_checked(file(digest), digest)), unread)
        known.update(zip(unread, read, strict=True))
        return {key: known[digest] for key, digest in wanted.items()}

    def statistics_digests(self, fingerprint: str) -> dict[StatisticsKey, str]:
        """The sha256 (hex) of every group's file, as committed."""
        s = t.statistics.c
        query = select(s.subject_kind, s.subject_name, s.profile, s.digest).where(s.fingerprint == fingerprint)
        with self._database.read() as connection:
            return {(Subject(kind, name), profile): digest for kind, name, profile, digest in connection.execute(query)}

    def learned_revisions(self, fingerprint: str, sample_ids: Sequence[int]) -> NDArray[np.int64]:
        """(n,) the first revision of that encoder's statistics that ever took each sample in; 0: none did."""
        found: dict[int, int] = {}
        with self._database.read() as connection:
            for part in chunks([int(sample_id) for sample_id in sample_ids]):
                for table in (t.learned, t.unlearned):  # what was taken out once was learned before it is now
                    query = select(table.c.sample_id, table.c.revision).where(
                        table.c.fingerprint == fingerprint, table.c.sample_id.in_(part)
                    )
                    found.update({row[0]: row[1] for row in connection.execute(query)})
        return np.array([found.get(int(sample_id), 0) for sample_id in sample_ids], dtype=np.int64)

    def learned_fingerprints(self) -> list[str]:
        """The encoders whose statistics hold a sample."""
        with self._database.read() as connection:
            return sorted(connection.execute(select(t.learned.c.fingerprint).distinct()).scalars())

    def learned_rows(self, fingerprint: str) -> list[LearnedRow]:
        """What that encoder's statistics hold, in the order in which it was learned."""
        learned = t.learned.c
        query = (
            select(
                learned.sample_id,
                learned.subject_kind,
                learned.subject_name,
                t.sample_group.c.fold,
                learned.raw_left_out,
                learned.form,
            )
            .join(t.sample, t.sample.c.id == learned.sample_id)
            .join(t.sample_group, t.sample_group.c.id == t.sample.c.group_id)
            .where(learned.fingerprint == fingerprint)
            .order_by(learned.revision, *canonical_order)
        )
        with self._database.read() as connection:
            ids, kinds, names, folds, reasons, forms = columns(connection, query)
        subjects = {key: Subject(*key) for key in set(zip(kinds, names, strict=True))}  # one object for all its rows
        own = map(subjects.__getitem__, zip(kinds, names, strict=True))
        return list(map(LearnedRow, ids, own, folds, reasons, forms))

    def formats(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """See `daemon.ports.SampleStore.formats`."""
        s, found = t.sample.c, dict[int, str]()
        with self._database.read() as connection:
            for part in chunks([int(sample_id) for sample_id in sample_ids]):
                query = select(s.id, s.format).where(s.id.in_(part), s.format.is_not(None))
                found.update((sample_id, name.lower()) for sample_id, name in connection.execute(query))
        return found

    def learned_dataset(self, fingerprint: str) -> Dataset:
        """How many samples that encoder's statistics hold, and a digest over which they are and what they are."""
        learned = t.learned.c
        query = (
            select(t.sample.c.sha256, learned.subject_kind, learned.subject_name, learned.raw_left_out)
            .join(t.sample, t.sample.c.id == learned.sample_id)
            .where(learned.fingerprint == fingerprint)
        )
        with self._database.read() as connection:
            lines = sorted(
                f"{sha256} {kind} {name}{' laundered' if reason else ''}\n"
                for sha256, kind, name, reason in zip(*columns(connection, query), strict=True)
            )
        return Dataset(len(lines), sha256_hex("".join(lines).encode()))

    def taken_out_since(self, fingerprint: str, revision: int) -> tuple[int, int]:
        """(samples that the statistics of that revision held as something that they are not learned as now, or that
        are no longer learned; when the last of them went)."""
        held, learned = t.held.c, t.learned.c
        again = and_(
            learned.sample_id == held.sample_id,
            learned.fingerprint == held.fingerprint,
            or_(
                held.subject_name.is_(None),  # taken out before that was noted
                and_(learned.subject_kind == held.subject_kind, learned.subject_name == held.subject_name),
            ),
        )
        query = select(func.count(held.sample_id.distinct()), func.coalesce(func.max(held.until), 0)).where(
            held.fingerprint == fingerprint,
            held.revision <= revision,
            held.until > revision,
            ~select(learned.sample_id).where(again).exists(),
        )
        with self._database.read() as connection:
            count, until = connection.execute(query).one()
            return count, until

    def forgotten_in(self, fingerprint: str, revision: int) -> int:
        """How many samples the statistics of that revision held and somebody asked to forget since."""
        forgotten = select(t.sample.c.id).where(t.sample.c.state == "forgotten")
        now, once = t.learned.c, t.held.c
        # Those on their way out are still in `learned`.
        held = select(now.sample_id).where(
            now.fingerprint == fingerprint, now.revision <= revision, now.sample_id.in_(forgotten)
        )
        gone = select(once.sample_id).where(
            once.fingerprint == fingerprint,
            once.revision <= revision,
            once.until > revision,
            once.sample_id.in_(forgotten),
        )
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(held.union(gone).subquery())).scalar_one()

    def commit_statistics(
        self,
        fingerprint: str,
        revision: int,
        changed: Mapping[StatisticsKey, tuple[int, bytes]],
        sample_ids: Sequence[int],
        at: datetime,
        *,
        removed: Sequence[int] = (),
        raw_left_out: Mapping[int, LeftOutReason] = MappingProxyType({}),
        forms: Mapping[int, str] = MappingProxyType({}),
        clips: Mapping[Subject, GroupClip | None] = MappingProxyType({}),
    ) -> None:
        """Write the changed groups (n, bytes), set their rows and mark the samples learned at `revision`.

        Raises TemporaryError, and changes nothing, when `revision` is not the current one + 1, when a sample was
        learned before or is no longer active and labelled, or a removed one was not: read again, learn again.
        """
        digests = {key: sha256_hex(content) for key, (n, content) in changed.items() if n}
        with self._shards.steady:  # nobody is between a row and its file
            write_files({self._layout.statistics_file(digest): changed[key][1] for key, digest in digests.items()})
            ids = [int(sample_id) for sample_id in sample_ids]
            with self._database.write(durable=True) as connection:
                current = revision_of(connection, fingerprint)
                if revision != current + 1:
                    raise TemporaryError(f"statistics are at revision {current}, not {revision - 1}; learn again")
                unlearn(connection, fingerprint, [int(sample_id) for sample_id in removed], revision)
                subjects = _to_learn(connection, fingerprint, ids)
                old = {
                    _set_group(connection, fingerprint, key, n, digests.get(key), revision)
                    for key, (n, _) in changed.items()
                }
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
                                "raw_left_out": raw_left_out.get(sample_id),
                                "form": forms.get(sample_id, ""),
                            }
                            for sample_id in ids
                        ],
                    )
                save_clips(connection, fingerprint, revision, clips)
                set_revision(connection, fingerprint, revision, at)
                used = set(connection.execute(select(t.statistics.c.digest)).scalars())
            for digest in old - used - {None}:
                self._layout.statistics_file(str(digest)).unlink(missing_ok=True)

    def commit_clips(self, fingerprint: str, revision: int, clips: Mapping[Subject, GroupClip | None]) -> None:
        """See `daemon.ports.SampleStore.commit_clips`."""
        with self._database.write(durable=True) as connection:
            current = revision_of(connection, fingerprint)
            if revision != current:
                raise TemporaryError(f"statistics are at revision {current}, not {revision}; learn again")
            save_clips(connection, fingerprint, revision + 1, clips)


def revision_of(connection: Connection, fingerprint: str) -> int:
    """The last committed revision of an encoder's statistics; 0 before the first."""
    r = t.statistics_revision.c
    return connection.execute(select(r.revision).where(r.fingerprint == fingerprint)).scalar() or 0


def set_revision(connection: Connection, fingerprint: str, revision: int, at: datetime) -> None:
    """From now on this is the revision of the encoder's statistics."""
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


def unlearn(connection: Connection, fingerprint: str, sample_ids: Sequence[int], revision: int) -> None:
    """The samples are no longer learned; which revisions held them, and as what, is remembered."""
    learned, once = t.learned.c, t.unlearned.c
    for part in chunks(sample_ids):
        held = and_(learned.fingerprint == fingerprint, learned.sample_id.in_(part))
        columns = (learned.sample_id, learned.revision, learned.subject_kind, learned.subject_name)
        rows = connection.execute(select(*columns).where(held)).mappings().all()
        missing = set(part) - {row["sample_id"] for row in rows}
        if missing:
            raise TemporaryError(f"sample {min(missing)} is not learned, so it cannot be taken out; learn again")
        before = and_(once.fingerprint == fingerprint, once.sample_id.in_(part))
        known = set(connection.execute(select(once.sample_id).where(before)).scalars())
        connection.execute(update(t.unlearned).where(before).values(until=revision))
        new = [
            {"sample_id": row["sample_id"], "fingerprint": fingerprint, "revision": row["revision"], "until": revision}
            for row in rows
            if row["sample_id"] not in known
        ]
        if new:
            connection.execute(insert(t.unlearned), new)
        if rows:
            out = {"fingerprint": fingerprint, "until": revision}
            connection.execute(insert(t.held), [{**row, **out} for row in rows])
        connection.execute(delete(t.learned).where(held))


def _set_group(
    connection: Connection, fingerprint: str, key: StatisticsKey, n: int, digest: str | None, revision: int
) -> str | None:
    """Set one group's row, or drop it when it is empty; returns the digest that it had."""
    s = t.statistics
    names = {
        "fingerprint": fingerprint,
        "subject_kind": key[0].kind,
        "subject_name": key[0].name,
        "profile": key[1],
    }
    this = and_(*(s.c[name] == value for name, value in names.items()))
    old = connection.execute(select(s.c.digest).where(this)).scalar()
    values = {"n": n, "digest": digest, "revision": revision}
    if n == 0:
        connection.execute(delete(s).where(this))
    elif old is not None:
        connection.execute(update(s).where(this).values(values))
    else:
        connection.execute(insert(s).values(**names, **values))
    return old
