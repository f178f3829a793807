"""What statistics hold, what is left out of them, and what is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from daemon.model.shortcuts import LeftOutReason
from daemon.model.vocabulary import Profile, Subject, SubjectKind

ForgetKind = Literal["source", "family", "sample"]


class LearnedRow(NamedTuple):
    """A sample that an encoder's statistics hold, and as what."""

    sample_id: int
    subject: Subject  # what it was learned as; it may be labelled otherwise by now
    fold: int
    raw_left_out: LeftOutReason | None = None  # why only its laundered form was learned; None: both were
    form: str = ""  # among which form of its family, see `daemon.heads.forms`; "": not known, or a real source


class Dataset(NamedTuple):
    """What an encoder's statistics were made of."""

    samples: int
    sha256: str  # hex, over the lines `<sha256 of the picture> <kind> <name>[ laundered]`, sorted


class Exclusion(NamedTuple):
    """What no version learned of a batch, and why; part of the version's manifest."""

    kind: SubjectKind
    name: str
    source: str
    profile: Profile  # the form that was left out
    samples: int
    reason: LeftOutReason | Literal["source_cap", "clip"]
    why: str  # the reason in words


class Clipped(NamedTuple):
    """A sample that an encoder's statistics leave out because it lies implausibly far from its own group."""

    sample_id: int
    subject: Subject  # its group when that was decided
    version: str  # under whose covariance the distances were taken
    spreads: float  # how far beyond the group's usual norm it lies, see `daemon.learn.implausible`
    revision: int  # of the statistics: the first from which on it was left out


class GroupClip(NamedTuple):
    """What was decided about one group, and of what."""

    version: str
    judged: str  # sha256 (hex) of everything that the decision depends on beside the version
    clipped: Mapping[int, float]  # sample -> spreads


class ForgetTarget(NamedTuple):
    """What is to be forgotten."""

    kind: ForgetKind
    name: str  # of the source or family, or the sample's sha256

    def __str__(self) -> str:
        return f"{self.kind} {self.name[:12] if self.kind == 'sample' else self.name}"


@dataclass(frozen=True, slots=True)
class ForgetCounts:
    """What forgetting takes away."""

    deliveries: int
    gone: int  # samples that nobody else delivered
    kept: int  # samples that stay, decided anew from their other deliveries
    learned: int  # of both: how many the statistics of some encoder hold


@dataclass(frozen=True, slots=True)
class ForgetRecord:
    """A forgetting: out of every figure at once (`taken_out`), its bytes gone a little later (`done`)."""

    id: int
    target: ForgetTarget
    reason: str
    actor: str
    at: datetime
    state: str  # taken_out, done
    counts: ForgetCounts
