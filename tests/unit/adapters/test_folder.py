"""What the folder adapter delivers, refuses and remembers."""

from __future__ import annotations

import errno
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.folder import FolderAdapter, FolderOptions
from daemon.errors import BadInputError
from daemon.model import Candidate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def put(inbox: Path, *names: str) -> None:
    for name in names:
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_bytes(f"bytes of {name}".encode())


def poll(
    inbox: Path, cursor: str | None = None, budget: int = 10_000, now: datetime = NOW, **options: Any
) -> tuple[dict[str, Candidate], str | None]:
    """What came, by uri, and the last cursor."""
    adapter = FolderAdapter("inbox", FolderOptions(path=str(inbox), **{"settle": 0, **options}))
    found: list[Candidate] = []
    for batch in adapter.poll(cursor, budget, now):
        found += batch.candidates
        cursor = batch.cursor
    assert len({candidate.uri for candidate in found}) == len(found)
    return {candidate.uri: candidate for candidate in found}, cursor


# --- what the folders say -------------------------------------------------------------------------------------


def test_folders_name_label_family_and_collection(tmp_path: Path) -> None:
    put(
        tmp_path,
        "real/a.jpg",
        "real/kodak/b.PNG",
        "real/kodak/deep/c.jpeg",
        "dalle_3/d.webp",
        "dalle_3/x/e.jpg",
        "f.jpg",
    )
    found, _ = poll(tmp_path)
    assert {uri: (c.label, c.family, c.source) for uri, c in found.items()} == {
        "real/a.jpg": ("real", None, None),
        "real/kodak/b.PNG": ("real", None, "kodak"),
        "real/kodak/deep/c.jpeg": ("real", None, "kodak"),
        "dalle_3/d.webp": ("synthetic", "dalle_3", None),
        "dalle_3/x/e.jpg": ("synthetic", "dalle_3", None),
        "f.jpg": (None, None, None),
    }
    assert all(c.content == f"bytes of {uri}".encode() and c.problem is None for uri, c in found.items())


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("DALL-E 3", "such as 'dall_e_3'"),
        ("synthetic", "name the generator"),
        ("Real", "must be lower snake case"),
    ],
)
def test_a_folder_that_is_no_family_name_is_refused_with_a_suggestion(tmp_path: Path, folder: str, says: str) -> None:
    put(tmp_path, f"{folder}/a.jpg")
    found, _ = poll(tmp_path)
    candidate = found[f"{folder}/a.jpg"]
    assert (candidate.problem, candidate.content) == ("bad_record", None)
    assert says in candidate.problem_detail


def test_other_formats_are_counted_once_and_hidden_files_ignored(tmp_path: Path) -> None:
    put(tmp_path, "real/a.gif", "real/notes.txt", "real/.hidden.jpg", ".trash/b.jpg", "real/c.jpg")
    found, cursor = poll(tmp_path)
    assert {uri: c.problem for uri, c in found.items()} == {
        "real/a.gif": "format_not_allowed",
        "real/notes.txt": "format_not_allowed",
        "real/c.jpg": None,
    }
    assert poll(tmp_path, cursor) == ({}, cursor)


def test_a_picture_over_the_cap_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, "real/a.jpg")
    found, _ = poll(tmp_path, max_bytes=3)
    assert (found["real/a.jpg"].problem, found["real/a.jpg"].content) == ("too_many_bytes", None)


def test_a_file_name_that_is_no_text_is_refused_and_printable(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "real") + b"/\xff.jpg")).write_bytes(b"x")
    found, _ = poll(tmp_path)
    assert [(uri, c.problem) for uri, c in found.items()] == [("real/\\udcff.jpg", "bad_record")]


# --- what the sidecar says ------------------------------------------------------------------------------------


def sidecar(inbox: Path, *lines: str, header: str = "uri,label,family,source,group") -> None:
    (inbox / "labels.csv").write_text("\n".join((header, *lines)) + "\n")


