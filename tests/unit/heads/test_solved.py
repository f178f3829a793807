"""What was solved last is taken again for another weight of families, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from daemon.heads import solved as module
from daemon.heads.artifact import write
from daemon.heads.learner import fit_version
from daemon.heads.settings import HeadSettings
from daemon.heads.solved import LastSolved

SETTINGS = HeadSettings()


@pytest.fixture
def solves(monkeypatch):
    """How often something was solved."""
    counted = []
    plain = module.solve_pooled
    monkeypatch.setattr(module, "solve_pooled", lambda *given: counted.append(1) or plain(*given))
    return counted


def told(origin, statistics):
    digests = {key: sha256(group.to_bytes()).hexdigest() for key, group in statistics.items()}
    return replace(origin, statistics_digests=digests)


def gentler(statistics):
    family = next(key.subject.name for key in sorted(statistics) if key.subject.kind == "family")
    return replace(SETTINGS, log_priors=((family, -1.9),))


def test_a_gentler_weight_gives_the_same_bytes_without_another_solve(world, learn, origin, solves):
    statistics = learn(world)
    last, about = LastSolved(), told(origin, statistics)
    fit_version(statistics, world, world, SETTINGS, 0.05, about, solved=last)
    first = len(solves)
    again = fit_version(statistics, world, world, gentler(statistics), 0.05, about, solved=last)
    assert first > 1
    assert len(solves) == first
    anew = fit_version(statistics, world, world, gentler(statistics), 0.05, about)
    assert write(again) == write(anew)
    assert write(again) != write(fit_version(statistics, world, world, SETTINGS, 0.05, about))
    back = fit_version(statistics, world, world, SETTINGS, 0.05, about, solved=last)
    assert write(back) == write(fit_version(statistics, world, world, SETTINGS, 0.05, about))


def test_other_statistics_or_settings_are_solved_anew(world, learn, origin, solves):
    statistics = learn(world)
    last, about = LastSolved(), told(origin, statistics)
    fit_version(statistics, world, world, SETTINGS, 0.05, about, solved=last)
    first = len(solves)
    ridge = replace(SETTINGS, ridge=0.1)
    other = fit_version(statistics, world, world, ridge, 0.05, about, solved=last)
    assert len(solves) == 2 * first
    assert write(other) == write(fit_version(statistics, world, world, ridge, 0.05, about))
    key = min(statistics)
    changed = {**statistics, key: statistics[key].add(world["raw"].vectors[:3], world["raw"].folds[:3])}
    before = len(solves)
    fresh = fit_version(changed, world, world, ridge, 0.05, told(origin, changed), solved=last)
    assert len(solves) > before
    assert write(fresh) == write(fit_version(changed, world, world, ridge, 0.05, told(origin, changed)))


def test_statistics_without_digests_are_never_taken_for_the_same(world, learn, origin, solves):
    statistics, last = learn(world), LastSolved()
    untold = replace(origin, statistics_digests={})
    fit_version(statistics, world, world, SETTINGS, 0.05, untold, solved=last)
    first = len(solves)
    fit_version(statistics, world, world, SETTINGS, 0.05, untold, solved=last)
    assert len(solves) == 2 * first
