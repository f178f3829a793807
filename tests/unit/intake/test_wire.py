"""Candidates on their way out of an adapter's process: whatever they hold, they arrive so that they can be stored."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from daemon.children.frames import BadFrame, Frame, Limits, pack
from daemon.intake.wire import from_frame, to_frame
from daemon.model import Batch, Candidate

SHA256 = "a" * 64


def sent(*candidates: Candidate, cursor: str = "c") -> tuple[Candidate, ...]:
    header, parts = to_frame(Batch(candidates, cursor), 10**6)
    return from_frame(Frame(json.loads(json.dumps(header)), tuple(parts))).candidates


@pytest.mark.parametrize("uri", ["a\ud800", "a\0b", "\udfff" * 50_000, "n" * 5_000_000, 7, None, ""])
def test_a_refused_name_can_be_stored(uri: Any) -> None:
    (refused,) = sent(Candidate(uri, content=b"x"))
    assert refused.problem == "bad_record"
    assert 0 < len(refused.uri) <= 2_000
    assert "\0" not in refused.uri
    assert refused.uri.encode("utf-8")
    assert refused.problem_detail.encode("utf-8")


def test_a_batch_of_giant_claims_is_still_a_frame_and_the_good_one_in_it_arrives() -> None:
    giants = [Candidate(f"{i}", content=b"x", caption="\U0001f408" * 20_000, group="g" * 20_000) for i in range(20)]
    giants += [Candidate(f"{i}" + "n" * 5_000_000, content=b"x") for i in range(20)]
    giants += [
        Candidate(f"{i}", content=b"x", generation={f"p{n}": "x" * 20_000 for n in range(64)}) for i in range(20)
    ]
    batch = Batch((*giants, Candidate("good", content=b"x", caption="c" * 20_000)), "c")
    header, parts = to_frame(batch, 10**6)
    assert sum(len(part) for part in pack(header, parts)) < Limits().header
    arrived = from_frame(Frame(json.loads(json.dumps(header)), tuple(parts))).candidates
    assert [one.problem for one in arrived] == ["bad_record"] * len(giants) + [None]
    assert arrived[-1] == batch.candidates[-1]


def test_a_full_batch_of_the_largest_claims_allowed_is_a_frame() -> None:
    batch = Batch(tuple(Candidate(f"{i}", content=b"x", caption="\U0001f408" * 20_000) for i in range(64)), "c")
    header, parts = to_frame(batch, 10**6)
    assert sum(len(part) for part in pack(header, parts)) < Limits().header
    assert sent(*batch.candidates) == batch.candidates


@pytest.mark.parametrize(
    "scores",
    [
        (("d\ud800", 1.0),),
        (("d" * 1_000, 1.0),),
        (("", 1.0),),
        (("d", 10**400),),
        (("d", float("nan")),),
        (("d", "-inf"),),
        tuple((f"d{i}", 1.0) for i in range(100_000)),
        None,
    ],
)
def test_scores_that_cannot_be_kept_are_a_bad_record(scores: Any) -> None:
    bad, good = sent(Candidate("bad", sha256=SHA256, outside_scores=scores), Candidate("good", content=b"x"))
    assert (bad.uri, bad.problem, bad.outside_scores) == ("bad", "bad_record", ())
    assert good.problem is None


@pytest.mark.parametrize("score", [10**400, True, "1", None])
def test_a_forged_score_is_a_bad_record(score: object) -> None:
    forged = {"uri": "a", "outside_scores": [["d", score]], "generation": {}}
    (bad,) = from_frame(Frame({"cursor": "c", "candidates": [forged]})).candidates
    assert bad.problem == "bad_record"


def test_an_empty_vector_costs_its_candidate_alone() -> None:
    empty = Candidate("empty", sha256=SHA256, vector=np.array([], np.float16), vector_fingerprint="f")
    bad, good = sent(empty, Candidate("good", content=b"x"))
    assert (bad.problem, good.problem) == ("bad_record", None)


@pytest.mark.parametrize("cursor", ["\ud800", "a\0b", "x" * (2**20 + 1)])
def test_a_cursor_that_cannot_be_stored_is_the_adapter_s_fault(cursor: str) -> None:
    with pytest.raises(BadFrame, match="its cursor is no text"):
        sent(cursor=cursor)
