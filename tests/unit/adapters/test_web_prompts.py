"""Prompts on the web, against a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.generation.prompts import read_prompts
from daemon.errors import BadInputError
from daemon.model import Prompt
from tests.unit.adapters.feed_server import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


def test_the_server_that_a_person_named_is_asked(site: Site) -> None:
    site.answers["/p.csv"] = (200, {}, b"prompt,id\na cat,1\na dog,2\n")
    site.answers["/p.csv?key=hush"] = (200, {}, b"prompt\na bird\n")
    assert read_prompts(site.url("/p.csv?key=hush"), "prompt", None) == [Prompt("a bird")]
    with pytest.raises(BadInputError, match="has no column 'text'") as caught:
        read_prompts(site.url("/p.csv?key=hush"), "text", None)
    assert "hush" not in str(caught.value)
    site.answers["/moved.csv"] = (302, {"Location": "/p.csv"}, b"")
    assert read_prompts(site.url("/p.csv"), "prompt", "id") == [Prompt("a cat", "1"), Prompt("a dog", "2")]
    assert len(read_prompts(site.url("/moved.csv"), "prompt", "id")) == 2


def test_where_it_redirects_to_is_checked_and_what_fails_is_one_line_without_a_secret(site: Site) -> None:
    with serving() as canary:
        inside = canary.url("/secret").replace("127.0.0.1", "localhost")
        site.answers["/p.txt?key=hush"] = (302, {"Location": inside}, b"")
        with pytest.raises(BadInputError, match="only https is fetched") as caught:
            read_prompts(site.url("/p.txt?key=hush"), "prompt", None)
        assert canary.asked == []
    assert "hush" not in str(caught.value)
    with pytest.raises(BadInputError, match=r"404 Not Found$"):
        read_prompts(site.url("/absent.txt"), "prompt", None)