def test_a_row_with_a_label_replaces_the_folders_and_one_without_adds_to_them(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "dalle_3/b.jpg", "dalle_3/c.jpg", "real/kodak/d.jpg")
    sidecar(tmp_path, "a.jpg,synthetic,flux,,", "dalle_3/b.jpg,real,,flickr,", "./dalle_3/c.jpg,,,,prompt:1")
    found, _ = poll(tmp_path)
    assert {uri: (c.label, c.family, c.source, c.group) for uri, c in found.items()} == {
        "a.jpg": ("synthetic", "flux", None, None),
        "dalle_3/b.jpg": ("real", None, "flickr", None),
        "dalle_3/c.jpg": ("synthetic", "dalle_3", None, "prompt:1"),
        "real/kodak/d.jpg": ("real", None, "kodak", None),
    }


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["a.jpg,fake,,,"], "label 'fake' is not one of real, synthetic"),
        (["a.jpg,synthetic,Flux 1,,"], "such as 'flux_1'"),
        (["a.jpg,real,,,", "a.jpg,synthetic,,,"], "labels.csv has more than one row for it"),
    ],
)
def test_a_bad_row_makes_its_picture_a_bad_record(tmp_path: Path, lines: list[str], says: str) -> None:
    put(tmp_path, "a.jpg")
    sidecar(tmp_path, *lines)
    found, _ = poll(tmp_path)
    assert (found["a.jpg"].problem, found["a.jpg"].content) == ("bad_record", None)
    assert says in found["a.jpg"].problem_detail


@pytest.mark.parametrize(
    ("header", "line", "says"),
    [
        ("uri,class", "a.jpg,real", "the column 'label' is missing; there are: uri, class"),
        ("uri,label", "a.jpg", "row 1 has 1 cells, the header 2"),
        ("uri,label", ",real", "row 1 has no uri"),
    ],
)
def test_a_wrong_sidecar_is_one_clear_line(tmp_path: Path, header: str, line: str, says: str) -> None:
    put(tmp_path, "a.jpg")
    sidecar(tmp_path, line, header=header)
    with pytest.raises(BadInputError) as caught:
        poll(tmp_path)
    assert says in str(caught.value) and "labels.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_label_that_comes_later_brings_the_picture_again(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "real/b.jpg")
    found, cursor = poll(tmp_path)
    assert found["a.jpg"].label is None
    sidecar(tmp_path, "a.jpg,real,,,")
    found, cursor = poll(tmp_path, cursor)
    assert found["a.jpg"].label == "real"
    assert poll(tmp_path, cursor) == ({}, cursor)


