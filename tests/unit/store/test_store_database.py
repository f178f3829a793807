"""Opening: schema, reading beside a writer, locks of other processes."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, Table, select, text
from store_testing import T0, fake, minutes

import store.migrations.check
from daemon.errors import ConfigurationError, StateLocked, TemporaryError
from daemon.model import SPLITS
from store import DEFAULT_SHARES, StateLock, Store, fold_of, open_store, split_of
from store import tables as t
from store.database import check, open_database, sqlite_url
from store.migrations import HEAD, REVISIONS


def test_the_tables_and_the_migrations_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert check() == []
    assert store.migrations.check.main() == 0
    assert capsys.readouterr().err == ""


def test_a_table_without_a_migration_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    extra = Table("extra", t.metadata, Column("id", Integer, primary_key=True))
    try:
        assert store.migrations.check.main() == 1
    finally:
        t.metadata.remove(extra)
    assert "extra" in capsys.readouterr().err


def test_the_listed_revisions_are_those_of_the_scripts() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(store.migrations.__file__).parent))
    assert scripts.get_current_head() == HEAD
    assert {script.revision for script in scripts.walk_revisions()} == set(REVISIONS)


def test_a_newer_schema_is_refused(open_at: Callable[..., Store]) -> None:
    opened = open_at()
    with opened.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for read_only in (False, True):
        with pytest.raises(ConfigurationError, match=r"\(9999\) is newer than this program"):
            open_at(read_only=read_only)


def test_a_migration_that_dies_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.migrations import run

    upgrade = run.upgrade

    def dies(connection: object) -> None:
        upgrade(connection)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(run, "upgrade", dies)
        open_store(tmp_path)
    with pytest.raises(ConfigurationError, match=r"\(none\) is older"):
        open_store(tmp_path, read_only=True)
    with open_store(tmp_path) as again:
        assert again.samples.sample_counts()["total"] == 0


def test_a_store_in_use_can_be_read_but_not_written_by_a_reader(open_at: Callable[..., Store]) -> None:
    writer = open_at()
    writer.samples.admit("man", "trusted", [fake("a")], "1", T0)
    reader = open_at(read_only=True)
    with writer.database.write() as connection:  # a write is under way
        connection.execute(t.source.update().values(trust="known"))
        assert reader.samples.sample_counts()["total"] == 1
        assert reader.samples.subjects()[0].trust == "trusted"
    assert reader.samples.subjects()[0].trust == "known"
    with pytest.raises(TemporaryError, match="reading only"):
        reader.samples.note_success("man", T0)


def test_a_store_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no store at"):
        open_store(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_the_folder_may_have_any_name(tmp_path: Path) -> None:
    root = tmp_path / "100% real? #1 ä"
    with open_store(root) as opened:
        opened.samples.note_success("man", T0)
    with open_store(root, read_only=True) as opened:
        assert [row.name for row in opened.samples.adapters()] == ["man"]
    assert (root / "sidwatch.db").is_file()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sidwatch.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_store(tmp_path)


def test_a_database_locked_by_another_process_is_a_typed_error(open_at: Callable[..., Store]) -> None:
    opened = open_at(busy_seconds=0.05)
    other = sqlite3.connect(opened.layout.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError, match="locked by another process"):
        opened.samples.note_success("man", T0)
    other.execute("ROLLBACK")
    other.close()
    opened.samples.note_success("man", T0)


def test_registry_commits_survive_a_power_cut_and_the_rest_is_fast(store: Store) -> None:
    found = []
    for durable in (True, False):
        with store.database.write(durable=durable) as connection:
            found.append(connection.execute(text("PRAGMA synchronous")).scalar())
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    assert found == [2, 1]


def test_threads_share_the_store(store: Store) -> None:
    def work(number: int) -> None:
        for step in range(10):
            one = fake(f"{number}-{step}")
            store.samples.admit(f"a{number}", "trusted", [one], str(step), T0)
            assert store.samples.cursor(f"a{number}") == str(step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.samples.sample_counts()["total"] == 40


def test_fifty_openings_leak_no_descriptor(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    gc.collect()  # what tests before this one left open must not be closed in the middle of it
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        with open_store(tmp_path) as opened:
            opened.samples.sample_counts()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_times_come_back_aware_and_naive_ones_are_refused(store: Store) -> None:
    store.samples.note_success("man", T0)
    with store.database.read() as connection:
        assert connection.execute(select(t.adapter.c.last_success_at)).scalar_one() == T0
    with pytest.raises(Exception, match="aware datetimes only"):
        store.samples.note_success("man", datetime(2026, 1, 1))


def test_a_second_process_is_refused_by_name_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from datetime import datetime, UTC; from pathlib import Path; from store import StateLock\n"
        "lock = StateLock(Path(sys.argv[1]), datetime(2026, 1, 1, tzinfo=UTC)); print('held', flush=True)\n"
        "time.sleep(60)"
    )
    root = Path(store.__file__).parents[1]
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        with pytest.raises(StateLocked, match=rf"process {child.pid} on .* since 2026-01-01T00:00:00"):
            StateLock(tmp_path, T0)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        with StateLock(tmp_path, T0), pytest.raises(StateLocked, match=f"process {os.getpid()} "):
            StateLock(tmp_path, minutes(1))
        StateLock(tmp_path, minutes(2)).close()
    finally:
        child.kill()
        child.wait(10)


def test_opening_for_status_imports_no_heavy_library(open_at: Callable[..., Store]) -> None:
    root = open_at().layout.root
    code = (
        "import sys; from pathlib import Path; import store\n"
        "opened = store.open_store(Path(sys.argv[1]), read_only=True); opened.samples.subjects()\n"
        "print([name for name in ('torch', 'pyarrow', 'alembic', 'scipy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_splits_are_stable_and_have_their_shares() -> None:
    keys = [f"group-{number}" for number in range(4000)]
    sides = [split_of(key, DEFAULT_SHARES) for key in keys]
    for split in SPLITS:
        assert abs(sides.count(split) / len(keys) - DEFAULT_SHARES[split]) < 0.025
    holdout_folds = [fold_of(key) for key, side in zip(keys, sides, strict=True) if side == "holdout"]
    assert all(abs(holdout_folds.count(fold) / len(holdout_folds) - 0.2) < 0.06 for fold in range(5))
    assert (split_of("photo-17", DEFAULT_SHARES), fold_of("photo-17")) == ("train", 0)
    with pytest.raises(ValueError, match="must not be negative"):
        split_of("a", {"train": -1.0, "holdout": 2.0})


def test_stores_that_threads_open_at_once_get_each_their_own_tables(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda number: open_database(sqlite_url(tmp_path / f"{number}.db")), range(8)))
    for database in opened:
        with database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM adapter")).scalar_one() == 0
        database.close()
