"""Fetching what somebody else named: which addresses, how much, how long, how often."""

from __future__ import annotations

import gzip
import ipaddress
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.addresses import is_public, shown
from adapters.fetching import Fetcher, FetchLimits, FetchRefused, Unavailable
from tests.unit.adapters.feed_server import Site, dripping, endless, serving

INSIDE = (
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1",
    "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::",
    "2001:0:7f00:1::", "ff02::1", "2001:db8::1",
)  # fmt: skip


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


def fetcher(site: Site | None = None, **limits: Any) -> Fetcher:
    patience = FetchLimits(**{"deadline": 5.0, "attempts": 3, "first_wait": 0.0, **limits})
    return Fetcher(patience, allowed=() if site is None else (f"127.0.0.1:{site.port}",))


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_of_the_own_network_are_never_connected_to(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    tried = fetcher()
    tried.resolve = lambda host, port: ["93.184.215.14", address]  # one good address does not excuse the other
    with pytest.raises(FetchRefused, match="not in the public internet") as caught:
        tried.get("https://pictures.example/a.jpg", 1000)
    assert caught.value.reason == "bad_record"


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::"])
def test_public_addresses_are_fetched_from(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0"],
)
def test_twenty_ways_to_write_this_machine_reach_nothing(site: Site, host: str) -> None:
    for scheme in ("http", "https", "file", "ftp", "gopher"):
        with pytest.raises(FetchRefused):
            fetcher().get(f"{scheme}://{host}:{site.port}/secret", 1000)
    assert site.asked == []


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{canary}/", "https://169.254.169.254/", "file:///etc/passwd", "//10.0.0.1/"],
)
def test_a_redirect_is_checked_like_the_first_address(site: Site, target: str) -> None:
    with serving() as canary:
        site.answers["/a"] = (302, {"Location": target.format(canary=canary.port)}, b"")
        with pytest.raises(FetchRefused):
            fetcher(site).get(site.url("/a"), 1000)
        assert canary.asked == []


def test_a_name_is_resolved_once_and_the_connection_goes_there(site: Site) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    tried = Fetcher(FetchLimits(), allowed=("pictures.example",), resolve=lambda host, port: next(answers))
    site.answers["/a"] = (200, {}, b"picture")
    assert tried.get(f"http://pictures.example:{site.port}/a", 1000).content == b"picture"
    assert site.asked[0][1]["Host"] == f"pictures.example:{site.port}"
    assert next(answers) == ["127.0.0.2"]  # a rebinding name had no second chance


def test_an_endless_body_is_cut_at_the_cap_and_the_memory_stays_flat(site: Site) -> None:
    site.answers["/a"] = endless
    tracemalloc.start()
    with pytest.raises(FetchRefused) as caught:
        fetcher(site).get(site.url("/a"), 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "too_many_bytes"
    assert peak < 8_000_000


def test_a_gzip_bomb_is_not_unpacked(site: Site) -> None:
    site.answers["/a"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(10**7)))
    with pytest.raises(FetchRefused, match="compressed"):
        fetcher(site).get(site.url("/a"), 10**8)


def test_dripping_headers_are_cut_at_the_deadline(site: Site) -> None:
    site.answers["/a"] = dripping
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"took over 0\.5 s"):
        fetcher(site, deadline=0.5, attempts=1).get(site.url("/a"), 1000)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("target", ["javascript:alert(1)", "data:,x", "https://xn--a/", "http://[", "https:///", "//"])
def test_a_redirect_to_what_is_no_address_is_refused_and_ends_nothing(site: Site, target: str) -> None:
    site.answers["/gone"] = (302, {"Location": target}, b"")
    site.answers["/next"] = (200, {}, b"picture")
    patient = fetcher(site)
    with pytest.raises(FetchRefused) as caught:
        patient.get(site.url("/gone"), 1000)
    assert caught.value.reason in ("unreadable", "bad_record")
    assert patient.get(site.url("/next"), 1000).content == b"picture"


@pytest.mark.parametrize("url", ["https:///a.jpg", "https:", "https://:443/a.jpg", "https://xn--a/", "https://a\nb/"])
def test_an_address_without_a_server_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(FetchRefused, match="no address") as caught:
        fetcher().get(url, 1000)
    assert str(caught.value).isprintable()


def test_redirects_in_a_circle_end(site: Site) -> None:
    site.answers["/a"] = (302, {"Location": "/a"}, b"")
    with pytest.raises(FetchRefused, match="redirects"):
        fetcher(site).get(site.url("/a"), 1000)
    assert len(site.asked) == 6


def test_a_busy_server_is_asked_again_after_the_wait_that_it_names(site: Site) -> None:
    replies = iter([(429, {"Retry-After": "2"}, b""), (503, {}, b""), (200, {}, b"picture")])
    site.answers["/a"] = lambda handler: next(replies)
    waits: list[float] = []
    tried = fetcher(site, first_wait=0.25)
    tried.sleep = waits.append
    assert tried.get(site.url("/a"), 1000).content == b"picture"
    assert waits[0] == 2.0
    assert 0.5 <= waits[1] <= 0.75  # doubled, with jitter


def test_a_server_that_asks_for_an_hour_is_given_up_at_once(site: Site) -> None:
    site.answers["/a"] = (429, {"Retry-After": "3600"}, b"")
    with pytest.raises(Unavailable):
        fetcher(site).get(site.url("/a"), 1000)
    assert len(site.asked) == 1


def test_a_token_goes_to_its_own_server_alone(site: Site) -> None:
    with serving() as other:
        site.answers["/a"] = (302, {"Location": other.url("/b")}, b"")
        other.answers["/b"] = (200, {}, b"picture")
        tried = fetcher(site)
        tried.allowed = (f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}")
        tried.headers = {f"http://127.0.0.1:{site.port}": {"Authorization": "Bearer s3cret"}}
        tried.get(site.url("/a"), 1000)
        assert site.asked[0][1]["Authorization"] == "Bearer s3cret"
        assert "Authorization" not in other.asked[0][1]


def test_messages_show_no_secrets() -> None:
    assert shown("https://me:pw@host/a?sig=x#y") == "https://host/a"
    assert shown("https://host?token=x") == "https://host"
