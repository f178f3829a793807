from __future__ import annotations

from datetime import timedelta

import pytest

from daemon.telemetry import Telemetry
from daemon.views import AlarmView, ShadowView
from tests.unit.web.snapshot import NOW, empty_status, family, status


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value("sidwatch_" + name, labels)


def test_a_snapshot_sets_the_gauges_and_the_next_one_removes_what_vanished() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.publish(status())
    ap = {"family": "aurora_v2", "role": "champion", "profile": "raw"}
    assert value(telemetry, "family_average_precision_ratio", **ap) == 0.583
    assert value(telemetry, "family_state", family="aurora_v2", state="evading") == 1
    assert value(telemetry, "family_state", family="aurora_v2", state="detected") == 0
    assert value(telemetry, "families_evading") == 1
    assert value(telemetry, "model_info", role="champion", version="v0003-9c41d2aa", encoder="forensic-3f1c9a20") == 1
    telemetry.publish(empty_status())
    assert value(telemetry, "family_average_precision_ratio", **ap) is None
    assert value(telemetry, "families_evading") == 0


def test_a_family_below_its_floor_exports_no_ap() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.publish(status())
    assert b'average_precision_ratio{family="glimmer_xl"' not in telemetry.exposition()[0]
    assert value(telemetry, "family_eval_samples", family="glimmer_xl") == 6


def test_at_ten_times_the_cap_an_evading_newcomer_has_its_own_series_and_the_rest_are_folded() -> None:
    telemetry = Telemetry("0.1.0", family_cap=200)
    many = [family(f"f{i}", "detected", age_days=i + 1) for i in range(1000)]
    many += [family(f"g{i}", "insufficient", None, None, 3, 1) for i in range(999)]
    telemetry.publish(status(families=[*many, family("newcomer", "evading", age_days=0)]))
    assert value(telemetry, "family_state", family="newcomer", state="evading") == 1
    assert value(telemetry, "families_evading") == 1
    names = {s.labels["family"] for m in telemetry.registry.collect() for s in m.samples if "family" in s.labels}
    assert len(names) == 201
    assert "other" in names


def test_a_family_named_other_does_not_collide_with_the_fold() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.publish(status(families=[family("other", "evading")]))
    assert telemetry.exposition()[0].count(b'sidwatch_family_state{family="other",state="evading"} 1.0') == 1


def test_counters_start_from_the_store_and_never_go_back() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.restore(status())
    assert value(telemetry, "samples_ingested_total", adapter="inbox") == 1904
    assert value(telemetry, "samples_rejected_total", adapter="inbox", reason="too_small") == 11
    telemetry.sample_ingested("inbox", 3)
    telemetry.restore(status())
    assert value(telemetry, "samples_ingested_total", adapter="inbox") == 1907
    assert value(telemetry, "episode_detect_samples_count") == 2
    assert value(telemetry, "episode_recover_seconds_count") == 1


def test_the_times_of_every_episode_are_there_again_after_a_restart_and_each_counts_once() -> None:
    first, second = Telemetry("0.1.0"), Telemetry("0.1.0")
    for telemetry in (first, second):  # the second is the process after a restart
        telemetry.restore(status())
        telemetry.publish(status())
    for name in ("episode_detect_seconds", "episode_learn_seconds", "episode_recover_seconds"):
        for suffix in ("_count", "_sum"):
            assert value(second, name + suffix) == value(first, name + suffix)
    assert value(second, "episode_detect_seconds_count") == 2
    assert value(second, "episode_learn_seconds_count") == value(second, "episode_recover_seconds_count") == 1


def test_what_waits_what_is_in_the_shadow_and_what_is_missing_are_gauges() -> None:
    telemetry = Telemetry("0.1.0")
    shadow = ShadowView(version="v4", champion="v3", since=NOW, until=NOW + timedelta(days=3), samples=41, wanted=200)
    ticket = AlarmView(
        kind="not_learned", about="aurora_v2", raised_at=NOW, evidence_log10=None, alarm_log10=None, text="",
        missing_samples=12, missing_sources=1,
    )  # fmt: skip
    over = ticket.model_copy(update={"about": "old", "raised_at": None, "missing_samples": None})
    telemetry.publish(status(shadows=[shadow], alarms=[ticket, over], approval_waiting_since=NOW))
    assert value(telemetry, "approval_waiting_timestamp_seconds") == NOW.timestamp()
    assert value(telemetry, "shadow_samples", version="v4") == 41
    assert value(telemetry, "family_missing_samples", family="aurora_v2") == 12
    assert value(telemetry, "family_missing_sources", family="aurora_v2") == 1
    assert value(telemetry, "alarms_raised", alarm="not_learned") == 1
    assert value(telemetry, "family_missing_samples", family="old") is None
    telemetry.publish(status())
    assert value(telemetry, "approval_waiting_timestamp_seconds") is None
    assert value(telemetry, "shadow_samples", version="v4") is None


def test_runs_decisions_and_beats_are_recorded_and_unknown_words_refused() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.job_finished("cycle", "ok", 2.0, NOW)
    telemetry.job_finished("cycle", "failed", -5.0, NOW + timedelta(hours=1))
    telemetry.promotion("held")
    telemetry.beat("supervisor", NOW)
    assert value(telemetry, "job_last_success_timestamp_seconds", job="cycle") == NOW.timestamp()
    assert value(telemetry, "job_duration_seconds_sum", job="cycle") == 2.0
    assert value(telemetry, "promotions_total", decision="held") == 1
    assert value(telemetry, "loop_beat_timestamp_seconds", loop="supervisor") == NOW.timestamp()
    with pytest.raises(ValueError, match="no_such_reason"):
        telemetry.rejected("inbox", "no_such_reason")
