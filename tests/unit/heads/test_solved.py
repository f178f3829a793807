"""What was solved last is taken again for another weight of families, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from daemon.heads import pooling
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


@pytest.fixture
def read(monkeypatch):
    """The group statistics whose second moments were read, each time."""
    found = []
    plain = pooling._weighted_seconds

    def reading(groups, pools):
        groups = list(groups)
        found.extend(group for _, group in groups)
        return plain(groups, pools)

    monkeypatch.setattr(pooling, "_weighted_seconds", reading)
    return found


@pytest.mark.parametrize("kind", ["family", "source"])
def test_the_real_sources_are_read_again_only_when_one_of_them_changed(world, learn, origin, read, kind):
    statistics, last = learn(world), LastSolved()
    fit_version(statistics, world, world, SETTINGS, 0.05, told(origin, statistics), solved=last)
    key = next(key for key in sorted(statistics) if key.subject.kind == kind)
    changed = {**statistics, key: statistics[key].add(world["raw"].vectors[:3], world["raw"].folds[:3])}
    sources = [id(group) for other, group in changed.items() if other.subject.kind == "source"]
    read.clear()
    fresh = fit_version(changed, world, world, SETTINGS, 0.05, told(origin, changed), solved=last)
    again = {id(group) for group in read} & set(sources)
    assert again == (set(sources) if kind == "source" else set())
    assert write(fresh) == write(fit_version(changed, world, world, SETTINGS, 0.05, told(origin, changed)))


def test_what_is_kept_of_the_real_sources_has_a_limit(world, learn, origin, monkeypatch):
    statistics = learn(world)
    monkeypatch.setattr(pooling, "_KEPT_BYTES", 0)
    side = pooling.SourceSide(tuple(p.second_sources for p in pooling.pool_without_each_fold(statistics, 5)))
    pooled = pooling.pool_statistics(statistics, 5)
    without = pooled.without_source(pooled.sources()[0], statistics, side)
    assert side.without == {}
    plain = pooled.without_source(pooled.sources()[0], statistics)
    assert (without.second_sources == plain.second_sources).all()
