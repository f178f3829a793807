"""The ten invariants of a store whose service is ready or stopped cleanly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, func, select, text
from sqlalchemy.exc import DBAPIError

from daemon.errors import SidwatchError
from store import audit
from store import tables as t
from store.decisions import champion_differing, differing
from store.files import read_checked
from store.splits import fold_of
from store.state import Store
from store.sweep import unreferenced_by_rows

_SHOWN = 5  # faults spelt out per invariant; the rest is counted


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant and whether it holds."""

    number: int  # as in the design's list
    name: str
    ok: bool
    detail: str  # "" when it holds, else what is broken


def verify(
    store: Store,
    *,
    now: datetime,
    started_at: float,
    check_artifact: Callable[[bytes, bytes], None],
    recompute: Callable[[], list[str]],
    deep: bool = False,
) -> list[Check]:
    """Check the ten invariants; a broken one never stops the others.

    Parameters: `now` by the service's clock, for leases; `started_at` of the service in Unix seconds of the real wall
    clock, for temporary files; `check_artifact(tensors, manifest)` raises SidwatchError when the champion does not
    score its anchors as recorded; `recompute` names the gauges that differ from what the store says; `deep` reads
    every blob, shard, statistics file and version against its digest.
    """
    parts: list[tuple[str, Callable[[], Iterable[str]]]] = [
        ("exactly one champion, whose artifact is whole", lambda: _champion(store, check_artifact, deep)),
        ("the audit chain holds and the versions are what it says", lambda: _audit(store)),
        ("no sample twice, no vector without sample, every shard readable", lambda: _samples(store, deep)),
        ("no run is running without a live lease", lambda: _runs(store, now)),
        ("every cursor is covered by committed deliveries", lambda: _cursors(store)),
        ("the database's own integrity check", lambda: _integrity(store)),
        ("no temporary file older than the start", lambda: _temporary(store, started_at)),
        ("nothing mixes encoder fingerprints", lambda: _fingerprints(store, deep)),
        ("gauges equal what the store says", recompute),
        ("no group on two sides of a split", lambda: _groups(store)),
    ]
    return [_check(number, name, part) for number, (name, part) in enumerate(parts, start=1)]


def _check(number: int, name: str, part: Callable[[], Iterable[str]]) -> Check:
    faults: list[str] = []
    try:
        faults.extend(part())
    except SidwatchError as error:
        faults.append(str(error))
    except DBAPIError as error:  # a damaged database fails the invariants that cannot be read
        faults.append(f"the database cannot be read ({error.orig})")
    except OSError as error:
        faults.append(f"{error.filename or 'a file'} cannot be read ({error.strerror or error})")
    except Exception as error:  # noqa: BLE001 - whatever a row raises that somebody wrote over: it is the answer
        faults.append(" ".join(f"what is stored cannot be read ({type(error).__name__}: {error})".split()))
    shown = "; ".join(faults[:_SHOWN])
    if len(faults) > _SHOWN:
        shown += f"; and {len(faults) - _SHOWN} more"
    return Check(number, name, not faults, shown)


def _champion(store: Store, check_artifact: Callable[[bytes, bytes], None], deep: bool) -> Iterator[str]:
    yield from _version_faults(store, deep)
    champion = store.registry.champion()
    if champion is None:  # as it should be before the first promotion
        yield from (
            f"{v.id} was promoted, yet there is no champion" for v in store.registry.versions() if v.state == "promoted"
        )
        return
    if champion.state != "promoted":
        yield f"the champion {champion.id} is {champion.state}"
    check_artifact(*store.registry.artifact(champion.id))


