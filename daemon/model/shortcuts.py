"""What file metadata alone gives away, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from daemon.model.intake import FileFacts
from daemon.model.vocabulary import Subject


class BatchKey(NamedTuple):
    """A batch of the shortcut audit: what a source delivered of a family, or of its own photographs."""

    subject: Subject
    source: str  # "": whatever source it is from, all of the subject together


class BatchCount(NamedTuple):
    """How much there is of a batch."""

    samples: int  # active, labelled
    known: int  # of them with file facts; the others were taken in before these were kept


@dataclass(frozen=True, slots=True)
class FileRow:
    """What is known of a labelled sample's file, beside its pixels."""

    sample_id: int
    batch: BatchKey
    learnable: bool  # its source is not untrusted
    group: str
    fold: int
    format: str
    width: int  # of the upright picture
    height: int
    size: int  # bytes
    facts: FileFacts


BatchState = Literal["clean", "shortcut", "too_few"]
BATCH_STATES: tuple[BatchState, ...] = ("clean", "shortcut", "too_few")
LeftOutReason = Literal["metadata_shortcut", "one_sided"]


@dataclass(frozen=True, slots=True)
class BatchAudit:
    """How well file metadata alone tells a batch from the pictures of the other label."""

    batch: BatchKey
    state: BatchState
    auroc: float | None  # cross-validated by groups; None: too few to tell
    lower: float | None
    upper: float | None
    n: int  # pictures of the batch that were placed
    groups: int
    others: int  # pictures of the other label that they were compared with
    unknown: int  # pictures of the batch whose file facts are not known: they say nothing
    known: int  # pictures of the batch, and of the other label, whose file facts were known: many more by now ask
    known_others: int  # for another audit
    threshold: float  # above it the batch is a shortcut
    recipe: str  # how it was made: another one asks for another audit
    at: datetime
    number: int  # how many states the batch has had


class LeftOut(NamedTuple):
    """Samples of a batch whose raw form statistics leave out."""

    batch: BatchKey
    reason: LeftOutReason
    samples: int
