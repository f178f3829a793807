"""What the webdataset adapter delivers, refuses and remembers; the shards are written by the library itself."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import webdataset

from adapters.checks import assert_conforms
from adapters.webdataset import WebdatasetAdapter, WebdatasetOptions
from daemon.errors import BadInputError
from daemon.model import Candidate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULTS = {"label": "synthetic", "family": "dalle_3"}


def shard(file: Path, count: int, start: int = 0, **said: Any) -> None:
    with webdataset.TarWriter(str(file)) as sink:
        for i in range(start, start + count):
            picture = f"picture {i}".encode()
            sink.write({"__key__": f"{i:06d}", "jpg": picture, "txt": f"a cat {i}", "json": {"seed": i, **said}})


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def adapter(path: Path | str, **options: Any) -> WebdatasetAdapter:
    return WebdatasetAdapter(
        "w", WebdatasetOptions.model_validate({"path": str(path), "defaults": DEFAULTS, **options})
    )


def poll(made: WebdatasetAdapter, cursor: str | None = None, budget: int = 1000) -> tuple[list[Candidate], str | None]:
    found: list[Candidate] = []
    for batch in made.poll(cursor, budget, NOW):
        found += batch.candidates
        cursor = batch.cursor
    return found, cursor


def test_pictures_come_with_caption_seed_and_claims(tmp_path: Path) -> None:
    shard(tmp_path / "a-000.tar", 2, prompt_id="p7", licence="CC0-1.0")
    (first, second), _ = poll(adapter(tmp_path / "a-{000..000}.tar", columns={"group": "prompt_id"}))
    assert (first.uri, first.content, first.caption) == ("a-000.tar/000000.jpg", b"picture 0", "a cat 0")
    assert (first.label, first.family, first.group, first.licence) == ("synthetic", "dalle_3", "p7", "CC0-1.0")
    assert second.generation == {"seed": 1}


def test_the_adapter_keeps_the_contract_bad_members_included(tmp_path: Path) -> None:
    for number in range(3):
        shard(tmp_path / f"{number}.tar", 40, 40 * number)
    with tarfile.open(tmp_path / "3.tar", "w") as archive:
        add(archive, "a.json", b"{}")  # no picture
        add(archive, "b.jpg", b"x")
        add(archive, "b.json", b"[")  # no JSON
        add(archive, "c.jpg", b"x" * 2000)  # too large
        add(archive, "d.jpg", b"x")
        add(archive, "d.jpg", b"y")  # twice
        add(archive, "e.jpg", b"fine")
        add(archive, "__meta.json", b"{}")
    made = lambda: adapter(tmp_path / "*.tar", max_bytes=1000)  # noqa: E731
    assert_conforms(made, NOW, bad=4)
    found, _ = poll(made())
    assert {one.uri: one.problem for one in found[120:]} == {
        "3.tar/a": "bad_record",
        "3.tar/b.jpg": "bad_record",
        "3.tar/c.jpg": "too_many_bytes",
        "3.tar/d.jpg": "bad_record",
        "3.tar/e.jpg": None,
    }


@pytest.mark.parametrize(("cut", "whole"), [(10_000, 1), (10_240, 1), (20_000, 3)])
def test_a_shard_that_breaks_off_is_one_bad_record_and_the_next_one_is_read(
    tmp_path: Path, cut: int, whole: int
) -> None:
    shard(tmp_path / "0.tar", 10)
    (tmp_path / "0.tar").write_bytes((tmp_path / "0.tar").read_bytes()[:cut])
    shard(tmp_path / "1.tar", 2)
    found, _ = poll(adapter(tmp_path / "*.tar"))
    problems = [one for one in found if one.problem is not None]
    assert [one.problem for one in problems] == ["unreadable"]
    assert problems[0].uri == "0.tar#end"
    assert [one.uri for one in found[-2:]] == ["1.tar/000000.jpg", "1.tar/000001.jpg"]
    assert len(found) == whole + 3  # a sample that may lack its last member is not believed


def test_a_new_shard_continues_and_a_changed_one_starts_over(tmp_path: Path) -> None:
    shard(tmp_path / "0.tar", 5)
    _, cursor = poll(adapter(tmp_path / "*.tar"))
    shard(tmp_path / "1.tar", 3)
    found, cursor = poll(adapter(tmp_path / "*.tar"), cursor)
    assert [one.uri for one in found] == [f"1.tar/{i:06d}.jpg" for i in range(3)]
    shard(tmp_path / "0.tar", 40)
    assert len(poll(adapter(tmp_path / "*.tar"), cursor)[0]) == 43
    assert len(poll(adapter(tmp_path / "*.tar"), "of another kind")[0]) == 43


def test_a_family_that_is_not_released_waits_with_what_lies_behind_it(tmp_path: Path) -> None:
    shard(tmp_path / "0.tar", 2)
    shard(tmp_path / "1.tar", 2, released="2026-03-01")
    made = adapter(tmp_path / "*.tar")
    found, cursor = poll(made)
    assert len(found) == 2
    later = [one for batch in made.poll(cursor, 10, datetime(2026, 3, 1, tzinfo=UTC)) for one in batch.candidates]
    assert [one.uri for one in later] == ["1.tar/000000.jpg", "1.tar/000001.jpg"]


def test_compressed_shards_and_other_file_systems_are_read(tmp_path: Path) -> None:
    shard(tmp_path / "0.tar.gz", 3)
    assert len(poll(adapter(f"file://{tmp_path}/0.tar.gz"))[0]) == 3


def test_no_shards_are_one_clear_line(tmp_path: Path) -> None:
    for path, says in (("*.tar", "no shard fits"), ("{0..1}.tar", "there is no shard")):
        with pytest.raises(BadInputError, match=says):
            poll(adapter(tmp_path / path))
    (tmp_path / "x.tar").write_bytes(b"no archive" * 100)
    (found,), _ = poll(adapter(tmp_path / "x.tar"))
    assert found.problem == "unreadable"


def test_words_are_translated_and_a_real_picture_takes_no_default_family(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as archive:
        for name, model in (("a", "DALL-E 3"), ("b", "camera")):
            add(archive, f"{name}.png", name.encode())
            add(archive, f"{name}.json", json.dumps({"meta": {"model": model}}).encode())
    options = {
        "columns": {"family": "meta.model", "label": "meta.model"},
        "words": {
            "family": {"DALL-E 3": "dalle_3", "camera": ""},
            "label": {"DALL-E 3": "synthetic", "camera": "real"},
        },
    }
    found, _ = poll(adapter(tmp_path / "0.tar", **options))
    assert [(one.label, one.family) for one in found] == [("synthetic", "dalle_3"), ("real", None)]
    with pytest.raises(ValueError, match="'famly' is not one of"):
        WebdatasetOptions(path="x", columns={"famly": "x"})


def test_links_devices_and_paths_upwards_write_nothing_and_read_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"link{kind.decode()}.jpg")
            member.type, member.linkname = kind, str(tmp_path / "secret.jpg")
            archive.addfile(member)
        add(archive, "../../up.jpg", b"up")
        add(archive, "/etc/absolute.jpg", b"absolute")
        add(archive, "e\x1b[2J.jpg", b"escape")
    before = sorted(tmp_path.iterdir())
    found, _ = poll(adapter(tmp_path / "a.tar"))
    assert [one.content for one in found if one.problem is None] == [b"up", b"absolute", b"escape"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("packed", [False, True])
def test_giant_headers_and_members_that_nobody_reads_leave_the_memory_flat(tmp_path: Path, packed: bool) -> None:
    giant = 200 * 2**20
    name = tmp_path / ("a.tar.gz" if packed else "a.tar")
    with tarfile.open(name, "w:gz" if packed else "w") as archive:
        add(archive, "1.jpg", b"picture")
        for number in range(40):
            add(archive, f"1.part{number}", bytes(2**20))
        add(archive, "2.jpg", b"picture")
        add(archive, "2.txt", b"may have more members behind the break, so it is not delivered")
        header = tarfile.TarInfo("pax")
        header.type, header.size = tarfile.XHDTYPE, giant
        archive.addfile(header, Zeros(giant))
        add(archive, "3.jpg", b"picture")
    tracemalloc.start()
    try:
        found, _ = poll(adapter(name))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [one.problem for one in found] == [None, "unreadable"]
    assert "extended header of 209,715,200 bytes" in found[1].problem_detail
    assert most < 64 * 2**20  # what 10 kB of gzip can hold is unpacked at once, and copied


class Zeros(io.RawIOBase):
    """So many zero bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        given = min(self._left, size if size >= 0 else self._left)
        self._left -= given
        return bytes(given)
