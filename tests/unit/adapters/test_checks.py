"""The proof kit finds each way in which an adapter can break the contract, and passes one that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from adapters.checks import assert_conforms, check_adapter
from daemon.model import Batch, Candidate

NOW = datetime(2024, 1, 1, tzinfo=UTC)
GOOD = Candidate(uri="a", content=b"x", label="synthetic", family="fam", released="2023", group="g")


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Listed:
    """Keeps the contract over a list of 30 candidates, three to a batch."""

    kind: ClassVar[str] = "listed"
    Options: ClassVar[type] = Options
    items: ClassVar[list[Any]] = [replace(GOOD, uri=f"n{i}") for i in range(30)]

    def __init__(self, name: str = "x", options: Any = None) -> None:
        self.listed = list(self.items)

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Any]:
        at = self.start(cursor)
        end = min(len(self.listed), at + self.allowed(budget))
        while at < end:
            size = min(3, end - at)
            yield Batch(tuple(self.listed[at : at + size]), self.cursor(at + size))
            at += size

    def start(self, cursor: str | None) -> int:
        return int(cursor or 0)

    def allowed(self, budget: int) -> int:
        return budget

    def cursor(self, at: int) -> Any:
        return str(at)


def failures(make: Callable[[], Any], most: int = 500) -> dict[str, str]:
    return {result.name: result.detail for result in check_adapter(make, NOW, most=most) if not result.passed}


def test_an_adapter_that_keeps_the_contract_passes_every_check() -> None:
    results = check_adapter(Listed, NOW)
    assert all(result.passed for result in results)
    assert [result.name for result in results] == [
        "contract", "types", "budget", "cursors", "released", "words", "content", "bad_members", "travels",
        "deterministic", "small_budgets", "resume", "end",
    ]  # fmt: skip
    assert_conforms(Listed, NOW)


def test_bad_members_are_counted_against_what_the_source_was_made_with() -> None:
    class Broken(Listed):
        items: ClassVar[list[Any]] = [
            *Listed.items[:9],
            Candidate("bad", problem="unreadable", problem_detail="row 10"),
            *Listed.items[9:],
        ]

    assert_conforms(Broken, NOW, bad=1)
    with pytest.raises(AssertionError, match=r"^bad_members: 1 candidates have a problem, the source has 2$"):
        assert_conforms(Broken, NOW, bad=2)


def test_seeds_and_generation_parameters_travel_as_they_are() -> None:
    class Seeded(Listed):
        items: ClassVar[list[Any]] = [
            replace(GOOD, generation={"seed": 2**63, "model": "m/x", "guidance": 7.5, "tiled": True}, licence="CC0-1.0")
        ]

    assert_conforms(Seeded, NOW)


def test_an_empty_source_passes() -> None:
    class Empty(Listed):
        items: ClassVar[list[Any]] = []

    assert failures(Empty) == {}


def test_of_a_long_source_the_beginning_is_checked() -> None:
    results = {result.name: result for result in check_adapter(Listed, NOW, most=10)}
    assert all(result.passed for result in results.values())
    assert results["end"].detail == "not reached: 10 candidates or more"


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        ({"label": "fake"}, "words", "label 'fake'"),
        ({"problem": "odd", "problem_detail": "?", "content": None}, "words", "problem 'odd'"),
        ({"problem": "unreadable", "content": None}, "bad_members", "without a problem_detail"),
        ({"problem": "unreadable", "problem_detail": "gone"}, "bad_members", "and content at once"),
        ({"licence": ""}, "types", "licence must be None or a text"),
        ({"generation": ["seed", 7]}, "types", "generation must be a mapping"),
        ({"generation": {"seed": 2**70}}, "travels", "no mapping of names to texts and finite numbers"),
        ({"generation": {"sigmas": [1, 2]}}, "travels", "no mapping of names to texts and finite numbers"),
        ({"caption": "x" * 20_001}, "travels", "at most 20000 characters"),
        ({"family": "Fam 1"}, "words", "family 'Fam 1'"),
        ({"label": "real"}, "words", "a real picture has the family 'fam'"),
        ({"group": 7}, "types", "group must be None or a text"),
        ({"source": ""}, "types", "source must be None or a text"),
        ({"uri": ""}, "types", "uri must be a text"),
        ({"content": "text"}, "types", "content must be bytes"),
        ({"content": None}, "content", "has no content, no vector"),
        ({"content": None, "outside_scores": (("d", 0.5),)}, "content", "it needs a sha256"),
        ({"outside_scores": (("d", float("nan")),)}, "content", "no finite number"),
        ({"outside_scores": ["d"]}, "types", "must be a tuple"),
        ({"vector": np.ones(3, np.float16)}, "content", "no vector_fingerprint"),
        ({"vector": np.ones(3), "vector_fingerprint": "f"}, "types", "float16"),
        ({"vector": np.array([np.inf], np.float16), "vector_fingerprint": "f"}, "content", "not finite"),
        ({"released": "2024-01-02"}, "released", "after 2024-01-01"),
        ({"released": "soon"}, "released", "is not YYYY"),
    ],
)
def test_a_wrong_candidate_is_found_and_named(change: dict[str, Any], check: str, says: str) -> None:
    class Wrong(Listed):
        items: ClassVar[list[Any]] = [*Listed.items[:20], replace(GOOD, **{"uri": "bad", **change})]

    found = failures(Wrong)
    assert list(found) == [check]
    assert says in found[check]


def test_things_that_are_no_candidates_or_batches_are_found() -> None:
    class Dicts(Listed):
        items: ClassVar[list[Any]] = [{"uri": "a"}]

    class Tuples(Listed):
        def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Any]:
            yield (GOOD,), "1"

    assert failures(Dicts)["types"] == "batch 0 holds a dict"
    assert failures(Tuples)["types"] == "batch 0 is no Batch with a tuple of candidates"


def test_an_adapter_that_ignores_the_budget_is_found() -> None:
    class Greedy(Listed):
        def allowed(self, budget: int) -> int:
            return 30

    assert "3 candidates came for a budget of 1" in failures(Greedy)["small_budgets"]
    assert "12 candidates came for a budget of 10" in failures(Greedy, most=10)["budget"]


def test_endless_empty_batches_are_found() -> None:
    class Endless(Listed):
        def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Any]:
            while True:
                yield Batch((), "0")

    assert "empty batches" in failures(Endless)["budget"]


def test_an_adapter_that_cannot_resume_is_found() -> None:
    class Forgetful(Listed):
        def start(self, cursor: str | None) -> int:
            return 0

    class Skipping(Listed):
        def start(self, cursor: str | None) -> int:
            return int(cursor or -1) + 1

    assert {"small_budgets", "resume", "end"} <= set(failures(Forgetful))
    assert "candidates instead of" in failures(Forgetful)["end"] or "came once more" in failures(Forgetful)["end"]
    assert failures(Skipping)["resume"] == "from the cursor behind candidate 3: candidate 0 is another one"


def test_an_adapter_that_delivers_differently_each_time_is_found() -> None:
    class Random(Listed):
        made: ClassVar[list[int]] = []

        def __init__(self) -> None:
            super().__init__()
            self.made.append(1)
            if len(self.made) > 1:
                self.listed.reverse()

    assert "candidate 0 is another one" in failures(Random)["deterministic"]


@pytest.mark.parametrize("cursor", [7, None, "\ud800", "a\0b", "x" * 70_000])
def test_a_cursor_that_cannot_be_kept_is_found(cursor: object) -> None:
    class Odd(Listed):
        def cursor(self, at: int) -> Any:
            return cursor

    assert "cursor" in failures(Odd)["cursors"]


def test_class_attributes_that_are_missing_or_lax_are_found() -> None:
    class Lax(BaseModel):
        pass

    class Nameless(Listed):
        kind: ClassVar[str] = "My Kind"

    class Loose(Listed):
        Options: ClassVar[type] = Lax

    class Plain(Listed):
        Options: ClassVar[type] = dict

    assert "kind is 'My Kind'" in failures(Nameless)["contract"]
    assert 'extra="forbid"' in failures(Loose)["contract"]
    assert "no pydantic model" in failures(Plain)["contract"]


def test_what_does_not_hold_is_one_assertion_with_a_clear_line() -> None:
    wrong: dict[str, Any] = {"label": "ai"}

    class Wrong(Listed):
        items: ClassVar[list[Any]] = [replace(GOOD, **wrong)]

    with pytest.raises(AssertionError, match=r"^words: 'a': label 'ai' is not one of real, synthetic or None$"):
        assert_conforms(Wrong, NOW)
    with pytest.raises(ValueError, match="aware"):
        check_adapter(Listed, datetime(2024, 1, 1))