def _version_faults(store: Store, deep: bool) -> Iterator[str]:
    """What is wrong with files of versions beside the champion's: a rollback needs them.

    A version that the service left because it was damaged is known to be, and no rollback leads back to it unseen.
    """
    versions = store.registry.versions()  # read in any case: each row must be readable
    if not deep:
        return
    champion = store.registry.champion()
    known = {row.payload.get("damaged") for row in store.registry.audit()} | {champion.id if champion else None}
    for version in versions:
        try:
            if version.id not in known:
                store.registry.artifact(version.id)
        except SidwatchError as error:
            yield f"{version.id} ({version.state}): {error}"


def _audit(store: Store) -> Iterator[str]:
    with store.database.read() as connection:  # one snapshot: a service may decide meanwhile
        rows = audit.read(connection)
        broken = audit.verify(rows)
        if broken is not None:
            yield f"audit: {broken}"
        yield from champion_differing(connection, rows)
        if broken is None:  # else nothing more follows from the rows
            yield from differing(connection, rows)


def _samples(store: Store, deep: bool) -> Iterator[str]:
    s, v, sh = t.sample.c, t.vector.c, t.vector_shard.c
    with store.database.read() as connection:
        twice = select(s.sha256).group_by(s.sha256).having(func.count() > 1)
        yield from _each(connection, twice, "sample {0} is there twice")
        orphan = select(v.sample_id).outerjoin(t.sample, s.id == v.sample_id).where(s.id.is_(None))
        yield from _each(connection, orphan, "a vector of sample {0}, which is not there")
        counts = (
            select(sh.digest, sh.rows, func.count(v.row), func.max(v.row))
            .outerjoin(t.vector, v.shard_id == sh.id)
            .group_by(sh.id, sh.digest, sh.rows)
        )
        for digest, rows, there, last in connection.execute(counts):
            if there != rows or (last is not None and last >= rows):
                yield f"shard {digest[:12]} has {rows} rows, the database refers to {there}, up to {last}"
        shards = connection.execute(select(sh.id, sh.digest)).all()
        yield from _learned_counts(connection)
    yield from _forgotten(store, deep)
    faults = dict(_file_faults(store, deep))
    if deep:
        for shard in shards:
            for fault in _shard_rows(store, shard.id, shard.digest):
                faults.setdefault(shard.digest, fault)
    # A service that is at work replaces files (compaction, new statistics): what no row names by now is no fault.
    named = {digest for digest, _ in _named_files(store)}
    yield from (fault for digest, fault in faults.items() if digest in named)


def _named_files(store: Store) -> list[tuple[str, Path]]:
    """(digest, path) of every blob, shard and statistics file that a row names."""
    layout, s = store.layout, t.sample.c
    with store.database.read() as connection:
        blobs = connection.execute(select(s.sha256).where(s.has_blob, s.state != "forgotten")).scalars().all()
        shards = connection.execute(select(t.vector_shard.c.digest)).scalars().all()
        statistics = connection.execute(select(t.statistics.c.digest).distinct()).scalars().all()
    return [
        *((digest, layout.blob(digest)) for digest in blobs),
        *((digest, layout.shard(digest)) for digest in shards),
        *((digest, layout.statistics_file(digest)) for digest in statistics),
    ]


def _file_faults(store: Store, deep: bool) -> Iterator[tuple[str, str]]:
    """(digest, what is wrong) of files that are missing or, read deeply, changed."""
    for digest, path in _named_files(store):
        if not deep:
            if not path.is_file():
                yield digest, f"{path} is missing"
            continue
        try:
            read_checked(path, digest)
        except SidwatchError as error:
            yield digest, str(error)


def _shard_rows(store: Store, shard_id: int, digest: str) -> Iterator[str]:
    """The file holds, row for row, the samples that the database says."""
    try:
        shard = store.shards.load(digest)
    except SidwatchError as error:  # its digest may be right and its content no shard
        yield str(error)
        return
    v = t.vector.c
    with store.database.read() as connection:
        for sample_id, row in connection.execute(select(v.sample_id, v.row).where(v.shard_id == shard_id)):
            if not 0 <= row < len(shard.sample_ids) or shard.sample_ids[row] != sample_id:
                yield f"row {row} of shard {digest[:12]} is not sample {sample_id}"


