"""River's change detectors on the votes of a known family, with settings that suit streams in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, get_args

RiverName = Literal["adwin", "page_hinkley", "hddm_a", "kswin"]
RIVER_NAMES: Final[tuple[RiverName, ...]] = get_args(RiverName)

# River's defaults are made for streams of counts: PageHinkley's threshold 50 needs 442 votes where 3 needs 22
# (method section 3), and KSWIN's alpha of .005 alarms falsely once in 1,000 votes.
SETTINGS: Final[Mapping[RiverName, Mapping[str, Any]]] = {
    "adwin": {"delta": 0.002, "clock": 1},
    "page_hinkley": {"threshold": 3.0, "delta": 0.02, "mode": "down"},
    "hddm_a": {"drift_confidence": 0.001},
    "kswin": {"alpha": 0.0001, "window_size": 100, "stat_size": 30, "seed": 1},
}
_RECENT: Final = 30  # votes that say which way a two-sided detector's change went


def river_detector(name: RiverName, **settings: Any) -> Any:
    """One of river's detectors; settings win over `SETTINGS`."""
    from river import drift
    from river.drift import binary

    kinds: Mapping[RiverName, Callable[..., Any]] = {
        "adwin": drift.ADWIN,
        "page_hinkley": drift.PageHinkley,
        "hddm_a": binary.HDDMA,
        "kswin": drift.KSWIN,
    }
    return kinds[name](**{**SETTINGS[name], **settings})


def first_river_alarm(
    name: RiverName, baseline: Sequence[float], votes: Sequence[float], settings: Mapping[str, Any] | None = None
) -> int | None:
    """The vote at which the detector first saw a fall; None: it saw none.

    The detector is built anew from the votes each time, so nothing of it has to be kept but the scores in the store.
    Its `drift_detected` lasts for one vote: the first one counts. A change upwards is none for us. What it takes for
    a change within the baseline is none either, for the baseline is what it is compared with.

    baseline, votes: in [0, 1], canonical order, placement values. Returns a vote's number, from 1.
    Raises ValueError when a value is not in [0, 1]: one NaN would poison ADWIN for good.
    """
    seen = [*baseline, *votes]
    if not all(0.0 <= value <= 1.0 for value in seen):  # fails for NaN too
        raise ValueError("votes must be numbers between 0 and 1")
    detector = river_detector(name, **(settings or {}))
    for number, value in enumerate(seen):
        detector.update(1.0 - value if name == "hddm_a" else value)  # HDDM looks for a rise, of errors
        if detector.drift_detected and number >= len(baseline) and _fell(seen[: number + 1]):
            return number - len(baseline) + 1
    return None


def _fell(seen: Sequence[float]) -> bool:
    recent, before = seen[-_RECENT:], seen[:-_RECENT]
    return not before or math.fsum(recent) / len(recent) < math.fsum(before) / len(before)
