"""Stale and not enough samples: facts about what does not come, told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.context import Context
from daemon.drift.standing import find, since
from daemon.model import Alarm, AlarmKind, FamilyRow


@dataclass(frozen=True, slots=True)
class _Fact:
    about: str
    mark: str  # what tells this silence from an earlier one
    text: str


def watch_silence(context: Context, alarms: Sequence[Alarm]) -> list[Alarm]:
    """The alarms that began or ended since they were last written."""
    now = context.clock.now()
    settings = context.settings.alarms
    subjects = [row for row in context.samples.subjects() if not row.retired]
    last = context.samples.last_samples()
    adapters = [(f"adapter {a.name}", last[a.name]) for a in context.settings.adapters if a.enabled and a.name in last]
    families = [(row.subject.name, row.last_sample_at) for row in subjects if row.subject.kind == "family"]
    silent = [
        *_silent(adapters, settings.adapter_stale_after, now),
        *_silent(families, settings.family_stale_after, now),
    ]
    few = _few(subjects, context.settings.evaluate.min_samples, settings.insufficient_after, now)
    return [*_changed("stale", silent, alarms, now), *_changed("insufficient", few, alarms, now)]


def _silent(last: Iterable[tuple[str, datetime]], after: timedelta | None, now: datetime) -> Iterator[_Fact]:
    for about, at in last:
        if after is not None and now - at > after:
            yield _Fact(
                about, at.isoformat(), f"no sample of {about} since {at:%Y-%m-%d}; what is measured of it grows old"
            )


def _few(subjects: Iterable[FamilyRow], enough: int, after: timedelta | None, now: datetime) -> Iterator[_Fact]:
    for row in subjects:
        few = row.subject.kind == "family" and row.samples < enough
        if few and after is not None and now - row.first_seen > after:
            text = f"{row.subject.name} has {row.samples} samples since {row.first_seen:%Y-%m-%d}; "
            yield _Fact(row.subject.name, str(row.samples), text + f"{enough} are needed to measure it")


def _changed(kind: AlarmKind, standing: Iterable[_Fact], alarms: Sequence[Alarm], now: datetime) -> Iterator[Alarm]:
    facts = {fact.about: fact for fact in standing}
    raised = {alarm.about for alarm in alarms if alarm.kind == kind and alarm.raised_at is not None}
    for about in sorted(facts.keys() ^ raised):
        fact = facts.get(about)
        at = since(find(alarms, kind, about), fact is not None, now)
        yield Alarm(kind, about, "", {"mark": fact.mark if fact else ""}, None, None, at, fact.text if fact else "")