def _learned_counts(connection: Connection) -> Iterator[str]:
    """Each group's n is the number of samples that were learned into it."""
    g, learned = t.statistics.c, t.learned.c
    query = (
        select(g.subject_kind, g.subject_name, g.profile, g.n, func.count(learned.sample_id).label("found"))
        .outerjoin(
            t.learned,
            (learned.fingerprint == g.fingerprint)
            & (learned.subject_kind == g.subject_kind)
            & (learned.subject_name == g.subject_name)
            & ((g.profile != "raw") | learned.raw_left_out.is_(None)),
        )
        .group_by(g.fingerprint, g.subject_kind, g.subject_name, g.profile, g.n)
    )
    for kind, name, profile, n, found in connection.execute(query):
        if n != found:
            yield f"the {profile} statistics of {kind} {name} count {n} samples, {found} were learned"

    groupless = (
        select(learned.subject_kind, learned.subject_name, func.count())
        .outerjoin(
            t.statistics,
            (learned.fingerprint == g.fingerprint)
            & (learned.subject_kind == g.subject_kind)
            & (learned.subject_name == g.subject_name),
        )
        .where(g.n.is_(None))
        .group_by(learned.fingerprint, learned.subject_kind, learned.subject_name)
    )
    yield from _each(connection, groupless, "{2} samples were learned as {0} {1}, which has no statistics")
    both = t.learned.join(
        t.clipped, (learned.sample_id == t.clipped.c.sample_id) & (learned.fingerprint == t.clipped.c.fingerprint)
    )
    names = select(t.sample.c.sha256).select_from(both.join(t.sample, t.sample.c.id == learned.sample_id))
    yield from _each(connection, names, "sample {0} was learned, though it is left out as implausible")


def _forgotten(store: Store, deep: bool) -> Iterator[str]:
    """Nothing is left of a forgotten sample, unless its bytes are still on their way out."""
    s = t.sample.c
    with store.database.read() as connection:
        forgotten = select(s.id).where(s.state == "forgotten")
        delivered = select(t.delivery.c.sha256).where(t.delivery.c.sample_id.in_(forgotten)).distinct()
        yield from _each(connection, delivered, "sample {0} is forgotten, though somebody delivered it")
        if connection.execute(select(t.forget.c.id).where(t.forget.c.state != "done").limit(1)).first():
            return
        tables = ((t.vector, "vectors"), (t.score, "scores"), (t.learned, "statistics"), (t.clipped, "a decision"))
        for table, what in tables:
            left = select(s.sha256).where(s.id.in_(select(table.c.sample_id)), s.state == "forgotten")
            yield from _each(connection, left, f"sample {{0}} is forgotten, yet the store has {what} of it")
        digests = connection.execute(select(s.sha256).where(s.state == "forgotten")).scalars().all()
        ids = set(connection.execute(forgotten).scalars())
        stray = unreferenced_by_rows(connection, store.layout) if deep and ids else []
    for digest in digests:
        if store.layout.blob(digest).exists():
            yield f"sample {digest} is forgotten, yet its picture is there"
    for path in stray:
        if path.suffix == ".parquet" and not ids.isdisjoint(store.shards.load(path.stem).sample_ids.tolist()):
            yield f"{path} holds vectors of a forgotten sample"


def _runs(store: Store, now: datetime) -> Iterator[str]:
    r = t.run.c
    query = select(r.job, r.tick).where(r.state == "running", r.lease_until.is_(None) | (r.lease_until <= now))
    with store.database.read() as connection:
        yield from _each(connection, query, "run {1} of {0} is running without a live lease")


