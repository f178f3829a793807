"""The report: plain data from what the policies' replays found; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from daemon.backtest.calendar import Calendar, Period
from daemon.backtest.figures import FamilyFigure, Moment
from daemon.backtest.progress import Incident, Outcome, Progress
from daemon.model import PROFILES, Profile
from daemon.settings import EvaluateSettings

Figure = Callable[[FamilyFigure], float]
Matrix = list[list[float | None]]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report is made from."""

    calendar: Calendar
    progress: Mapping[str, Progress]  # by policy, each over
    settings: EvaluateSettings

    def to_dict(self) -> dict[str, Any]:
        """`{"profiles": {PROFILE: {"policies": {POLICY: figures}}}, "calendar": ..., "decisions": ...}`."""
        return {
            "profiles": {
                profile: {"policies": {name: self._policy(own, profile) for name, own in self.progress.items()}}
                for profile in PROFILES
            },
            "calendar": [_period(period) for period in self.calendar.periods],
            "decisions": {
                name: [decision.model_dump(mode="json") for decision in _outcome(own).decisions]
                for name, own in self.progress.items()
            },
            "false_alarms": {
                name: [list(alarm) for alarm in _outcome(own).false_alarms] for name, own in self.progress.items()
            },
        }

    def _policy(self, progress: Progress, profile: Profile) -> dict[str, Any]:
        ap, auroc = self._matrix(progress, profile, _ap), self._matrix(progress, profile, _auroc)
        outcome = _outcome(progress)
        periods = [self._at_end(progress, period, profile) for period in self.calendar.periods]
        last = progress.periods.get(self.calendar.periods[-1].number)
        worst = self._worst(last, profile)
        forgotten = forgetting(ap)
        decided = [decision.decision for decision in outcome.decisions]
        rates = last.profiles[profile].false_positive_rate.values() if last else ()
        return {
            "next_period_map": mean(one["next_map"] for one in periods),
            "next_period_auroc": mean(one["next_auroc"] for one in periods),
            "past_map": mean(one["past_map"] for one in periods),
            "past_auroc": mean(one["past_auroc"] for one in periods),
            "whole_map": mean(one["whole_map"] for one in periods),
            "whole_auroc": mean(one["whole_auroc"] for one in periods),
            "final_map": periods[-1]["whole_map"],
            "final_auroc": periods[-1]["whole_auroc"],
            "final_worst": worst[0] if worst else None,
            "final_worst_family": worst[1] if worst else None,
            "final_false_positive_rate": mean(rates),
            "false_alarms": len(outcome.false_alarms),
            "promotions": decided.count("promoted"),
            "held": decided.count("held"),
            "rejected": decided.count("rejected"),
            "forgetting": mean(forgotten),
            "forgetting_by_period": forgotten,
            "matrix_map": ap,
            "matrix_auroc": auroc,
            "periods": periods,
            "families": {family: self._family(progress, family, profile) for family in sorted(self.calendar.released)},
        }

    def _at_end(self, progress: Progress, period: Period, profile: Profile) -> dict[str, Any]:
        """The champion at the end of a period, on the next one, on those so far and on all."""
        number, every = period.number, self.calendar.periods
        moment = progress.periods.get(number)
        spans = {"next": every[number + 1 : number + 2], "past": every[: number + 1], "whole": every}
        found: dict[str, Any] = {"number": number, "version": moment.version if moment else None}
        for span, periods in spans.items():
            for name, figure in (("map", _ap), ("auroc", _auroc)):
                found[f"{span}_{name}"] = self._mean(moment, _families(periods), profile, figure)
        return found

    def _matrix(self, progress: Progress, profile: Profile, figure: Figure) -> Matrix:
        """Row k, column j: the champion at the end of period k, on the families of period j."""
        return [
            [self._mean(progress.periods.get(k.number), j.families, profile, figure) for j in self.calendar.periods]
            for k in self.calendar.periods
        ]

    def _mean(self, moment: Moment | None, families: Sequence[str], profile: Profile, figure: Figure) -> float | None:
        if moment is None:
            return None
        own = moment.profiles[profile].families
        return mean(figure(own[f]) for f in families if f in own and own[f].n >= self.settings.min_samples)

    def _worst(self, moment: Moment | None, profile: Profile) -> tuple[float, str] | None:
        families = moment.profiles[profile].families if moment else {}
        least = self.settings.min_samples_worst
        return min(((figure.ap, name) for name, figure in families.items() if figure.n >= least), default=None)

    def _family(self, progress: Progress, family: str, profile: Profile) -> dict[str, Any]:
        first = progress.zero_shot.get(family)
        before = first.profiles[profile].families[family] if first else None
        last = progress.periods.get(self.calendar.periods[-1].number)
        after = last.profiles[profile].families.get(family) if last else None
        incidents = [one for one in _outcome(progress).incidents if one.family == family]
        return {
            "released": self.calendar.released[family].isoformat(),
            "period": next(p.number for p in self.calendar.periods if family in p.families),
            "zero_shot_ap": before.ap if before else None,
            "zero_shot_auroc": before.auroc if before else None,
            "zero_shot_recall": before.recall if before else None,
            **self._incident(family, incidents[0] if incidents else None),
            "final_ap": after.ap if after else None,
            "final_auroc": after.auroc if after else None,
            "final_recall": after.recall if after else None,
            "n": len(self.calendar.pictures[family]),
        }

    def _incident(self, family: str, incident: Incident | None) -> dict[str, Any]:
        arrived = next(d.at for d in self.calendar.deliveries if any(e.family == family for e in d.entries))
        alarmed = incident.alarmed_at if incident else None
        return {
            "samples_to_alarm": incident.samples_to_alarm if incident else None,
            "days_to_alarm": _days(arrived, alarmed),
            "learned_by": incident.version if incident else None,
            "samples_to_recovery": incident.samples_to_recovery if incident else None,
            "days_to_recovery": _days(alarmed, incident.recovered_at if incident else None),
        }


def forgetting(matrix: Matrix) -> list[float | None]:
    """Per period j: what the last row has lost against the best of the rows from j on before it; 0: nothing.

    None for the last period, and where a figure is missing.
    Source: Chaudhry et al. 2018, "Riemannian Walk for Incremental Learning", section 4.

    >>> forgetting([[0.9, 0.5], [0.8, 0.9]])
    [0.1, None]
    """
    found: list[float | None] = []
    for j in range(len(matrix)):
        earlier = [value for row in matrix[j:-1] if (value := row[j]) is not None]
        last = matrix[-1][j]
        found.append(round(max(0.0, max(earlier) - last), 12) if earlier and last is not None else None)
    return found


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are there; None when none is."""
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _ap(figure: FamilyFigure) -> float:
    return figure.ap


def _auroc(figure: FamilyFigure) -> float:
    return figure.auroc


def _families(periods: Sequence[Period]) -> tuple[str, ...]:
    return tuple(family for period in periods for family in period.families)


def _outcome(progress: Progress) -> Outcome:
    assert progress.outcome is not None, "a report is made of replays that are over"
    return progress.outcome


def _period(period: Period) -> dict[str, Any]:
    return {
        "number": period.number,
        "families": list(period.families),
        "first": period.first.isoformat(),
        "last": period.last.isoformat(),
    }


def _days(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start) / timedelta(days=1), 1)
