"""The proof kit: what every adapter must keep, a third party's too.

from adapters.checks import assert_conforms
assert_conforms(lambda: MyAdapter("mine", MyOptions(path=folder)), now=datetime.now(UTC))
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
from pydantic import BaseModel

from adapters.base import Adapter
from adapters.records import released_on
from daemon.children.frames import Frame
from daemon.intake.wire import from_frame, to_frame
from daemon.model import LABELS, REASONS, Batch, Candidate
from daemon.slug import is_slug

LONGEST_CURSOR = 64 * 1024  # characters; a cursor is written with every batch
_EMPTY_BATCHES = 1_000  # so many empty batches in one poll are an endless stream
_RESUMED = 12  # at most so many cursors are resumed from, spread evenly
_TEXTS = (
    "family", "source", "group", "caption", "released", "kind", "sha256", "licence", "consent", "vector_fingerprint",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One property of the contract and whether it holds."""

    name: str
    passed: bool
    detail: str  # what was seen, or what is wrong


@dataclass(frozen=True, slots=True)
class _Poll:
    """What one poll gave."""

    keys: tuple[str, ...]  # one digest per candidate
    cursors: tuple[tuple[int, str], ...]  # (candidates up to there, cursor), one per batch
    complaints: dict[str, str]  # check -> the first thing wrong
    bad: int  # candidates that are only a problem


MakeAdapter = Callable[[], Adapter]


