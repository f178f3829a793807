"""Quarantine: what is set apart is listed with what deliveries say of it, and let in by a person's word alone."""

from __future__ import annotations

import pytest

from daemon.errors import BadInputError
from daemon.model import EvaluationRow, ForgetTarget, Subject
from store import Store
from tests.unit.store.store_testing import T0, fake, minutes, real


def conflicting(store: Store) -> str:
    """One picture that two adapters call otherwise; its sha256."""
    one = fake("p", uri="a/p")
    store.samples.admit("inbox", "trusted", [one], "1", T0)
    store.samples.admit("feed", "trusted", [real("p", uri="b/p")], "1", minutes(1))
    return one.sha256


def failed(store: Store) -> str:
    """One picture that the encoder could not take; its sha256."""
    one = fake("q", uri="a/q")
    store.samples.admit("inbox", "trusted", [one], "2", T0)
    (pending,) = [p for p in store.samples.without_vector("f" * 64, "raw", 9) if p.sha256 == one.sha256]
    store.samples.quarantine(pending.sample_id, "encoding_failed", "not finite", minutes(2))
    return one.sha256


def test_it_is_listed_with_every_claim_in_parts(store: Store) -> None:
    one, other = conflicting(store), failed(store)
    found = store.samples.quarantined(10)
    assert {sample.sha256: sample.reason for sample in found} == {one: "label_conflict", other: "encoding_failed"}
    (conflict,) = [sample for sample in found if sample.sha256 == one]
    assert [(claim.adapter, claim.label) for claim in conflict.claims] == [("inbox", "synthetic"), ("feed", "real")]
    assert [sample.sha256 for sample in (*store.samples.quarantined(1), *store.samples.quarantined(1, 1))] == [
        sample.sha256 for sample in found
    ]
    assert store.samples.quarantined_count() == 2


def test_what_failed_is_let_in_again_once_and_audited(store: Store) -> None:
    sha256 = failed(store)
    assert store.samples.release([sha256], "ada", "the encoder is mended", minutes(3)) == 1
    assert store.samples.quarantine_counts() == {}
    assert [pending.sha256 for pending in store.samples.without_vector("f" * 64, "raw", 9)] == [sha256]
    row = store.registry.audit()[-1]
    assert (row.action, row.actor, row.reason) == ("quarantine_release", "ada", "the encoder is mended")
    assert row.payload["samples"] == [{"sha256": sha256, "reason": "encoding_failed"}]
    with pytest.raises(BadInputError, match="not in quarantine"):
        store.samples.release([sha256], "ada", "again", minutes(4))


def test_a_contradiction_wants_a_word_on_the_label_and_nothing_is_released_by_halves(store: Store) -> None:
    one, other = conflicting(store), failed(store)
    with pytest.raises(BadInputError, match="contradict"):
        store.samples.release([other, one], "ada", "both", minutes(3))
    assert store.samples.quarantined_count() == 2
    with pytest.raises(BadInputError, match="no sample"):
        store.samples.release(["0" * 64], "ada", "none", minutes(3))


def test_a_picture_is_there_until_it_is_forgotten(store: Store) -> None:
    sha256 = failed(store)
    assert store.samples.has_picture(sha256)
    store.samples.forget(ForgetTarget("sample", sha256), "asked to", "ada", minutes(3))
    assert not store.samples.has_picture(sha256)
    assert store.samples.quarantined(10) == []


def figures(version: str, minute: float, ap: float, profile: str = "raw") -> EvaluationRow:
    return EvaluationRow(version, Subject("family", "flux"), profile, "held_out", minutes(minute), 9, 9, ap=ap)  # type: ignore[arg-type]


def test_past_figures_are_those_of_one_window_and_profile_since_a_time(store: Store) -> None:
    before = store.samples.measured_mark()
    day = 24 * 60
    for version, minute, ap in (("v1", 0, 0.5), ("v1", day, 0.6), ("v2", day, 0.9), ("v2", 3 * day, 0.95)):
        store.samples.save_evaluations([figures(version, minute, ap), figures(version, minute, 0.1, "laundered")])
    both, flux = ["v1", "v2"], ["flux", "unheard_of"]
    found = store.samples.past_figures("held_out", "raw", minutes(day), versions=both, families=flux)
    assert [(one.version, one.family, one.ap) for one in found] == [
        ("v1", "flux", 0.6),
        ("v2", "flux", 0.9),
        ("v2", "flux", 0.95),
    ]
    alone = store.samples.past_figures("held_out", "raw", minutes(0), versions=["v1"], families=flux)
    assert [one.ap for one in alone] == [0.5, 0.6]
    assert store.samples.past_figures("held_out", "raw", minutes(0), versions=both, families=["sdxl"]) == []
    assert store.samples.measured_mark() != before


def test_past_means_are_over_the_families_that_had_a_figure(store: Store) -> None:
    rows = [
        EvaluationRow(version, Subject("family", name), "raw", "held_out", minutes(minute), 9, 9, ap=ap)
        for version, minute in (("v1", 0), ("v1", 1440), ("v2", 1440))
        for name, ap in (("flux", 0.5), ("sdxl", 1.0), ("small", None))
    ]
    for name in ("flux", "sdxl", "small"):
        store.samples.admit("inbox", "trusted", [fake(name, name)], name, T0)
    store.samples.save_evaluations([*rows, figures("v1", 0, 0.1, "laundered")])
    found = store.samples.past_means("held_out", "raw", minutes(0), versions=["v1"])
    assert [tuple(one) for one in found] == [("v1", minutes(0), 0.75, 0.5, 2), ("v1", minutes(1440), 0.75, 0.5, 2)]
    later = store.samples.past_means("held_out", "raw", minutes(1), versions=["v1", "v2"])
    assert [one.version for one in later] == ["v1", "v2"]
    assert store.samples.past_means("held_out", "raw", minutes(0), versions=[]) == []
