"""What the http_feed adapter delivers, refuses and remembers, against a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.checks import assert_conforms
from adapters.http_feed import HttpFeedAdapter, HttpFeedOptions
from daemon.errors import BadInputError
from daemon.model import Candidate
from tests.unit.adapters.feed_server import Answer, Site, serving

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


def page(site: Site, numbers: range, following: object = None, **said: Any) -> Answer:
    for i in numbers:
        site.answers[f"/{i}.jpg"] = (200, {}, f"picture {i}".encode())
    items = [{"url": site.url(f"/{i}.jpg"), "id": f"n{i}", "prompt": f"a cat {i}", **said} for i in numbers]
    body = json.dumps({"items": items, "next": following}).encode()
    return 200, {"Content-Type": "application/json"}, body


def adapter(site: Site, **options: Any) -> HttpFeedAdapter:
    given = {
        "url": site.url("/feed"),
        "columns": {"caption": "prompt", "uri": "id"},
        "defaults": {"label": "synthetic", "family": "dalle_3"},
        "allowed_hosts": [f"127.0.0.1:{site.port}"],
        "attempts": 2,
        "first_wait": 0,
        **options,
    }
    return HttpFeedAdapter("f", HttpFeedOptions.model_validate(given))


def poll(made: HttpFeedAdapter, cursor: str | None = None) -> tuple[list[Candidate], str | None, str]:
    """Return what came, the cursor behind it, and what the poll complained of."""
    found: list[Candidate] = []
    try:
        for batch in made.poll(cursor, 1000, NOW):
            found += batch.candidates
            cursor = batch.cursor
    except BadInputError as error:
        return found, cursor, str(error)
    return found, cursor, ""


def test_the_adapter_keeps_the_contract_over_pages(site: Site) -> None:
    site.answers["/feed"] = page(site, range(70), "/feed?page=2")
    site.answers["/feed?page=2"] = page(site, range(70, 80))
    del site.answers["/7.jpg"]
    assert_conforms(lambda: adapter(site), NOW, bad=1)
    found, _, _ = poll(adapter(site))
    assert len(found) == 80
    assert (found[0].uri, found[0].content, found[0].caption) == ("n0", b"picture 0", "a cat 0")
    assert (found[7].problem, found[7].content) == ("unreadable", None)


def test_new_items_and_new_pages_continue_and_a_changed_page_starts_over(site: Site) -> None:
    site.answers["/feed"] = page(site, range(3))
    _, cursor, _ = poll(adapter(site))
    site.answers["/feed"] = page(site, range(5), "/feed?page=2")
    site.answers["/feed?page=2"] = page(site, range(5, 6))
    found, cursor, _ = poll(adapter(site), cursor)
    assert [one.uri for one in found] == ["n3", "n4", "n5"]
    site.answers["/feed?page=2"] = page(site, range(8, 9))
    assert len(poll(adapter(site), cursor)[0]) == 6
    del site.answers["/feed?page=2"]
    assert len(poll(adapter(site), cursor)[0]) == 5  # the page is gone; what is left comes again, then the fault shows


def test_tokens_link_headers_bare_lists_and_ndjson_are_read(site: Site) -> None:
    site.answers["/feed"] = page(site, range(1), "t o&k")
    site.answers["/feed?after=t+o%26k"] = page(site, range(1, 2))
    found, _, wrong = poll(adapter(site, next_parameter="after"))
    assert ([one.uri for one in found], wrong) == (["n0", "n1"], "")
    items = json.loads(page(site, range(2, 4))[2])["items"]
    site.answers["/list"] = (200, {"Link": '</more>; rel="next"'}, json.dumps(items[:1]).encode())
    lines = json.dumps(items[1]) + "\n\nnot json\n"
    site.answers["/more"] = (200, {"Content-Type": "application/x-ndjson"}, lines.encode())
    found, _, _ = poll(adapter(site, url=site.url("/list")))
    assert [(one.uri, one.problem) for one in found[:2]] == [("n2", None), ("n3", None)]
    assert found[2].problem == "bad_record"


def test_items_that_are_none_are_bad_records(site: Site) -> None:
    items = [7, "text", None, {}, {"url": 5}, {"url": "https://127.0.0.1/x"}, {"url": "nonsense"}, {"url": "http://[x"}]
    site.answers["/feed"] = (200, {}, json.dumps({"items": items}).encode())
    found, _, wrong = poll(adapter(site))
    assert ([one.problem for one in found], wrong) == (["bad_record"] * len(items), "")
    assert len(site.asked) == 1


def test_a_server_in_trouble_ends_the_poll_and_loses_no_picture(site: Site) -> None:
    site.answers["/feed"] = page(site, range(10))
    for i in range(4, 10):
        site.answers[f"/{i}.jpg"] = (503, {}, b"")
    found, cursor, wrong = poll(adapter(site, failures=3))
    assert [one.uri for one in found] == ["n0", "n1", "n2", "n3"]
    assert "3 pictures in a row failed" in wrong
    assert "/7.jpg" not in site.paths()  # the circuit is open
    site.answers["/feed"] = page(site, range(10))  # the server is well again
    found, _, wrong = poll(adapter(site, failures=3), cursor)
    assert ([one.uri for one in found], wrong) == ([f"n{i}" for i in range(4, 10)], "")


def test_a_dead_server_does_not_hold_up_the_feed_for_ever(site: Site) -> None:
    site.answers["/feed"] = page(site, range(6))
    for i in range(3):
        site.answers[f"/{i}.jpg"] = (503, {}, b"")
    cursor = None
    for _ in range(3):
        found, cursor, wrong = poll(adapter(site, failures=3), cursor)
        assert (found, bool(wrong)) == ([], True)
    found, _, wrong = poll(adapter(site, failures=3), cursor)
    assert [one.problem for one in found] == ["unreadable"] * 3 + [None] * 3
    assert wrong == ""


def test_a_feed_that_cannot_be_read_is_one_clear_line(site: Site) -> None:
    for answer, says in (
        ((500, {}, b""), "500"),
        ((401, {}, b""), "401"),
        ((200, {}, b"<html>"), "not JSON"),
        ((200, {}, b"\xff"), "not UTF-8"),
        ((200, {}, b"{}"), "no list at 'items'"),
        ((200, {}, b"[" * 100_000), "not JSON"),
        ((200, {}, b'{"items": [], "next": 7}'), "next_parameter"),
        ((200, {}, b'{"items": [], "next": "/feed"}'), "circle"),
    ):
        site.answers["/feed"] = answer
        assert says in poll(adapter(site))[2]
    assert "over 10 bytes" in poll(adapter(site, max_page_bytes=10))[2]
    assert "only https" in poll(adapter(site, allowed_hosts=[]))[2]
    assert "is not set" in poll(adapter(site, token_variable="SIDWATCH_NO_SUCH_TOKEN"))[2]
    assert "cannot be read" in poll(adapter(site, token_file="/nonexistent"))[2]


def test_a_family_that_is_not_released_waits(site: Site) -> None:
    site.answers["/feed"] = page(site, range(2), released="2026-03-01")
    made = adapter(site)
    found, cursor, _ = poll(made)
    assert found == []
    later = [one for batch in made.poll(cursor, 10, datetime(2026, 3, 1, tzinfo=UTC)) for one in batch.candidates]
    assert [one.uri for one in later] == ["n0", "n1"]


def test_the_token_is_sent_to_the_feed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_TOKEN", "s3cret")
    site.answers["/feed"] = page(site, range(1))
    poll(adapter(site, token_variable="FEED_TOKEN"))
    assert site.asked[0][1]["Authorization"] == "Bearer s3cret"


def test_lines_end_where_json_says_and_nowhere_else(site: Site) -> None:
    site.answers["/0.jpg"] = (200, {}, b"picture")
    lines = [
        json.dumps({"url": site.url("/0.jpg"), "prompt": f"one{end}two"}, ensure_ascii=False) for end in "\u2028\x85"
    ]
    site.answers["/feed"] = (200, {"Content-Type": "application/x-ndjson"}, "\r\n".join(lines).encode())
    found, _, complaint = poll(adapter(site, columns={"caption": "prompt"}))
    assert [(one.problem, one.caption) for one in found] == [(None, "one\u2028two"), (None, "one\x85two")]
    assert complaint == ""


@pytest.mark.parametrize("link", [False, True])
def test_a_next_page_that_is_no_address_is_one_clear_line_and_what_came_before_it_counts(
    site: Site, link: bool
) -> None:
    status, headers, body = page(site, range(2), None if link else "http://[")
    site.answers["/feed"] = (status, {**headers, "Link": '<http://[>; rel="next"'} if link else headers, body)
    found, cursor, complaint = poll(adapter(site))
    assert [one.uri for one in found] == ["n0", "n1"]
    assert complaint.startswith("the feed cannot be read: http://")
    assert (cursor is not None, complaint.isprintable()) == (True, True)


@pytest.mark.parametrize("target", ["javascript:alert(1)", "https://xn--a/", "data:,x"])
def test_a_picture_that_leads_to_no_address_does_not_hold_up_the_feed(site: Site, target: str) -> None:
    site.answers["/feed"] = page(site, range(3))
    site.answers["/1.jpg"] = (302, {"Location": target}, b"")
    found, _, complaint = poll(adapter(site))
    assert [one.problem is None for one in found] == [True, False, True]
    assert complaint == ""