def _cursors(store: Store) -> Iterator[str]:
    """An adapter's row says how many deliveries its cursor covers: no fewer and no more may be there."""
    a, d = t.adapter.c, t.delivery.c
    query = (
        select(a.name, a.deliveries, func.count(d.id))
        .outerjoin(t.delivery, d.adapter_id == a.id)
        .group_by(a.id, a.name, a.deliveries)
    )
    with store.database.read() as connection:
        for name, covered, found in connection.execute(query):
            if covered != found:
                yield f"the cursor of {name} covers {covered} deliveries, {found} are there"
        lost = select(d.uri).where(d.sample_id.is_(None), d.reason.is_(None))
        yield from _each(connection, lost, "delivery {0} was accepted, its sample is not there")


def _integrity(store: Store) -> Iterator[str]:
    if store.database.dialect != "sqlite":
        return  # PostgreSQL checks its pages and its constraints itself
    with store.database.read() as connection:
        for (line,) in connection.execute(text("PRAGMA integrity_check")):
            if line != "ok":
                yield f"integrity_check: {line}"
        for table, row, parent, _ in connection.execute(text("PRAGMA foreign_key_check")):
            yield f"row {row} of {table} refers to a row of {parent} that is not there"


def _temporary(store: Store, started_at: float) -> Iterator[str]:
    for path in store.layout.temporary_files(started_at):
        yield f"{path} was left behind"


def _fingerprints(store: Store, deep: bool) -> Iterator[str]:
    v, sh, r = t.vector.c, t.vector_shard.c, t.version.c
    with store.database.read() as connection:
        mixed = (
            select(sh.digest)
            .join(t.vector, v.shard_id == sh.id)
            .where((v.fingerprint != sh.fingerprint) | (v.profile != sh.profile))
            .distinct()
        )
        yield from _each(connection, mixed, "shard {0} holds vectors of another encoder or profile")
        dimensions = select(sh.fingerprint).group_by(sh.fingerprint).having(func.count(sh.dimension.distinct()) > 1)
        yield from _each(connection, dimensions, "vectors of encoder {0} differ in length")
        unlearned = (
            select(t.statistics.c.fingerprint)
            .outerjoin(t.statistics_revision, t.statistics_revision.c.fingerprint == t.statistics.c.fingerprint)
            .where(
                t.statistics_revision.c.revision.is_(None)
                | (t.statistics.c.revision > t.statistics_revision.c.revision)
            )
            .distinct()
        )
        yield from _each(connection, unlearned, "statistics of encoder {0} are beyond its revision")
        ahead = (
            select(r.id)
            .outerjoin(t.statistics_revision, t.statistics_revision.c.fingerprint == r.fingerprint)
            .where(r.statistics_revision > func.coalesce(t.statistics_revision.c.revision, 0))
        )
        yield from _each(connection, ahead, "version {0} was solved from statistics that its encoder does not have")
        shards = connection.execute(select(sh.digest, sh.fingerprint, sh.profile)).all() if deep else []
    for row in shards:
        try:
            shard = store.shards.load(row.digest)
        except SidwatchError:
            continue  # an unreadable shard is invariant 3's fault
        if (shard.fingerprint, shard.profile) != (row.fingerprint, row.profile):
            yield f"shard {row.digest} says it is of another encoder or profile"


def _groups(store: Store) -> Iterator[str]:
    g, s = t.sample_group.c, t.sample.c
    with store.database.read() as connection:
        for key, fold in connection.execute(select(g.key, g.fold)):
            if fold != fold_of(key):
                yield f"group {key} is in fold {fold}, its hash says {fold_of(key)}"
        leaked = (
            select(s.sha256, g.key, g.split)
            .join(t.sample_group, g.id == s.group_id)
            .join(t.learned, t.learned.c.sample_id == s.id)
            .where(g.split != "train")
            .distinct()
        )
        yield from _each(connection, leaked, "sample {0} of group {1} was learned, though it is {2}")


def _each(connection: Connection, query: Select[Any], message: str) -> Iterator[str]:
    for row in connection.execute(query):
        yield message.format(*row)
