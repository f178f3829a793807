"""One row of a manifest or of a folder's sidecar: what it claims, checked; nothing is guessed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from daemon.model import LABELS, Candidate, Label
from daemon.slug import complaint, is_slug

REQUIRED = ("uri", "label")
CLAIMS = (
    "uri", "label", "family", "kind", "released", "group", "source", "caption", "sha256",
    "licence", "consent", "seed", "generation",
)  # fmt: skip
COLUMNS = (*CLAIMS, "vector", "vector_fingerprint", "score", "detector")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RELEASED = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


class BadRecord(Exception):
    """A row says something that it may not; the message is the detail of the `bad_record`."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a row says about one picture; None: not said."""

    label: Label | None = None
    family: str | None = None  # lower snake case
    kind: str | None = None
    released: str | None = None  # YYYY, YYYY-MM or YYYY-MM-DD
    group: str | None = None
    source: str | None = None
    caption: str | None = None
    sha256: str | None = None  # 64 lower-case hex digits
    licence: str | None = None
    consent: str | None = None
    generation: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # seed, model, steps, ...

    def on(self, candidate: Candidate) -> Candidate:
        """Return the candidate with these claims in place of its own."""
        return replace(candidate, **{one.name: getattr(self, one.name) for one in fields(self)})


def released_on(text: str) -> date:
    """Return the first day of a release date given as YYYY, YYYY-MM or YYYY-MM-DD.

    Raises ValueError when it is none of these.

    >>> released_on("2023-07")
    datetime.date(2023, 7, 1)
    """
    match = _RELEASED.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not YYYY, YYYY-MM or YYYY-MM-DD")
    year, month, day = match.groups()
    try:
        return date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        raise ValueError(f"{text!r} is no date") from None


def text_of(row: Mapping[str, object], column: str) -> str | None:
    """Return a cell as stripped text, None when it is absent or empty; numbers and dates are written out.

    Raises BadRecord when the cell is no text (a list, a fraction, a truth value).
    """
    value = row.get(column)
    if isinstance(value, str):
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BadRecord(f"{column} {str(value)[:40]!r} is not text")


def label_of(row: Mapping[str, object]) -> Label | None:
    """Return the label; None when the cell is empty or `unknown`. Raises BadRecord for any other word."""
    text = text_of(row, "label")
    if text is None or text.lower() == "unknown":
        return None
    for label in LABELS:
        if text.lower() == label:
            return label
    raise BadRecord(f"label {text[:40]!r} is not one of {', '.join(LABELS)}, unknown or empty")


def claims_of(row: Mapping[str, object]) -> Claims:
    """Return what a row claims. Raises BadRecord with one phrase that names the cell and what is allowed."""
    label = label_of(row)
    family = text_of(row, "family")
    if family == "unknown":
        family = None
    if family is not None and not is_slug(family):
        raise BadRecord(complaint(family))
    if label == "real" and family is not None:
        raise BadRecord(
            f"label real with family {family!r}: a real picture has no generator (its collection is `source`)"
        )
    released = text_of(row, "released")
    if released is not None:
        try:
            released_on(released)
        except ValueError as error:
            raise BadRecord(f"released {error}") from None
    sha256 = text_of(row, "sha256")
    if sha256 is not None and not _SHA256.fullmatch(sha256.lower()):
        raise BadRecord(f"sha256 {sha256[:70]!r} is not 64 hex digits")
    real = label == "real"
    return Claims(
        label=label,
        family=family,
        kind=None if real else text_of(row, "kind"),  # both speak of a generator
        released=None if real else released,
        group=text_of(row, "group"),
        source=text_of(row, "source"),
        caption=text_of(row, "caption"),
        sha256=None if sha256 is None else sha256.lower(),
        licence=text_of(row, "licence"),
        consent=text_of(row, "consent"),
        generation={} if real else generation_of(row),
    )


def generation_of(row: Mapping[str, object]) -> dict[str, str | int | float | bool]:
    """Return how the picture was made: the object in `generation` (JSON when it is text), with `seed` added.

    Raises BadRecord when it is no flat object of texts, numbers and truth values.

    >>> generation_of({"seed": "7", "generation": '{"model": "m", "steps": 20}'})
    {'model': 'm', 'steps': 20, 'seed': 7}
    """
    value = row.get("generation")
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            raise BadRecord("generation is not a JSON object") from None
    if value is not None and not isinstance(value, Mapping):
        raise BadRecord("generation is not an object")
    said = {str(name): one for name, one in (value or {}).items() if one is not None}
    seed = row.get("seed")
    if seed is not None and seed != "":
        said["seed"] = _seed(seed)
    for name, one in said.items():
        if not isinstance(one, str | int | float):
            raise BadRecord(f"generation: {name[:40]!r} is neither text nor number")
        if isinstance(one, float) and not math.isfinite(one):
            raise BadRecord(f"generation: {name[:40]!r} is not finite")
    return said


def _seed(value: object) -> int | str:
    if isinstance(value, float) and value.is_integer():  # a column of integers with gaps is read as fractions
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value.strip()):
        return int(value)
    if isinstance(value, int | str) and not isinstance(value, bool):
        return value
    raise BadRecord(f"seed {str(value)[:40]!r} is neither a whole number nor a text")


def vector_of(row: Mapping[str, object]) -> tuple[NDArray[np.float16], str] | None:
    """Return a precomputed vector (d,) float16 and its encoder's fingerprint, None when the row has none.

    Raises BadRecord when it is no list of finite numbers in float16's range, or has no fingerprint.
    """
    value = row.get("vector")
    fingerprint = text_of(row, "vector_fingerprint")
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise BadRecord("vector is not a JSON list of numbers") from None
    if value is None:
        if fingerprint is not None:
            raise BadRecord("vector_fingerprint without a vector")
        return None
    if fingerprint is None:
        raise BadRecord("vector without a vector_fingerprint: say which encoder made it")
    if isinstance(value, list) and not all(isinstance(x, int | float) and not isinstance(x, bool) for x in value):
        raise BadRecord("vector is not a list of numbers")
    try:
        with np.errstate(over="ignore"):  # an overflow shows as an infinity, refused below
            vector = np.asarray(value, dtype=np.float64).astype(np.float16)
    except (TypeError, ValueError, OverflowError):
        raise BadRecord("vector is not a list of numbers") from None
    if vector.ndim != 1 or vector.size == 0 or not np.isfinite(vector).all():
        raise BadRecord("vector must be one flat list of finite numbers in the range of float16")
    return vector, fingerprint


def score_of(row: Mapping[str, object]) -> tuple[tuple[str, float], ...]:
    """Return the outside score as ((detector, score),), () when the row has none. Raises BadRecord otherwise."""
    value = row.get("score")
    detector = text_of(row, "detector")
    if value is None or (isinstance(value, str) and not value.strip()):
        if detector is not None:
            raise BadRecord("detector without a score")
        return ()
    if detector is None:
        raise BadRecord("score without a detector: say whose score it is")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRecord(f"score {str(value)[:40]!r} is not a number")
    try:
        score = float(value)
    except (ValueError, OverflowError):
        raise BadRecord(f"score {str(value)[:40]!r} is not a number") from None
    if not np.isfinite(score):
        raise BadRecord(f"score {value!r} is not finite")
    return ((detector, score),)
