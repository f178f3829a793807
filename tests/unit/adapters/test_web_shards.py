"""Tar shards on the web, against a server on this machine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from adapters.checks import assert_conforms
from adapters.webdataset import WebdatasetAdapter, WebdatasetOptions
from daemon.errors import BadInputError
from daemon.model import Candidate
from tests.unit.adapters.feed_server import Site, serving

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


def shard(count: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = 100_000
            archive.addfile(member, io.BytesIO(bytes([number]) * member.size))
    return stream.getvalue()


def adapter(address: str) -> WebdatasetAdapter:
    return WebdatasetAdapter("w", WebdatasetOptions(path=address, defaults={"label": "real"}))


def poll(made: WebdatasetAdapter) -> list[Candidate]:
    return [one for batch in made.poll(None, 1000, NOW) for one in batch.candidates]


def test_a_server_that_cannot_send_parts_is_streamed_from_and_the_contract_is_kept(site: Site) -> None:
    site.answers["/a.tar"] = (200, {}, shard(30))
    found = poll(adapter(site.url("/a.tar")))
    assert [(one.problem, one.content) for one in found] == [(None, bytes([n]) * 100_000) for n in range(30)]
    assert_conforms(lambda: adapter(site.url("/a.tar")), NOW)


def test_redirects_are_followed_on_the_server_that_was_named_and_not_into_the_own_network(site: Site) -> None:
    site.answers["/a.tar"] = (200, {}, shard(3))
    site.answers["/moved.tar"] = (302, {"Location": "/a.tar"}, b"")
    assert len(poll(adapter(site.url("/moved.tar")))) == 3
    with serving() as canary:
        for target in (
            canary.url("/a.tar").replace("127.0.0.1", "localhost"),
            "https://[::1]/a.tar",
            "file:///etc/passwd",
        ):
            site.answers["/trap.tar"] = (302, {"Location": target}, b"")
            with pytest.raises(BadInputError, match=r"trap.tar: (there is no shard|cannot be opened)"):
                poll(adapter(site.url("/trap.tar")))
        assert canary.asked == []
