"""What comes in, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from daemon.model.vocabulary import Label


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an adapter offers: one picture (or its precomputed vector, or an outside detector's score)."""

    uri: str  # names the delivery; stable within the adapter, so that a repeat is seen
    content: bytes | None = None  # encoded picture as delivered
    label: Label | None = None  # claimed; None: unknown
    family: str | None = None  # claimed generator family of a synthetic picture, lower snake case
    source: str | None = None  # photo collection or repository; None: the adapter's own name
    group: str | None = None  # what must stay on one side of a split; None: the sample alone
    caption: str | None = None  # what the picture shows, or the prompt that it was made from
    generation: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # seed, model, steps, ...
    licence: str | None = None  # under which the picture may be used, in the source's words
    consent: str | None = None  # what the people shown, or the makers, agreed to, in the source's words
    released: str | None = None  # release date of the family: YYYY, YYYY-MM or YYYY-MM-DD
    kind: str | None = None  # kind of generator: gan, diffusion, autoregressive, ...
    sha256: str | None = None  # what the source says the bytes hash to; required without content
    vector: NDArray[np.float16] | None = None  # (d,) precomputed by the encoder with this fingerprint
    vector_fingerprint: str | None = None
    outside_scores: tuple[tuple[str, float], ...] = ()  # (detector, score; higher: more synthetic)
    problem: str | None = None  # the adapter saw the item but could not read it: a reason of REASONS
    problem_detail: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A generator that was released: one adapter found it, another makes pictures with it."""

    model: str  # as the place that publishes it names it, such as owner/name
    revision: str  # what pictures are to be made with, whatever comes later
    family: str  # lower snake case; the store may put the owner in front when another model has that name
    released: str  # YYYY, YYYY-MM or YYYY-MM-DD
    kind: str | None = None  # kind of generator: gan, diffusion, autoregressive, ...
    licence: str | None = None  # of the model, in its publisher's words


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a picture is to show."""

    text: str
    group: str | None = None  # what it must stay together with, such as the photograph that it describes


@dataclass(frozen=True, slots=True)
class Material:
    """What the service hands to an adapter that makes pictures."""

    releases: tuple[Release, ...] = ()  # in the order in which they were registered
    captions: tuple[Prompt, ...] = ()  # of photographs, in the order in which they came


@dataclass(frozen=True, slots=True)
class Batch:
    """Candidates, releases and the cursor that becomes durable only together with them."""

    candidates: tuple[Candidate, ...]
    cursor: str
    releases: tuple[Release, ...] = ()


Subsampling = Literal["4:4:4", "4:2:2", "4:2:0", "other"]
SUBSAMPLINGS: tuple[Subsampling, ...] = ("4:4:4", "4:2:2", "4:2:0", "other")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a picture's file says beside its pixels: its history, never its content."""

    mode: str  # of the pixels as stored, as Pillow names it: RGB, L, P, RGBA, ...
    luminance: float | None  # mean of the JPEG quantisation table of luminance: the higher, the coarser; None: no JPEG
    chrominance: float | None  # the same of chrominance; None: no JPEG, or a grey one
    tables: str | None  # first 16 hex digits of the sha256 over all quantisation tables; None: no JPEG
    subsampling: Subsampling | None  # of a JPEG's chrominance; None: no JPEG, or a grey one
    progressive: bool  # a progressive JPEG, an interlaced PNG
    exif: bool
    icc: bool  # a colour profile is embedded


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the decoding child found out about a candidate's bytes."""

    width: int
    height: int
    format: str  # JPEG, PNG or WEBP
    phash: str  # 64-bit perceptual hash, 16 hex digits (ImageHash phash)
    facts: FileFacts | None = None  # None: not looked at


@dataclass(frozen=True, slots=True)
class Admission:
    """One candidate after inspection: stored (inspected is set, or it carries a vector) or rejected."""

    candidate: Candidate
    sha256: str  # of the bytes; "" when there are none and none were promised
    size: int  # bytes
    inspected: Inspected | None
    reason: str | None = None  # of REASONS: rejected, nothing stored but the count and the delivery note
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one admitted batch changed."""

    stored: int  # new samples
    repeated: int  # deliveries that were known already, or new deliveries of known bytes
    rejected: int
    quarantined: int
    near_duplicates: int = 0  # of those in quarantine; the others are label conflicts


@dataclass(frozen=True, slots=True)
class Report:
    """What a person says of a picture."""

    label: Label
    family: str | None = None  # of a synthetic one, when it is known
    note: str = ""
    key: str | None = None  # the reporter's own: the same report again changes nothing


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report."""

    sha256: str
    outcome: Literal["stored", "known", "quarantined", "rejected"]
    reason: str | None = None  # of REASONS: why it was rejected or the sample is in quarantine
    detail: str = ""
    repeated: bool = False  # the very same report was made before; nothing changed


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a pushed sample."""

    receipt: int  # the delivery's number
    sha256: str
    outcome: Literal["stored", "known", "quarantined", "rejected"]
    reason: str | None = None  # of REASONS: why it was rejected or the sample is in quarantine
    detail: str = ""
    repeated: bool = False  # the very same push came before; nothing changed


@dataclass(frozen=True, slots=True)
class PendingSample:
    """A sample that still needs a vector."""

    sample_id: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """What the store remembers of an adapter."""

    name: str
    cursor: str | None
    last_success_at: datetime | None
    stored: int
    rejected: dict[str, int]  # by reason
    quarantined: dict[str, int]  # by reason
    failures: int = 0  # polls in a row that failed
    retry_at: datetime | None = None  # the circuit is open until then
    failure: str = ""  # why the last poll failed


class Rejection(NamedTuple):
    """A delivery that was refused."""

    uri: str
    reason: str  # of REASONS
    detail: str


class Claim(NamedTuple):
    """What one delivery says of a sample."""

    adapter: str
    uri: str
    label: str | None
    family: str | None  # as it was claimed, whatever the family is called by now
    source: str


@dataclass(frozen=True, slots=True)
class QuarantinedSample:
    """A sample that is set apart."""

    sha256: str
    reason: str  # of REASONS
    detail: str
    since: datetime
    has_blob: bool
    claims: tuple[Claim, ...]  # oldest first


@dataclass(frozen=True, slots=True)
class EncodingFailure:
    """A picture that the encoder could not turn into a vector."""

    reason: str  # of REASONS
    detail: str