def test_a_family_is_held_back_until_its_release(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    sidecar(tmp_path, "a.jpg,synthetic,new,2024-05", "b.jpg,real,,", header="uri,label,family,released")
    found, cursor = poll(tmp_path, now=datetime(2024, 4, 30, tzinfo=UTC))
    assert list(found) == ["b.jpg"]
    found, cursor = poll(tmp_path, cursor, now=datetime(2024, 5, 1, tzinfo=UTC))
    assert found["a.jpg"].released == "2024-05"
    assert poll(tmp_path, cursor) == ({}, cursor)


# --- what must not be read ------------------------------------------------------------------------------------


def test_links_that_leave_the_inbox_are_refused_and_those_within_are_followed(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    put(inbox, "real/a.jpg")
    put(tmp_path, "secret/s.jpg")
    (inbox / "real/within.jpg").symlink_to("a.jpg")
    (inbox / "real/out.jpg").symlink_to(tmp_path / "secret/s.jpg")
    (inbox / "real/folder").symlink_to(tmp_path / "secret")
    (inbox / "real/broken.jpg").symlink_to("none.jpg")
    (inbox / "real/loop").symlink_to(".")
    found, cursor = poll(inbox)
    assert {uri: (c.problem, c.content) for uri, c in found.items()} == {
        "real/a.jpg": (None, b"bytes of real/a.jpg"),
        "real/within.jpg": (None, b"bytes of real/a.jpg"),
        "real/out.jpg": ("bad_record", None),
        "real/folder": ("bad_record", None),
        "real/broken.jpg": ("unreadable", None),
        "real/loop": ("bad_record", None),
    }
    assert poll(inbox, cursor) == ({}, cursor)


def test_a_pipe_named_like_a_picture_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.mkfifo(tmp_path / "real/pipe.jpg")
    found, _ = poll(tmp_path)
    assert found["real/pipe.jpg"].problem == "unreadable"


def test_folders_without_end_are_cut_off(tmp_path: Path) -> None:
    put(tmp_path, "real/" + "x/" * 30 + "a.jpg", "real/" + "x/" * 500 + "b.jpg")
    found, cursor = poll(tmp_path)
    assert sorted((uri.count("/"), c.problem) for uri, c in found.items()) == [(31, None), (33, "bad_record")]
    assert poll(tmp_path, cursor) == ({}, cursor)


def test_an_absent_inbox_and_a_file_in_its_place_are_said_in_one_line(tmp_path: Path) -> None:
    put(tmp_path, "file")
    for wrong in ("none", "file"):
        with pytest.raises(BadInputError) as caught:
            poll(tmp_path / wrong)
        assert str(tmp_path / wrong) in str(caught.value) and "\n" not in str(caught.value)


def test_what_the_system_forbids_is_unreadable_and_the_rest_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "real/a.jpg", "real/b.jpg", "closed/c.jpg")
    real_open, real_scandir = os.open, os.scandir

    def deny(call: Any, name: str) -> Any:
        def guarded(path: Any, *rest: Any) -> Any:
            if str(path).endswith(name):
                raise PermissionError(13, "Permission denied")
            return call(path, *rest)

        return guarded

    monkeypatch.setattr(os, "open", deny(real_open, "/b.jpg"))
    monkeypatch.setattr(os, "scandir", deny(real_scandir, "/closed"))
    found, cursor = poll(tmp_path)
    assert {uri: c.problem for uri, c in found.items()} == {
        "real/a.jpg": None,
        "real/b.jpg": "unreadable",
        "closed/": "unreadable",
    }
    assert "Permission denied" in found["real/b.jpg"].problem_detail
    monkeypatch.undo()
    assert "closed/c.jpg" in poll(tmp_path, cursor)[0]


# --- the cursor: repeats are harmless, losses are not ---------------------------------------------------------


def test_a_file_still_being_written_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "real/old.jpg", "real/fresh.jpg", "real/future.jpg")
    wall = time.time()
    os.utime(tmp_path / "real/old.jpg", (wall - 60, wall - 60))
    os.utime(tmp_path / "real/future.jpg", (wall + 10**8, wall + 10**8))
    found, cursor = poll(tmp_path, settle=30)
    assert sorted(found) == ["real/future.jpg", "real/old.jpg"]
    later = time.time_ns() + 31 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    assert "real/fresh.jpg" in poll(tmp_path, cursor, settle=30)[0]


def test_only_new_files_come_at_the_next_poll(tmp_path: Path) -> None:
    put(tmp_path, *(f"real/{i}.jpg" for i in range(300)))
    found, cursor = poll(tmp_path)
    assert len(found) == 300
    time.sleep(0.02)  # change times have the kernel's tick as their unit
    put(tmp_path, "real/new.jpg", "dalle_3/new.jpg")
    found, cursor = poll(tmp_path, cursor)
    assert sorted(found) == ["dalle_3/new.jpg", "real/new.jpg"]
    assert poll(tmp_path, cursor) == ({}, cursor)


def test_files_with_old_times_are_not_lost(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside, "sd_1_x/a.jpg", "sd_1_x/b.jpg")
    for file in outside.rglob("*.jpg"):
        os.utime(file, (10**9, 10**9))
    time.sleep(0.02)
    inbox = tmp_path / "inbox"
    put(inbox, *(f"real/{i}.jpg" for i in range(50)))
    _, cursor = poll(inbox)
    (outside / "sd_1_x").rename(inbox / "sd_1_x")  # the files in it keep every time that they had
    found, cursor = poll(inbox, cursor)
    assert {"sd_1_x/a.jpg", "sd_1_x/b.jpg"} <= set(found)
    assert poll(inbox, cursor) == ({}, cursor)


