"""What a report says, as plain values."""

from __future__ import annotations

from datetime import datetime

from daemon.detail.views import MeanPointView, ReignView
from daemon.views import View


class ReleasedView(View):
    """A family that came in for the first time."""

    family: str
    kind: str | None
    released: str | None
    first_seen: datetime
    samples: int
    state: str
    ap: float | None
    ap_lower: float | None
    ap_upper: float | None


class EvadedView(View):
    """One episode: how fast it was noticed and repaired. Times are seconds of the service's clock."""

    episode: int | None
    family: str
    state: str
    alarmed_at: datetime
    votes: int  # groups of pictures until the alarm
    noticed_after: float  # from the first picture that voted to the alarm
    learned_after: float | None  # from the alarm to the version that learned it
    recovered_after: float | None  # from the alarm to the proof that it is detected again
    ap_before: float | None
    ap_after: float | None
    version: str | None


class DecidedView(View):
    at: datetime
    version: str
    decision: str
    actor: str
    reason: str


class RateView(View):
    """A real source: how often its photographs are called synthetic."""

    source: str
    state: str
    rate: float | None
    lower: float | None
    upper: float | None
    n: int


class ReportView(View):
    """Everything a report says (`sidwatch report --json`)."""

    since: datetime
    until: datetime
    simulated: bool
    champion: str | None
    encoder: str
    mean_ap_first: float | None  # at the first measurement of the stretch
    mean_ap: float | None  # now, raw
    mean_ap_laundered: float | None
    worst_family: str | None
    worst_ap: float | None
    false_positive_rate: float | None  # now, raw, mean over real sources
    false_positive_aim: float | None  # what the threshold is placed for
    released: list[ReleasedView]
    evaded: list[EvadedView]
    votes_to_alarm: float | None  # median over the episodes
    seconds_to_notice: float | None
    seconds_to_learn: float | None
    seconds_to_recover: float | None
    decisions: list[DecidedView]  # oldest first
    by_people: dict[str, int]  # audited actions of people -> how many
    rates: list[RateView]
    risks: list[str]  # open ones, one line each, the most urgent first
    history: list[MeanPointView]
    reigns: list[ReignView]
