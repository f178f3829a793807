"""What the budget of false alarms was spent on in the last 30 days, from what the store says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from daemon.drift.budget import DAYS, Spending, run_length
from daemon.drift.subject_test import SubjectTest
from daemon.model import AuditRow, Subject
from daemon.ports import Registry, SampleStore
from daemon.settings import AlarmSettings


def spending(samples: SampleStore, registry: Registry, settings: AlarmSettings, now: datetime) -> Spending:
    """The tests of every champion that began within 30 days, and the votes of what is known to the present one."""
    begin = now - timedelta(days=DAYS)
    levels: list[float] = []
    for version in in_force_since(registry.audit(), begin):
        for state in samples.test_states(version):
            levels += SubjectTest.from_dict(state.state).spent(begin.timestamp())
    for alarm in samples.alarms():
        started, alpha = alarm.state.get("started"), alarm.state.get("alpha")
        if isinstance(started, float) and isinstance(alpha, float) and started > begin.timestamp():
            levels.append(alpha)
    known = known_subjects(samples, registry)
    votes = known_votes(samples.groups_since(begin), known, trusted_sources(samples))
    return Spending(
        budget=settings.false_alarms_per_30_days,
        new_tests=len(levels),
        new_spent=sum(levels),
        known_subjects=len(known),
        known_votes=votes,
        run_length=run_length(settings.false_alarms_per_30_days, max(votes, settings.known_votes_per_30_days)),
    )


def in_force_since(audit: Sequence[AuditRow], begin: datetime) -> list[str]:
    """The versions that were champion at any moment after `begin`, by name; tests of others began before."""
    changes = [(row.at, row.version) for row in audit if row.action in ("promote", "rollback") and row.version]
    later = [version for at, version in changes if at > begin]
    earlier = [version for at, version in changes if at <= begin]
    return sorted({*later, *earlier[-1:]})


def known_subjects(samples: SampleStore, registry: Registry) -> frozenset[Subject]:
    """What the champion's tests watch for a change."""
    champion = registry.champion()
    states = samples.test_states(champion.id) if champion else []
    return frozenset(state.subject for state in states if SubjectTest.from_dict(state.state).stage == "known")


def trusted_sources(samples: SampleStore) -> frozenset[Subject]:
    """The real sources whose pictures may show that the real pool has shifted."""
    return frozenset(
        row.subject for row in samples.subjects() if row.subject.kind == "source" and row.trust == "trusted"
    )


def known_votes(groups: Mapping[Subject, int], known: frozenset[Subject], trusted: frozenset[Subject]) -> int:
    """Votes of the tests that never end: those of known subjects, and of trusted reals on the real pool.

    groups: how many groups of each subject were delivered.
    """
    return sum(groups.get(subject, 0) for subject in known) + sum(groups.get(subject, 0) for subject in trusted)
