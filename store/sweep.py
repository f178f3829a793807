"""What a killed process left behind: half-written files, and whole files whose rows were never committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from store import tables as t
from store.database import Database
from store.files import TEMPORARY_SUFFIX, remove_files
from store.layout import Layout


def sweep(database: Database, layout: Layout, started_at: float) -> int:
    """Remove temporary and unreferenced files older than `started_at`; returns how many.

    Parameters: `started_at` in Unix seconds of the real wall clock, for it is compared with modification times.
    Only the holder of the state lock may call this, before it writes anything.
    """
    doomed = layout.temporary_files(started_at)
    doomed += [path for path in unreferenced(database, layout) if path.stat().st_mtime < started_at]
    remove_files(doomed)
    return len(doomed)


def unreferenced(database: Database, layout: Layout) -> list[Path]:
    """Whole files in the state directory that no row names."""
    v = t.version.c
    with database.read() as connection:
        blobs = set(connection.execute(select(t.sample.c.sha256).where(t.sample.c.has_blob)).scalars())
        shards = set(connection.execute(select(t.vector_shard.c.digest)).scalars())
        statistics = set(connection.execute(select(t.statistics.c.digest)).scalars())
        tensors = set(connection.execute(select(v.tensors_sha256)).scalars())
        manifests = set(connection.execute(select(v.manifest_sha256)).scalars())
    named: list[tuple[Path, str, Callable[[str], bool]]] = [
        (layout.blobs, "", blobs.__contains__),
        (layout.vectors, ".parquet", shards.__contains__),
        (layout.statistics, "", statistics.__contains__),
        (layout.versions, ".safetensors", tensors.__contains__),
        (layout.versions, ".json", manifests.__contains__),
    ]
    return [path for folder, suffix, is_named in named for path in _files(folder, suffix) if not is_named(path.stem)]


def unreferenced_by_rows(connection: Connection, layout: Layout) -> list[Path]:
    """Whole shards and statistics files that no row names.

    Inside a write transaction, with `Shards.steady` held, nobody is between such a file and its row.
    """
    shards = set(connection.execute(select(t.vector_shard.c.digest)).scalars())
    statistics = set(connection.execute(select(t.statistics.c.digest)).scalars())
    return [
        *(path for path in _files(layout.vectors, ".parquet") if path.stem not in shards),
        *(path for path in _files(layout.statistics, "") if path.name not in statistics),
    ]


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    for path in folder.rglob(f"*{suffix}"):
        if path.is_file() and path.suffix != TEMPORARY_SUFFIX:
            yield path