def test_a_file_that_changed_comes_again_with_its_new_bytes(tmp_path: Path) -> None:
    put(tmp_path, *(f"real/{i}.jpg" for i in range(20)))
    _, cursor = poll(tmp_path)
    (tmp_path / "real/7.jpg").write_bytes(b"other")
    found, cursor = poll(tmp_path, cursor)
    assert found["real/7.jpg"].content == b"other"
    assert poll(tmp_path, cursor) == ({}, cursor)


def test_removing_files_repeats_few_and_loses_none(tmp_path: Path) -> None:
    put(tmp_path, *(f"real/{i}.jpg" for i in range(1000)))
    _, cursor = poll(tmp_path)
    (tmp_path / "real/500.jpg").unlink()
    time.sleep(0.02)
    put(tmp_path, "real/new.jpg")
    found, cursor = poll(tmp_path, cursor)
    assert "real/new.jpg" in found
    assert len(found) < 30  # one bucket of 256
    assert poll(tmp_path, cursor) == ({}, cursor)


def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_poll(tmp_path: Path) -> None:
    put(tmp_path, *(f"real/{i:03}.jpg" for i in range(100)))
    adapter = FolderAdapter("inbox", FolderOptions(path=str(tmp_path), settle=0))
    batches = adapter.poll(None, 1000, NOW)
    first = next(batches)  # the inbox is listed by now, 36 files are still to be read
    delivered = {candidate.uri for candidate in first.candidates}
    waiting = sorted({f"real/{i:03}.jpg" for i in range(100)} - delivered)
    (tmp_path / waiting[0]).write_bytes(b"longer than it was when listed")
    (tmp_path / waiting[1]).unlink()
    last = first
    for last in batches:
        delivered |= {candidate.uri for candidate in last.candidates}
    assert sorted({f"real/{i:03}.jpg" for i in range(100)} - delivered) == waiting[:2]
    found, _ = poll(tmp_path, last.cursor)
    assert found[waiting[0]].content == b"longer than it was when listed"


def test_budgets_and_interruptions_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    put(tmp_path, *(f"fam_{i % 7}/{i}.jpg" for i in range(200)))
    seen: list[str] = []
    cursor = None
    while True:
        found, cursor = poll(tmp_path, cursor, budget=33)
        if not found:
            break
        assert len(found) <= 33
        seen += found
    assert len(seen) == len(set(seen)) == 200


def test_the_cursor_stays_small(tmp_path: Path) -> None:
    put(tmp_path, *(f"real/{i}.jpg" for i in range(3000)))
    _, cursor = poll(tmp_path)
    assert cursor is not None and len(cursor) < 10_000  # every bucket is in use: it cannot grow further


def test_other_options_and_a_foreign_cursor_start_over(tmp_path: Path) -> None:
    put(tmp_path, "real/a.jpg")
    _, cursor = poll(tmp_path)
    assert len(poll(tmp_path, cursor, max_bytes=10**6)[0]) == 1
    assert len(poll(tmp_path, '{"options": "x", "rows": 3}')[0]) == 1
    assert len(poll(tmp_path, "no json")[0]) == 1


# --- patterns and the archive ----------------------------------------------------------------------------------


def test_patterns_say_what_is_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "dalle_3/a.jpg", "dalle_3/old/b.jpg", "real/kodak/c.jpg", "notes.txt")
    assert set(poll(tmp_path, include=("dalle_3/*",))[0]) == {"dalle_3/a.jpg", "dalle_3/old/b.jpg"}
    assert set(poll(tmp_path, exclude=("*/old/*", "*.txt"))[0]) == {"dalle_3/a.jpg", "real/kodak/c.jpg"}


