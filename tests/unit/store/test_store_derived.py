from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.derived import DerivedFiles
from store.layout import Layout


def test_what_was_kept_is_there_and_nothing_else(tmp_path: Path) -> None:
    files = DerivedFiles(Layout(tmp_path))
    assert files.get("concepts", "a") is None
    files.put("concepts", "a", b"one")
    assert files.get("concepts", "a") == b"one"
    assert files.get("concepts", "b") is None
    assert files.get("other", "a") is None


def test_a_damaged_file_counts_as_none_and_may_be_put_again(tmp_path: Path) -> None:
    files = DerivedFiles(Layout(tmp_path))
    files.put("concepts", "a", b"one")
    path = tmp_path / "derived" / "concepts" / "a"
    path.write_bytes(path.read_bytes()[:-1])
    assert files.get("concepts", "a") is None
    files.put("concepts", "a", b"one")
    assert files.get("concepts", "a") == b"one"


def test_what_is_put_again_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    files = DerivedFiles(Layout(tmp_path))
    files.put("inspected", "a", b"as an older program wrote it")
    files.put("inspected", "a", b"new")
    assert files.get("inspected", "a") == b"new"


def test_threads_that_keep_one_file_at_once_leave_it_whole(tmp_path: Path) -> None:
    files = DerivedFiles(Layout(tmp_path))
    contents = [bytes([number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(files.put, "concepts", "a", content) for content in contents * 5]:
            done.result()
    assert files.get("concepts", "a") in contents
    assert [path.name for path in (tmp_path / "derived" / "concepts").iterdir()] == ["a"]


def test_half_written_files_are_swept_like_all_others(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    DerivedFiles(layout).put("concepts", "a", b"one")
    half = tmp_path / "derived" / "concepts" / "b.tmp"
    half.write_bytes(b"")
    assert layout.temporary_files(half.stat().st_mtime + 1) == [half]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_where_nothing_may_be_written_nothing_is_kept(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    files = DerivedFiles(Layout(tmp_path))
    files.put("concepts", "a", b"one")
    assert files.get("concepts", "a") is None
