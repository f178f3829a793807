"""A sample row under construction: what its deliveries say together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from daemon.corrections.model import Relabel
from daemon.model import Admission, Candidate


@dataclass(slots=True)
class Draft:
    """A sample row under construction, with names where the table has ids."""

    sha256: str
    size: int
    has_blob: bool
    source: str
    group: str
    delivered_at: datetime
    adapter_id: int
    id: int | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    phash: str | None = None
    facts: dict[str, Any] | None = None
    label: str | None = None
    label_from: str | None = None
    family: str | None = None
    caption: str | None = None
    state: str = "active"
    reason: str | None = None
    detail: str = ""
    quarantined_at: datetime | None = None
    learned: bool = False
    relabel: Relabel | None = None  # a person's word, which has been taken over; deliveries fill in what it leaves open

    @property
    def has_subject(self) -> bool:
        return self.label == "real" or (self.label == "synthetic" and self.family is not None)

    def disagrees(self, candidate: Candidate) -> str | None:
        """What the candidate claims otherwise than earlier deliveries did."""
        for ours, theirs in ((self.label, candidate.label), (self.family, candidate.family)):
            if ours is not None and theirs is not None and ours != theirs:
                return f"{theirs}, earlier {ours}"
        if "real" in (self.label, candidate.label) and (self.family or candidate.family) is not None:
            return f"real, and of family {self.family or candidate.family}"
        return None

    def merge(self, admission: Admission, adapter: str, at: datetime) -> bool:
        """Take over what one more delivery says; returns whether it now contradicts the earlier ones."""
        if self.relabel is not None:
            admission = replace(admission, candidate=_left_open(admission.candidate, self.relabel))
        conflict = self.disagrees(admission.candidate)
        if conflict is None:
            self.fill_in(admission, adapter)
            return False
        if self.state != "active":
            return False
        self.state, self.reason, self.quarantined_at = "quarantined", "label_conflict", at
        self.detail = f"{adapter} {admission.candidate.uri} says {conflict}"
        return True

    def fill_in(self, admission: Admission, adapter: str) -> None:
        """Take over what was unknown so far."""
        candidate = admission.candidate
        if self.label is None and candidate.label is not None:
            self.label, self.label_from = candidate.label, adapter
            # Its source is whoever labelled it: that one's trust is what the label is worth.
            self.source = candidate.source or adapter
        self.family = self.family or candidate.family
        self.caption = self.caption or candidate.caption
        # A learned sample keeps its group: another group might lie on another side of the split.
        if candidate.group is not None and self.group == default_group(self.sha256) and not self.learned:
            self.group = candidate.group
        if candidate.content is not None:
            self.has_blob, self.size = True, admission.size
        if admission.inspected is not None and self.width is None:
            seen = admission.inspected
            self.width, self.height, self.format, self.phash = seen.width, seen.height, seen.format, seen.phash
        if admission.inspected is not None and admission.inspected.facts is not None and self.facts is None:
            self.facts = asdict(admission.inspected.facts)  # the very bytes: an older sample that comes again gets them


def _left_open(candidate: Candidate, relabel: Relabel) -> Candidate:
    """What a delivery may still say of a sample that a person has relabelled."""
    decided = relabel.label == "real" or relabel.family is not None
    return replace(candidate, label=None, family=None if decided else candidate.family)


# What the table has under the same name.
_OTHERWISE = ("id", "family", "source", "group", "learned", "relabel")
PLAIN = tuple(name for name in Draft.__slots__ if name not in _OTHERWISE)


def default_group(sha256: str) -> str:
    """The group of a sample that came without one: itself."""
    return f"sample:{sha256}"
