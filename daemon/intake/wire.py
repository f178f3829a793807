"""A Batch as a frame, and back: the parent checks every type, for an adapter is foreign code in a child."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from daemon.children.frames import BadFrame, Frame
from daemon.model import LABELS, REASONS, Batch, Candidate, Material, Prompt, Release
from daemon.slug import complaint, is_slug

_TEXTS = (
    "label",
    "family",
    "source",
    "group",
    "caption",
    "licence",
    "consent",
    "released",
    "kind",
    "sha256",
    "vector_fingerprint",
    "problem",
)
_LONGEST = 20_000  # characters of one text field
_LARGEST_CLAIMS = 250_000  # bytes of JSON of one candidate: a full batch of such ones still is a frame
_LONGEST_REFUSED = 2_000  # characters of the name of a candidate that is refused
_LONGEST_CURSOR = 2**20  # characters
_LONGEST_DETECTOR = 200  # characters of an outside detector's name
_MOST_PARAMETERS = 64  # of a picture's generation
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # neither UTF-8 nor a database takes these
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_RELEASES = 1_000  # in one batch
_LONGEST_NAME = 500  # characters of a release's text field
_RELEASED = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_RELEASE = tuple(field.name for field in dataclasses.fields(Release))


def to_frame(batch: Any, max_bytes: int) -> tuple[dict[str, Any], list[bytes]]:
    """Header and parts of a batch, in the child.

    What cannot travel (a wrong type) is named in the candidate's place; content over max_bytes stays here.
    """
    if not isinstance(batch, Batch) or not isinstance(batch.cursor, str):
        return {"wrong": f"poll gave {type(batch).__name__} where a Batch with a text cursor is due"}, []
    parts: list[bytes] = []
    header: dict[str, Any] = {"cursor": batch.cursor}
    header["candidates"] = [_fields(one, parts, max_bytes) for one in batch.candidates]
    if batch.releases:
        if not all(isinstance(one, Release) for one in batch.releases):
            return {"wrong": "poll gave releases that are no Release"}, []
        header["releases"] = [dataclasses.asdict(one) for one in batch.releases]
    return header, parts


def from_frame(frame: Frame) -> Batch:
    """The batch, in the parent; a malformed candidate becomes one with the problem `bad_record`.

    Raises BadFrame when the batch itself is malformed.
    """
    if "wrong" in frame.header:
        raise BadFrame(str(frame.header["wrong"])[:200])
    cursor, candidates = frame.header.get("cursor"), frame.header.get("candidates")
    if not isinstance(cursor, str) or not isinstance(candidates, list):
        raise BadFrame("a batch needs a cursor and candidates")
    if len(cursor) > _LONGEST_CURSOR or _UNSTORABLE.search(cursor):
        raise BadFrame(f"its cursor is no text of at most {_LONGEST_CURSOR:,} characters that can be stored")
    releases = frame.header.get("releases", [])
    if not isinstance(releases, list) or len(releases) > _MOST_RELEASES:
        raise BadFrame(f"releases are no list of at most {_MOST_RELEASES}")
    return Batch(
        tuple(_candidate(fields, frame) for fields in candidates),
        cursor,
        tuple(_release(fields) for fields in releases),
    )


def material_to_json(material: Material) -> dict[str, Any]:
    """What a making adapter is given, on its way into the child."""
    return dataclasses.asdict(material)


def material_from_json(value: Mapping[str, Any]) -> Material:
    """The same, in the child; it comes from the parent, so it is well formed."""
    return Material(
        tuple(Release(**one) for one in value["releases"]), tuple(Prompt(**one) for one in value["captions"])
    )


def _release(fields: Any) -> Release:
    """Raises BadFrame: unlike a picture, a malformed release says that the adapter itself is wrong."""
    if not isinstance(fields, dict):
        raise BadFrame("a release is not an object")
    for name in ("model", "revision", "family", "released", "kind", "licence"):
        value = fields.get(name)
        if value is None and name in ("kind", "licence"):
            continue
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or _UNSTORABLE.search(value):
            raise BadFrame(f"{name} of a release is not text of 1 to {_LONGEST_NAME} characters")
    if not is_slug(fields["family"]):
        raise BadFrame(complaint(fields["family"]))
    if not _RELEASED.fullmatch(fields["released"]):
        raise BadFrame(f"release date {fields['released'][:40]!r} is not YYYY[-MM[-DD]]")
    known: dict[str, Any] = {name: fields.get(name) for name in _RELEASE}
    return Release(**known)


def as_sent(candidate: Candidate, max_bytes: int) -> Candidate:
    """A candidate that came another way, after the same checks; its `problem` says what is wrong with it."""
    (one,) = from_frame(Frame(*_packed(to_frame(Batch((candidate,), ""), max_bytes)))).candidates
    return one


def _packed(sent: tuple[dict[str, Any], list[bytes]]) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    header, parts = sent
    return header, tuple(parts)


def _fields(candidate: Any, parts: list[bytes], max_bytes: int) -> dict[str, Any]:
    if not isinstance(candidate, Candidate):
        return {"wrong": f"{type(candidate).__name__} instead of a Candidate"}
    fields = {field.name: getattr(candidate, field.name) for field in dataclasses.fields(candidate)}
    content, vector = fields.pop("content"), fields.pop("vector")
    scores, generation = fields.pop("outside_scores"), fields.pop("generation")
    for name, value in fields.items():
        if value is not None and not isinstance(value, str):
            return {"uri": _text(candidate.uri), "wrong": f"{name} is {type(value).__name__}, not text"}
        if value is not None and len(value) > _LONGEST:  # said here: many of these would be more than a frame holds
            return {"uri": _text(candidate.uri), "wrong": _too_long(name)}
    try:
        fields["outside_scores"] = [[str(detector), float(score)] for detector, score in scores]
        if not all(math.isfinite(score) for _, score in fields["outside_scores"]):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        return {"uri": _text(candidate.uri), "wrong": "outside_scores are no pairs of detector and finite score"}
    if not isinstance(generation, Mapping) or not all(_is_parameter(*pair) for pair in generation.items()):
        return {"uri": _text(candidate.uri), "wrong": "generation is no mapping of names to texts and finite numbers"}
    fields["generation"] = dict(generation)
    if len(json.dumps(fields)) > _LARGEST_CLAIMS:
        return {"uri": _text(candidate.uri), "wrong": f"what is said of it has over {_LARGEST_CLAIMS:,} bytes"}
    if content is not None:
        if not isinstance(content, bytes):
            return {"uri": _text(candidate.uri), "wrong": f"content is {type(content).__name__}, not bytes"}
        if len(content) > max_bytes:
            too_many = f"{len(content)} bytes, more than {max_bytes}"
            return {**fields, "problem": "too_many_bytes", "problem_detail": too_many}
        fields["content"] = len(parts)
        parts.append(content)
    if vector is not None:
        if not isinstance(vector, np.ndarray) or vector.ndim != 1 or vector.dtype != np.float16 or not vector.size:
            return {"uri": _text(candidate.uri), "wrong": "vector is not a float16 array with one axis and numbers"}
        fields["vector"] = len(parts)
        parts.append(vector.astype("<f2").tobytes())
    return fields


def _text(value: Any) -> str:
    return value[:_LONGEST_REFUSED] if isinstance(value, str) else ""


def _too_long(name: str) -> str:
    return f"{name} is not text of at most {_LONGEST} characters"


def _candidate(fields: Any, frame: Frame) -> Candidate:
    if not isinstance(fields, dict):
        return _bad("", "a candidate is not an object")
    uri = fields.get("uri")
    if "wrong" in fields:
        return _bad(uri, str(fields["wrong"]))
    wrong = _what_is_wrong(fields)
    if wrong is not None:
        return _bad(uri, wrong)
    vector = None
    if fields.get("vector") is not None:
        part = frame.part(fields["vector"])
        if not part or len(part) % 2:
            raise BadFrame(f"{len(part)} bytes are no float16 vector")
        vector = np.frombuffer(part, dtype="<f2").astype(np.float16)
        if not np.isfinite(vector).all():
            return _bad(uri, "the vector is not finite")
    content = frame.part(fields["content"]) if fields.get("content") is not None else None
    scores = tuple((detector, float(score)) for detector, score in fields["outside_scores"])
    texts = {name: fields.get(name) for name in _TEXTS}
    return Candidate(
        uri=fields["uri"],
        content=content,
        vector=vector,
        outside_scores=scores,
        generation=fields["generation"],
        problem_detail=fields.get("problem_detail") or "",
        **texts,
    )


def _what_is_wrong(fields: dict[str, Any]) -> str | None:
    """The first thing about a candidate's fields that is not as the contract says."""
    for name in ("uri", "problem_detail", *_TEXTS):
        value = fields.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > _LONGEST):
            return _too_long(name)
        if value and _UNSTORABLE.search(value):
            return f"{name} holds characters that are no text"
    if not fields.get("uri"):
        return "uri is missing"
    if fields.get("label") not in (None, *LABELS):
        return f"label {fields['label'][:40]!r} is neither real nor synthetic"
    if fields.get("problem") not in (None, *REASONS):
        return f"problem {fields['problem'][:40]!r} is not a known reason"
    if fields.get("sha256") is not None and not _SHA256.fullmatch(fields["sha256"]):
        return "sha256 is not 64 hexadecimal digits"
    scores = fields.get("outside_scores")
    if not isinstance(scores, list) or not all(_is_score(score) for score in scores):
        return "outside_scores are no pairs of detector and finite score"
    generation = fields.get("generation")
    if not isinstance(generation, dict) or not all(_is_parameter(*pair) for pair in generation.items()):
        return "generation is no mapping of names to texts and finite numbers"
    if len(generation) > _MOST_PARAMETERS:
        return f"generation has {len(generation)} parameters, at most {_MOST_PARAMETERS} are kept"
    return None


def _is_parameter(name: object, value: object) -> bool:
    """Say whether a generation parameter can be kept: a short name, and a text or a finite number."""
    if not isinstance(name, str) or not 0 < len(name) <= 100 or _UNSTORABLE.search(name):
        return False
    if isinstance(value, str):
        return len(value) <= _LONGEST and not _UNSTORABLE.search(value)
    if isinstance(value, int):  # truth values too
        return abs(value) < 2**64  # a seed; longer ones are not even written as text
    return isinstance(value, float) and math.isfinite(value)


def _is_score(pair: Any) -> bool:
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    detector, score = pair
    if not isinstance(detector, str) or not 0 < len(detector) <= _LONGEST_DETECTOR or _UNSTORABLE.search(detector):
        return False
    return isinstance(score, float) and math.isfinite(score)


def _bad(uri: Any, detail: str) -> Candidate:
    """A candidate that is refused; its name is made storable, for the refusal is stored under it."""
    named = _UNSTORABLE.sub("\ufffd", _text(uri)) or "unnamed"
    return Candidate(uri=named, problem="bad_record", problem_detail=_UNSTORABLE.sub("\ufffd", detail)[:200])
