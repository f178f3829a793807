"""What came with a pipeline fault: it is never counted as evidence, for or against anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.model import Alarm
from daemon.ports import SampleStore


def suspect_ranges(alarms: Sequence[Alarm]) -> tuple[tuple[int, int], ...]:
    """First and last score id of what came with each pipeline fault."""
    found = next((alarm for alarm in alarms if alarm.kind == "pipeline_fault"), None)
    stored: Any = found.state.get("suspect", []) if found is not None else []
    return tuple((int(first), int(last)) for first, last in stored)


def suspect_samples(samples: SampleStore) -> set[int]:
    """Ids of the samples that came with a pipeline fault.

    Not those whose label was corrected since: their scores have new ids.
    """
    ranges = suspect_ranges(samples.alarms())
    return samples.scored_within(ranges) if ranges else set()