def check_adapter(
    make_adapter: MakeAdapter, now: datetime, *, most: int = 500, bad: int | None = None
) -> list[CheckResult]:
    """Check an adapter against the contract; the source must not change meanwhile.

    Args:
        make_adapter: builds a fresh instance over the same source.
        now: aware UTC; what the adapter is told the time is.
        most: candidates looked at; of a longer source only the beginning is checked.
        bad: how many of them cannot be had or are malformed, when the source was made with so many; None: unknown.

    Returns one result per property. Errors that the adapter raises are not caught.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    whole = _poll(make_adapter(), None, most, now)
    results = [_contract(make_adapter())]
    if bad is not None and whole.bad != bad:
        whole.complaints.setdefault("bad_members", f"{whole.bad} candidates have a problem, the source has {bad}")
    for name in ("types", "budget", "cursors", "released", "words", "content", "bad_members", "travels"):
        seen = f"{len(whole.keys)} candidates in {len(whole.cursors)} batches, {whole.bad} with a problem"
        results.append(CheckResult(name, name not in whole.complaints, whole.complaints.get(name, seen)))
    if "types" in whole.complaints or "cursors" in whole.complaints:
        return results  # what follows needs both
    results.append(_deterministic(make_adapter, whole, most, now))
    results.append(_small_budgets(make_adapter, whole, most, now))
    results.append(_resume(make_adapter, whole, most, now))
    results.append(_end(make_adapter, whole, most, now))
    return results


def assert_conforms(make_adapter: MakeAdapter, now: datetime, *, most: int = 500, bad: int | None = None) -> None:
    """Raise AssertionError with one line per property that does not hold; see `check_adapter`."""
    failed = [result for result in check_adapter(make_adapter, now, most=most, bad=bad) if not result.passed]
    if failed:
        raise AssertionError("; ".join(f"{result.name}: {result.detail}" for result in failed))


def _contract(adapter: Adapter) -> CheckResult:
    kind, options = getattr(adapter, "kind", None), getattr(adapter, "Options", None)
    if not isinstance(kind, str) or not is_slug(kind):
        return CheckResult("contract", False, f"kind is {kind!r}, it must be a lower snake case name")
    if not isinstance(options, type) or not issubclass(options, BaseModel):
        return CheckResult("contract", False, "Options is no pydantic model")
    if options.model_config.get("extra") != "forbid":
        return CheckResult("contract", False, 'Options must have extra="forbid", so that a mistyped key is an error')
    return CheckResult("contract", True, f"kind {kind}")


def _deterministic(make_adapter: MakeAdapter, whole: _Poll, most: int, now: datetime) -> CheckResult:
    again = _poll(make_adapter(), None, most, now)
    difference = _difference(whole.keys, again.keys) or ("" if whole.cursors == again.cursors else "other cursors")
    return CheckResult("deterministic", not difference, difference or "two fresh instances deliver the same")


def _small_budgets(make_adapter: MakeAdapter, whole: _Poll, most: int, now: datetime) -> CheckResult:
    """Chained polls of a small budget deliver what one large poll does; each keeps its budget and goes forward."""
    for budget in (1, 7):
        wanted = min(len(whole.keys), 10 * budget)
        got: list[str] = []
        cursor: str | None = None
        while len(got) < wanted:
            part = _poll(make_adapter(), cursor, budget, now)
            if "budget" in part.complaints:
                return CheckResult("small_budgets", False, part.complaints["budget"])
            if not part.keys:
                return CheckResult("small_budgets", False, f"stopped after {len(got)} of {wanted} at budget {budget}")
            got += part.keys
            cursor = part.cursors[-1][1]
        difference = _difference(whole.keys[: len(got)], tuple(got[: len(whole.keys)]))
        if difference:
            return CheckResult("small_budgets", False, f"polls of {budget}: {difference}")
    nothing = _poll(make_adapter(), None, 0, now)
    if nothing.keys:
        return CheckResult("small_budgets", False, f"budget 0 gave {len(nothing.keys)} candidates")
    return CheckResult("small_budgets", True, "polls of 1 and 7 deliver what one poll does")


def _resume(make_adapter: MakeAdapter, whole: _Poll, most: int, now: datetime) -> CheckResult:
    step = max(1, len(whole.cursors) // _RESUMED)
    for count, cursor in whole.cursors[::step]:
        rest = _poll(make_adapter(), cursor, most - count, now)
        difference = _difference(whole.keys[count:], rest.keys)
        if difference:
            return CheckResult("resume", False, f"from the cursor behind candidate {count}: {difference}")
    return CheckResult("resume", True, f"from {len(whole.cursors[::step])} cursors exactly the rest")


def _end(make_adapter: MakeAdapter, whole: _Poll, most: int, now: datetime) -> CheckResult:
    if len(whole.keys) >= most:
        return CheckResult("end", True, f"not reached: {most} candidates or more")
    last = whole.cursors[-1][1] if whole.cursors else None
    more = _poll(make_adapter(), last, most, now)
    if more.keys:
        return CheckResult("end", False, f"polled again at the end, {len(more.keys)} candidates came once more")
    return CheckResult("end", True, "polled again at the end, nothing comes")


def _poll(adapter: Adapter, cursor: str | None, budget: int, now: datetime) -> _Poll:
    keys: list[str] = []
    cursors: list[tuple[int, str]] = []
    complaints: dict[str, str] = {}
    empty = bad = 0
    batches: Iterable[Any] = adapter.poll(cursor, budget, now)  # nothing is believed of what a third party yields
    for number, batch in enumerate(batches):
        if not isinstance(batch, Batch) or not isinstance(batch.candidates, tuple):
            complaints["types"] = f"batch {number} is no Batch with a tuple of candidates"
            break
        for name, complaint in _cursor_complaints(batch.cursor):
            complaints.setdefault(name, f"batch {number}: {complaint}")
        offered: tuple[Any, ...] = batch.candidates
        for candidate in offered:
            if not isinstance(candidate, Candidate):
                complaints.setdefault("types", f"batch {number} holds a {type(candidate).__name__}")
                continue
            for name, complaint in _candidate_complaints(candidate, now):
                complaints.setdefault(name, f"{str(candidate.uri)[:80]!r}: {complaint}")
            keys.append(_key(candidate))
            bad += candidate.problem is not None
        if not complaints:
            complaints |= _arrives(batch, number)
        cursors.append((len(keys), batch.cursor))
        empty += not batch.candidates
        if len(keys) > budget:
            complaints["budget"] = f"{len(keys)} candidates came for a budget of {budget}"
            break
        if empty > _EMPTY_BATCHES:
            complaints["budget"] = f"over {_EMPTY_BATCHES:,} empty batches in one poll"
            break
    return _Poll(tuple(keys), tuple(cursors), complaints, bad)


def _arrives(batch: Batch, number: int) -> dict[str, str]:
    """Say what would not reach the service as it was delivered: captions, seeds and parameters included."""
    header, parts = to_frame(batch, sys.maxsize)
    arrived = from_frame(Frame(json.loads(json.dumps(header)), tuple(parts)))
    for sent, got in zip(batch.candidates, arrived.candidates, strict=True):
        if _key(sent) != _key(got):
            return {"travels": f"batch {number}: {sent.uri[:80]!r} arrives changed: {got.problem_detail[:200]}"}
    return {}


def _cursor_complaints(cursor: object) -> Iterator[tuple[str, str]]:
    if not isinstance(cursor, str):
        yield "cursors", f"the cursor is a {type(cursor).__name__}, it must be a str"
        return
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in cursor):
        yield "cursors", "the cursor does not survive JSON and a database (a surrogate or NUL character)"
    elif json.loads(json.dumps(cursor)) != cursor:
        yield "cursors", "the cursor does not survive JSON"
    if len(cursor) > LONGEST_CURSOR:
        yield "cursors", f"the cursor has {len(cursor):,} characters, at most {LONGEST_CURSOR:,} are sensible"


def _candidate_complaints(candidate: Any, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield (check, what is wrong) for one candidate."""
    if not isinstance(candidate.uri, str) or not candidate.uri:
        yield "types", "uri must be a text that is not empty"
    for name in _TEXTS:
        value = getattr(candidate, name)
        if value is not None and (not isinstance(value, str) or not value):
            yield "types", f"{name} must be None or a text that is not empty, it is {value!r}"
    if candidate.content is not None and not isinstance(candidate.content, bytes):
        yield "types", f"content must be bytes, it is {type(candidate.content).__name__}"
    if not isinstance(candidate.problem_detail, str):
        yield "types", "problem_detail must be a text"
    if not isinstance(candidate.generation, Mapping):
        yield "types", f"generation must be a mapping, it is {type(candidate.generation).__name__}"
    yield from _words(candidate)
    yield from _content(candidate)
    if candidate.problem is not None and not candidate.problem_detail:
        yield "bad_members", f"problem {candidate.problem!r} without a problem_detail that says where and why"
    if candidate.problem is not None and candidate.content is not None:
        yield "bad_members", f"problem {candidate.problem!r} and content at once"
    if isinstance(candidate.released, str) and candidate.problem is None:
        try:
            if released_on(candidate.released) > now.date():
                yield "released", f"released {candidate.released}, which is after {now.date()}"
        except ValueError as error:
            yield "released", f"released {error}"


