"""A manifest on the web, against a server on this machine: safe fetching, one root, no secret in a message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.checks import assert_conforms
from adapters.fetching import Fetcher, FetchLimits
from adapters.manifest import ManifestAdapter, ManifestOptions
from adapters.records import BadRecord
from adapters.web_pictures import WebPictures
from daemon.errors import BadInputError
from daemon.model import Candidate
from tests.unit.adapters.feed_server import Site, endless, serving

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIST = "/set/list.csv?key=secret"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


def adapter(site: Site, *uris: str, **options: Any) -> ManifestAdapter:
    site.answers[LIST] = (200, {}, "\n".join(["uri,label", *(f"{uri},real" for uri in uris)]).encode())
    given = {"path": site.url(LIST), "allowed_hosts": (f"127.0.0.1:{site.port}",), **options}
    return ManifestAdapter("m", ManifestOptions(**given))


def poll(made: ManifestAdapter) -> list[Candidate]:
    return [one for batch in made.poll(None, 1000, NOW) for one in batch.candidates]


def test_pictures_beside_the_list_come_by_name_and_by_address(site: Site) -> None:
    for path in ("/set/a.jpg", "/set/in/b%20c.jpg", "/set/d.jpg?signed=1", "/set/e%23f%3F.jpg", "/set/%C3%BC.jpg"):
        site.answers[path] = (200, {}, path.encode())
    uris = ["a.jpg", "in/b c.jpg", site.url("/set/d.jpg?signed=1"), "e#f?.jpg", "ü.jpg"]
    found = poll(adapter(site, *uris))
    assert [(one.uri, one.problem) for one in found] == [(uri, None) for uri in uris]
    assert [one.content for one in found] == [path.encode() for path in list(site.answers)[:5]]


def test_it_keeps_the_contract_bad_members_included(site: Site) -> None:
    for number in range(70):
        site.answers[f"/set/{number}.jpg"] = (200, {}, b"picture %d" % number)
    site.answers["/set/endless.jpg"] = endless
    uris = [*(f"{number}.jpg" for number in range(70)), "absent.jpg", "endless.jpg", "text.txt"]
    assert_conforms(lambda: adapter(site, *uris, max_bytes=10_000), NOW, bad=3)
    assert [one.problem for one in poll(adapter(site, *uris, max_bytes=10_000))][70:] == [
        "unreadable",
        "too_many_bytes",
        "format_not_allowed",
    ]


def test_a_redirect_into_the_own_network_is_not_followed(site: Site) -> None:
    with serving() as canary:
        site.answers["/set/a.jpg"] = (302, {"Location": canary.url("/a.jpg")}, b"")
        (found,) = poll(adapter(site, "a.jpg"))
        assert canary.asked == []
    assert found.problem == "bad_record"


def test_a_list_in_the_own_network_needs_its_host_allowed(site: Site) -> None:
    with pytest.raises(BadInputError, match="only https is fetched, and http from hosts in `allowed_hosts`"):
        poll(adapter(site, "a.jpg", allowed_hosts=()))
    assert site.asked == []


def test_a_list_that_is_not_there_is_one_line_without_the_secret(site: Site) -> None:
    made = adapter(site)
    del site.answers[LIST]
    with pytest.raises(BadInputError) as caught:
        poll(made)
    assert str(caught.value) == f"the list cannot be read: {site.url('/set/list.csv')}: 404 Not Found"
    bad_list = adapter(site)
    site.answers[LIST] = (200, {}, b"uri\na.jpg\n")
    with pytest.raises(BadInputError, match="the column 'label' is missing") as caught:
        poll(bad_list)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "../x.jpg",
        "/etc/x.jpg",
        "in/../../x.jpg",
        "%2e%2e/x.jpg",
        "%252e%252e/x.jpg",
        "..\\x.jpg",
        "..%5Cx.jpg",
        "https://pictures.example/other/x.jpg",
        "https://pictures.example/set/../x.jpg",
        "https://pictures.example/setx.jpg",
        "https://pictures.example:444/set/x.jpg",
        "http://pictures.example/set/x.jpg",
        "https://me@pictures.example/set/x.jpg",
        "https://pictures.example@other.example/set/x.jpg",
        "https://pictures.example.other.example/set/x.jpg",
        "https://pictures.example\\@other.example/set/x.jpg",
        "https://[/set/x.jpg",
        "https://xn--a/set/x.jpg",
        "a\0b.jpg",
    ],
)
def test_a_list_cannot_name_what_lies_elsewhere(uri: str) -> None:
    below = WebPictures(Fetcher(FetchLimits()), "https://pictures.example/set?key=1", 1000)
    assert below.locate("x.jpg") == "https://pictures.example/set/x.jpg"
    with pytest.raises(BadRecord):
        below.locate(uri)


def test_a_server_in_trouble_ends_the_poll_and_the_next_one_goes_on_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = FetchLimits(attempts=1, deadline=5.0)
    monkeypatch.setattr("adapters.web_pictures.FetchLimits", lambda **_: quick)
    names = [f"{number}.jpg" for number in range(12)]
    for name in names:
        site.answers[f"/set/{name}"] = (200, {}, name.encode())
    broken = (503, {}, b"")
    site.answers["/set/2.jpg"] = broken  # one alone is the picture's own trouble
    site.answers |= {f"/set/{number}.jpg": broken for number in range(6, 12)}
    made = adapter(site, *names)
    batches = made.poll(None, 1000, NOW)
    first = next(batches)
    assert [(one.uri, one.problem) for one in first.candidates] == [
        (name, "unreadable" if name == "2.jpg" else None) for name in names[:6]
    ]
    with pytest.raises(BadInputError, match=r"server of the pictures is in trouble.*neither were the 4 before it"):
        next(batches)

    site.answers |= {f"/set/{name}": (200, {}, name.encode()) for name in names}
    (rest,) = made.poll(first.cursor, 1000, NOW)
    assert [(one.uri, one.problem) for one in rest.candidates] == [(name, None) for name in names[6:]]


def test_fewer_failures_in_a_row_than_an_outage_are_the_pictures_own_even_at_the_end_and_over_a_budget(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = FetchLimits(attempts=1, deadline=5.0)
    monkeypatch.setattr("adapters.web_pictures.FetchLimits", lambda **_: quick)
    names = [f"{number}.jpg" for number in range(8)]
    site.answers |= {f"/set/{name}": (200, {}, name.encode()) for name in names[:4]}
    site.answers |= {f"/set/{name}": (503, {}, b"") for name in names[4:]}
    made = adapter(site, *names)
    cursor, found = None, []
    for _ in range(8):
        for batch in made.poll(cursor, 3, NOW):
            cursor = batch.cursor
            found += [(one.uri, one.problem) for one in batch.candidates]
    assert found == [(name, None if number < 4 else "unreadable") for number, name in enumerate(names)]
