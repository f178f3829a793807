"""What people are told: one message for one event, the same words on every channel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote

from daemon.model import Event

# A change of state is told with its figures; these say of the same moment that the test alarmed.
TOLD_BY_THE_CHANGE_OF_STATE: Final = frozenset({"family_evades", "family_degraded", "source_misjudged"})
SIMULATED: Final = "SIMULATED"


@dataclass(frozen=True, slots=True)
class Picture:
    """A small copy of an example."""

    sha256: str  # of the picture itself
    logit: float | None  # by the champion when the message was made
    content: bytes  # JPEG


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text file that goes with a message; it waits in the store with it."""

    name: str
    media_type: str  # text/html or text/markdown
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is told; plain JSON values only, for it waits in the store."""

    id: str  # stable: every attempt to tell the same event to anybody carries it
    kind: str
    at: str  # ISO 8601, UTC
    title: str  # one line
    text: str  # some lines, without markup
    link: str | None  # to the page
    facts: Mapping[str, Any]  # family or source, before and after, figures by profile, evidence, version
    examples: Sequence[Mapping[str, Any]]  # sha256 and logit of example pictures
    simulated: bool
    attachments: Sequence[Mapping[str, str]] = ()  # each as an Attachment

    def to_json(self) -> dict[str, Any]:
        """As the outbox keeps it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def attached(self) -> list[Attachment]:
        """Its files."""
        return [Attachment(**one) for one in self.attachments]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Message:
        """What `to_json` gave."""
        return cls(**values)


def message_id(event: Event) -> str:
    """32 hex digits: the same for the same event for ever, another one for every other event.

    The time is part of it, so that two services that watch families of the same names are told apart.
    """
    return hashlib.sha256(f"{event.key}\n{event.at.isoformat()}".encode()).hexdigest()[:32]


def compose(
    event: Event,
    *,
    page: str | None,
    examples: Sequence[Mapping[str, Any]] = (),
    simulated: bool = False,
    attachments: Sequence[Attachment] = (),
) -> Message:
    """The message of an event.

    page: address of the status page, without a slash at its end; None: no link. examples: sha256 and logit of pictures.
    attachments: files that go with it.
    """
    facts = _facts(event)
    link = _link(page, facts)
    lines = [event.text, *_figures(facts), *_evidence(facts)]
    if examples:
        lines.append("Examples: " + ", ".join(str(example["sha256"])[:12] for example in examples))
    if simulated:
        lines.append(f"{SIMULATED}: pictures or time are not real.")
    if link:
        lines.append(link)
    return Message(
        id=message_id(event),
        kind=event.kind,
        at=event.at.isoformat(),
        title=_title(event, facts, simulated),
        text="\n".join(lines),
        link=link,
        facts=facts,
        examples=list(examples),
        simulated=simulated,
        attachments=[asdict(one) for one in attachments],
    )


def subject_of(event: Event) -> tuple[str, str] | None:
    """("family" or "source", its name) that an event is about; None: about neither."""
    subject, family = event.data.get("subject"), event.data.get("family")
    if isinstance(subject, list) and len(subject) == 2:
        return str(subject[0]), str(subject[1])
    return ("family", family) if isinstance(family, str) else None


def _facts(event: Event) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    subject = subject_of(event)
    if subject:
        facts[subject[0]] = subject[1]
    for name in ("before", "after", "since", "version", "previous", "actor", "alert", "episode", "about"):
        if event.data.get(name) not in (None, ""):
            facts[name] = event.data[name]
    evidence = event.data.get("evidence")
    seen: Mapping[str, Any] = evidence if isinstance(evidence, Mapping) else event.data
    for name in ("samples", "log10_evidence", "log10_alarm", "figures", "ap_after", "votes"):
        if seen.get(name) is not None:
            facts[name] = seen[name]
    return facts


def _title(event: Event, facts: Mapping[str, Any], simulated: bool) -> str:
    name = facts.get("family") or facts.get("source")
    if name and "after" in facts:
        title = f"{name} is {facts['after']} (was {facts.get('before') or 'new'})"
    else:
        title = event.text.splitlines()[0][:160]
    return f"sidwatch: {f'[{SIMULATED}] ' if simulated else ''}{title}"


def _figures(facts: Mapping[str, Any]) -> list[str]:
    return [
        line
        for profile, figures in sorted(facts.get("figures", {}).items(), reverse=True)  # raw first
        if (line := _of_profile(profile, figures))
    ]


def _of_profile(profile: str, figures: Mapping[str, Any]) -> str:
    parts = []
    for name, keys in {
        "AP": ("ap", "ap_lower", "ap_upper"),
        "recall": ("recall", "recall_lower", "recall_upper"),
        "called synthetic": ("false_positive_rate", "lower", "upper"),
    }.items():
        value, lower, upper = (figures.get(key) for key in keys)
        if value is not None:
            interval = f" [{lower:.3f}, {upper:.3f}]" if lower is not None and upper is not None else ""
            parts.append(f"{name} {value:.3f}{interval}")
    return f"{profile}: {', '.join(parts)}, n {figures.get('n', 0)}" if parts else ""


def _evidence(facts: Mapping[str, Any]) -> list[str]:
    evidence, alarm = facts.get("log10_evidence"), facts.get("log10_alarm")
    if evidence is None:
        return []
    line = "" if alarm is None else f", alarm line 10^{alarm:.1f}"
    return [f"evidence: 10^{evidence:.1f}{line}"]


def _link(page: str | None, facts: Mapping[str, Any]) -> str | None:
    if page is None:
        return None
    return f"{page}/families/{quote(facts['family'], safe='')}" if "family" in facts else f"{page}/"