def _words(candidate: Any) -> Iterator[tuple[str, str]]:
    if candidate.label is not None and candidate.label not in LABELS:
        yield "words", f"label {candidate.label!r} is not one of {', '.join(LABELS)} or None"
    if candidate.problem is not None and candidate.problem not in REASONS:
        yield "words", f"problem {candidate.problem!r} is not one of {', '.join(REASONS)}"
    if isinstance(candidate.family, str) and candidate.problem is None:
        if not is_slug(candidate.family):
            yield "words", f"family {candidate.family!r} is not lower snake case"
        if candidate.label == "real":
            yield "words", f"a real picture has the family {candidate.family!r}"


def _content(candidate: Any) -> Iterator[tuple[str, str]]:
    carries = candidate.vector is not None or bool(candidate.outside_scores)
    if candidate.problem is not None:
        return
    if candidate.content is None and not carries:
        yield "content", "has no content, no vector, no outside score and no problem"
    if candidate.content is None and carries and candidate.sha256 is None:
        yield "content", "has no content, so it needs a sha256"
    if candidate.vector is not None:
        vector = candidate.vector
        if not isinstance(vector, np.ndarray) or vector.dtype != np.float16 or vector.ndim != 1 or not vector.size:
            yield "types", "vector must be a flat numpy array of float16"
        elif not np.isfinite(vector).all():
            yield "content", "vector is not finite"
        if candidate.vector_fingerprint is None:
            yield "content", "vector has no vector_fingerprint"
    if not isinstance(candidate.outside_scores, tuple):
        yield "types", "outside_scores must be a tuple"
        return
    for score in candidate.outside_scores:
        if not (isinstance(score, tuple) and len(score) == 2 and isinstance(score[0], str) and score[0]):
            yield "types", "outside_scores must be pairs of detector and score"
        elif not isinstance(score[1], float | int) or not np.isfinite(score[1]):
            yield "content", f"the outside score of {score[0]!r} is no finite number"


def _key(candidate: Candidate) -> str:
    """Digest of everything in a candidate; pictures are not kept in memory."""
    digest = hashlib.sha256()
    for field in fields(candidate):
        value = getattr(candidate, field.name)
        if isinstance(value, bytes):
            value = hashlib.sha256(value).hexdigest()
        elif isinstance(value, Mapping):
            value = sorted(value.items())
        elif isinstance(value, np.ndarray):
            value = (str(value.dtype), hashlib.sha256(value.tobytes()).hexdigest())
        digest.update(f"{field.name}={value!r}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _difference(expected: tuple[str, ...], got: tuple[str, ...]) -> str:
    """Return in one phrase how two deliveries differ, "" when they do not."""
    if expected == got:
        return ""
    for place, (one, other) in enumerate(zip(expected, got, strict=False)):
        if one != other:
            return f"candidate {place} is another one"
    return f"{len(got)} candidates instead of {len(expected)}"