def test_pictures_are_moved_away_only_once_their_cursor_came_back(tmp_path: Path) -> None:
    inbox, archive = tmp_path / "inbox", tmp_path / "archive"
    put(inbox, "dalle_3/a.jpg", "real/kodak/b.jpg", "notes.txt")
    found, cursor = poll(inbox, archive=str(archive))
    assert len(found) == 3
    assert not archive.exists()
    again, _ = poll(inbox, archive=str(archive))  # the batch was lost: nothing may be missing
    assert set(again) == set(found)
    nothing, _ = poll(inbox, cursor, archive=str(archive))
    assert nothing == {}
    assert (archive / "dalle_3/a.jpg").read_bytes() == b"bytes of dalle_3/a.jpg"
    assert (archive / "real/kodak/b.jpg").is_file()
    assert sorted(path.name for path in inbox.rglob("*") if path.is_file()) == ["notes.txt"]


def test_what_comes_after_an_archived_picture_is_delivered_once(tmp_path: Path) -> None:
    inbox, archive = tmp_path / "inbox", tmp_path / "archive"
    seen: list[str] = []
    cursor: str | None = None
    for day in range(4):
        put(inbox, *(f"dalle_3/{day}_{i}.jpg" for i in range(300)))  # more than there are buckets
        found, cursor = poll(inbox, cursor, archive=str(archive))
        seen += found
    assert len(seen) == len(set(seen)) == 1200
    assert len(list(archive.rglob("*.jpg"))) == 900


def test_a_picture_that_was_replaced_since_is_not_moved_but_delivered(tmp_path: Path) -> None:
    inbox, archive = tmp_path / "inbox", tmp_path / "archive"
    put(inbox, "a.jpg")
    _, cursor = poll(inbox, archive=str(archive))
    (inbox / "a.jpg").write_bytes(b"another picture")
    found, _ = poll(inbox, cursor, archive=str(archive))
    assert found["a.jpg"].content == b"another picture"
    assert not archive.exists()


def test_an_archived_picture_never_replaces_another_one(tmp_path: Path) -> None:
    inbox, archive = tmp_path / "inbox", tmp_path / "archive"
    put(archive, "a.jpg")
    (inbox).mkdir()
    (inbox / "a.jpg").write_bytes(b"new")
    _, cursor = poll(inbox, archive=str(archive))
    poll(inbox, cursor, archive=str(archive))
    assert sorted(path.read_bytes() for path in archive.iterdir()) == [b"bytes of a.jpg", b"new"]


@pytest.mark.parametrize("archive", ["inbox/done", "inbox", "."])
def test_an_archive_that_would_be_taken_in_again_is_refused(tmp_path: Path, archive: str) -> None:
    with pytest.raises(ValueError, match="archive"):
        FolderOptions(path=str(tmp_path / "inbox"), archive=str(tmp_path / archive))
    FolderOptions(path=str(tmp_path / "inbox"), archive=str(tmp_path / "inbox/.done"))


def test_an_archive_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    put(inbox, "a.jpg")
    (tmp_path / "archive").write_bytes(b"a file")
    _, cursor = poll(inbox)
    with pytest.raises(BadInputError, match=r"the archive cannot be written: (Not a directory|File exists)"):
        poll(inbox, cursor, archive=str(tmp_path / "archive"))


def test_an_archive_on_another_file_system_gets_a_whole_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def across(self: Path, target: Path) -> Path:
        if self.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    inbox, archive = tmp_path / "inbox", tmp_path / "archive"
    put(inbox, "a.jpg")
    _, cursor = poll(inbox, archive=str(archive))
    monkeypatch.setattr(Path, "replace", across)
    poll(inbox, cursor, archive=str(archive))
    assert [path.name for path in archive.iterdir()] == ["a.jpg"]
    assert (archive / "a.jpg").read_bytes() == b"bytes of a.jpg"
    assert list(inbox.iterdir()) == []
