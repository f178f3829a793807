"""One state directory, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from daemon.errors import ConfigurationError
from daemon.model import Split
from store.blobs import Blobs
from store.database import BUSY_SECONDS, Database, open_database, sqlite_url
from store.encoder_migrations import SqlMigrations
from store.golden import SqlGoldenLog
from store.layout import Layout
from store.near_duplicates import NEAR_DUPLICATE_BITS, Hashes
from store.registry import SqlRegistry
from store.runs import SqlRunLog
from store.samples import SqlSampleStore
from store.shards import Shards
from store.splits import DEFAULT_SHARES
from store.sweep import sweep


@dataclass(frozen=True, slots=True)
class Store:
    """The ports over one state directory; close it when done."""

    layout: Layout
    database: Database
    shards: Shards
    samples: SqlSampleStore
    registry: SqlRegistry
    runs: SqlRunLog
    golden: SqlGoldenLog
    migrations: SqlMigrations

    def sweep(self, started_at: float) -> int:
        """Remove what a killed process left behind; see `store.sweep`."""
        return sweep(self.database, self.layout, started_at)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(
    root: Path,
    *,
    url: str | None = None,
    shares: Mapping[Split, float] = DEFAULT_SHARES,
    read_only: bool = False,
    busy_seconds: float = BUSY_SECONDS,
    near_duplicate_bits: int | None = NEAR_DUPLICATE_BITS,
) -> Store:
    """Open a state directory, creating it and bringing its schema to head unless `read_only`.

    Parameters: `url` of the database, None for `root`/sidwatch.db; `shares` of each split for groups seen first;
    `busy_seconds` to wait for another process's write; `near_duplicate_bits` in which the hashes of near-duplicates
    differ at most, None: they are not looked for.
    Raises ConfigurationError when there is no store to read or its schema is newer, TemporaryError when locked.
    """
    layout = Layout(root)
    if not read_only:
        try:
            layout.create()
        except OSError as error:
            raise ConfigurationError(f"state directory {root} cannot be made ({error.strerror})") from error
    database = open_database(url or sqlite_url(layout.database), read_only=read_only, busy_seconds=busy_seconds)
    shards = Shards(layout)
    hashes = None if near_duplicate_bits is None else Hashes(near_duplicate_bits)
    samples = SqlSampleStore(database, layout, shards, Blobs(layout), shares, hashes)
    return Store(
        layout,
        database,
        shards,
        samples,
        SqlRegistry(database, layout),
        SqlRunLog(database),
        SqlGoldenLog(database),
        SqlMigrations(database, layout, shards),
    )
