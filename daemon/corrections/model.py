"""What a correction says, and what is shown of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.model import FileFacts, Label, LeftOutReason, Split, Subject


@dataclass(frozen=True, slots=True)
class Relabel:
    """What a person says about a sample; it wins over every delivery, later ones too."""

    label: Label
    family: str | None = None  # of a synthetic one; None: as the deliveries say
    source: str | None = None  # None: that of the first delivery


@dataclass(frozen=True, slots=True)
class Correction:
    """What one correction changed."""

    number: int  # of its row in the audit
    samples: int  # whose label, family, family's name, source or quarantine changed
    learned: int  # how many the statistics of some encoder hold otherwise than they are now, or may not hold
    subjects: tuple[Subject, ...]  # families and real sources whose figures and alarms follow


@dataclass(frozen=True, slots=True)
class FamilyPart:
    """Which part of a family a split takes: what meets every condition that is not None."""

    source: str | None = None  # as delivered first
    released_after: str | None = None  # YYYY, YYYY-MM or YYYY-MM-DD
    delivered_after: datetime | None = None  # of the first delivery


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """What people decided about a family, beside what there is of it."""

    name: str
    aliases: tuple[str, ...]  # what deliveries may call it too: former names, and families that were merged into it
    samples: int  # active
    retired_at: datetime | None
    anchored_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """One delivery of a sample, as it came."""

    adapter: str
    uri: str
    label: str | None
    family: str | None  # as it was claimed, whatever the family is called by now
    source: str
    released: str | None
    trust: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ScoreFacts:
    """What one version said of a sample."""

    version: str
    profile: str
    logit: float
    learned: bool  # the version had learned the sample
    at: datetime


@dataclass(frozen=True, slots=True)
class LearnedFacts:
    """What an encoder's statistics hold of a sample."""

    fingerprint: str
    subject: Subject  # what it was learned as
    revision: int
    raw_left_out: LeftOutReason | None  # why only its laundered form was; None: both were


@dataclass(frozen=True, slots=True)
class ClippedFacts:
    """That an encoder's statistics leave a sample out because it lies implausibly far from its own group."""

    fingerprint: str
    subject: Subject  # the group
    version: str  # that it was measured by
    spreads: float  # beyond the group's usual distance


@dataclass(frozen=True, slots=True)
class RelabelFacts:
    """A relabelling in force, and who decided it."""

    relabel: Relabel
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """Everything that is known of one sample."""

    sha256: str
    label: str | None
    label_from: str | None  # the adapter that claimed it; None with a relabelling: a person
    family: str | None
    source: str
    trust: str  # of the source
    group: str
    split: Split
    fold: int
    state: str  # active, quarantined, forgotten
    reason: str | None  # of the quarantine
    detail: str
    format: str | None
    width: int | None
    height: int | None
    size: int  # bytes
    facts: FileFacts | None  # of the file; None: not known
    has_blob: bool
    delivered_at: datetime
    vectors: Mapping[str, int]  # encoder fingerprint -> how many profiles have a vector
    deliveries: tuple[DeliveryFacts, ...]  # oldest first
    scores: tuple[ScoreFacts, ...]  # oldest first
    learned: tuple[LearnedFacts, ...]
    clipped: tuple[ClippedFacts, ...]
    relabelled: RelabelFacts | None
    never_learned: bool  # its source is untrusted, or its family is an anchor

    @property
    def excluded(self) -> str | None:
        """Why no head may learn from it; None: one may."""
        if self.state != "active":
            return f"it is {self.state}" + (f" ({self.reason})" if self.reason else "")
        if self.label is None or (self.label == "synthetic" and self.family is None):
            return "its label or family is unknown"
        if self.split != "train":
            return f"its group lies in {self.split}"
        if self.trust == "untrusted":
            return f"source {self.source} is untrusted"
        return f"family {self.family} is an anchor" if self.never_learned else None
