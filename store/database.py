"""The database behind the store: engines, transactions, schema version.

SQLite is written by one connection at a time (BEGIN IMMEDIATE, one lock per process); readers have their own
connections and never wait (WAL). Registry, audit and everything that lets old files be removed commits with
`synchronous=FULL`; the rest with NORMAL, which loses nothing to a killed process, and to a power cut at most the last
batches together with their cursors, so that they are fetched again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Select, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from daemon.errors import ConfigurationError, TemporaryError
from daemon.failpoints import failpoint
from store.migrations import HEAD, REVISIONS

T = TypeVar("T")

BUSY_SECONDS = 30.0
_IN_CLAUSE = 10_000  # SQLite allows 32,766 parameters per statement
_FETCHED = 2048  # rows taken from the driver at once


class Database:
    """Transactions on one database; `write` and `read` are the only ways in."""

    def __init__(self, engine: Engine, readers: Engine, *, read_only: bool) -> None:
        self._engine = engine
        self._readers = readers
        self._lock = threading.RLock()
        self._writing: Connection | None = None
        self.read_only = read_only

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """One transaction of the one writer; `durable` survives a power cut. Rolled back when the block raises.

        Raises TemporaryError when another process keeps the database locked or the disk is full.
        """
        if self.read_only:
            raise TemporaryError("the store is open for reading only")
        with self._lock:
            if self._writing is not None:
                raise RuntimeError("a write transaction inside a write transaction")
            with _typed_errors(), self._engine.connect() as connection:
                connection = connection.execution_options(durable=durable)
                with connection.begin():
                    self._writing = connection
                    try:
                        yield connection
                        failpoint("transaction.before_commit")
                    finally:
                        self._writing = None
                failpoint("transaction.committed")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot."""
        with _typed_errors(), self._readers.connect() as connection, connection.begin():
            yield connection

    def prepare(self) -> None:
        """Let the writer connect before any reader does: it makes an SQLite file, in WAL mode."""
        with _typed_errors(), self._engine.connect():
            pass

    def fold_log(self) -> None:
        """Fold SQLite's write-ahead log into the database and empty it, as far as readers let it."""
        if self.dialect != "sqlite":
            return
        with self._lock, _typed_errors():
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.close()

    def close(self) -> None:
        """Close every connection (SQLite then folds the write-ahead log into the database)."""
        self._readers.dispose()
        self._engine.dispose()


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        cause = str(error.orig)
        if "locked" in cause or "busy" in cause:
            raise TemporaryError(f"the database is locked by another process ({cause}); try again later") from error
        if "full" in cause:
            raise TemporaryError(f"no space left for the database ({cause}); make room and try again") from error
        if "readonly" in cause:
            raise TemporaryError(f"the database cannot be written ({cause}); check its permissions") from error
        raise


def chunks(values: Iterable[T], size: int = _IN_CLAUSE) -> Iterator[list[T]]:
    """Split values so that each part fits into one IN clause.

    >>> list(chunks([1, 2, 3], 2))
    [[1, 2], [3]]
    """
    values = list(values)
    for start in range(0, len(values), size):
        yield values[start : start + size]


def columns(connection: Connection, query: Select[Any]) -> list[list[Any]]:
    """The columns of a query's result, each a list.

    For results as long as the store: a row object for each sample costs more than the database does.
    """
    selected = list(query.selected_columns)
    convert = [one.type.dialect_impl(connection.dialect).result_processor(connection.dialect, None) for one in selected]
    found: list[list[Any]] = [[] for _ in selected]
    result = connection.execute(query)
    cursor = result.cursor
    assert cursor is not None, "a query gives rows"
    while part := cursor.fetchmany(_FETCHED):
        for column, values, process in zip(found, zip(*part, strict=True), convert, strict=True):
            column.extend(values if process is None else map(process, values))
    result.close()
    return found


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file."""
    return URL.create("sqlite", database=str(path))


def open_database(url: str | URL, *, read_only: bool = False, busy_seconds: float = BUSY_SECONDS) -> Database:
    """Open the database, bring its schema to head (unless read-only), refuse a schema newer than this program.

    Raises ConfigurationError for a newer or missing schema, TemporaryError when the database is locked.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed)
        database = Database(engine, engine, read_only=read_only)
    else:
        path = Path(parsed.database or "")
        if read_only and not path.is_file():
            raise ConfigurationError(f"there is no store at {path} yet; start the service once with `sidwatch run`")
        readers = _sqlite_engine(path, "ro" if read_only else "rw", busy_seconds)
        engine = readers if read_only else _sqlite_engine(path, "rwc", busy_seconds)
        database = Database(engine, readers, read_only=read_only)
    try:
        _bring_to_head(database)
    except BaseException:
        database.close()
        raise
    return database


def _sqlite_engine(path: Path, mode: str, busy_seconds: float) -> Engine:
    """An engine on a file; mode `rwc` makes the writer, `rw` and `ro` make readers."""
    writer = mode == "rwc"
    address = f"file:{quote(str(path.resolve()))}?mode={mode}"  # quoted: a folder may be called 100%

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=busy_seconds, check_same_thread=False)

    # The writer's one connection serves all threads, under the lock of Database.
    pool: dict[str, Any] = (
        {"poolclass": StaticPool} if writer else {"poolclass": QueuePool, "pool_size": 8, "max_overflow": 24}
    )
    engine = create_engine("sqlite://", creator=connect, **pool)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's recipe: the driver must not begin by itself
        if writer:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA secure_delete=ON")  # what is forgotten is overwritten, not only unlinked
        else:
            connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if writer:
            durable = connection.get_execution_options().get("durable", False)
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _bring_to_head(database: Database) -> None:
    try:
        database.prepare()
        with database.read() as connection:
            found = _revision(connection)
    except DBAPIError as error:
        raise ConfigurationError(f"the store's database cannot be read ({error.orig}); restore a backup") from error
    if found == HEAD:
        return
    if found is not None and found not in REVISIONS:
        raise ConfigurationError(
            f"the store's schema ({found}) is newer than this program ({HEAD}); "
            "install the newer sidwatch or restore a backup made with this one"
        )
    if database.read_only:
        raise ConfigurationError(
            f"the store's schema ({found or 'none'}) is older than this program ({HEAD}); "
            "start the service once with `sidwatch run`, it upgrades the store"
        )
    from store.migrations.run import upgrade  # alembic is slow to import and seldom needed

    with database.write(durable=True) as connection:
        upgrade(connection)


def check() -> list[str]:
    """Differences between the tables and the migrations, one line each; empty when they agree."""
    from alembic.util import AutogenerateDiffsDetected

    from store.migrations.run import compare, upgrade

    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        upgrade(connection)
        try:
            compare(connection)
        except AutogenerateDiffsDetected as found:
            return [str(difference) for difference in found.diffs]
        finally:
            connection.rollback()
    return []
