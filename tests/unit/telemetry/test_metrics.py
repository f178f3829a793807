from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.evaluate.looks import Looks
from daemon.model import Subject
from daemon.telemetry import Telemetry
from daemon.views import AdapterView, AlarmView, ChannelView, ShadowView, SpendingView
from tests.unit.web.snapshot import NOW, empty_status, family, status

HOUR = timedelta(hours=1)


def paying(name: str, **others: Any) -> AdapterView:
    """An adapter that makes pictures for money."""
    spent = SpendingView(images=3, images_limit=50, money=0.12, money_limit=2.0)
    facts: dict[str, Any] = {
        "kind": "generate",
        "configured": True,
        "interval_seconds": 3600.0,
        "last_success_at": NOW - HOUR,
        "cursor": None,
        "stored": 3,
        "rejected": {},
        "quarantined": {},
        "spending": spent,
    }
    return AdapterView(name=name, **(facts | others))


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


def test_an_alarm_is_dated_by_this_machine_and_after_a_restart_by_the_store() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.restore(status(episodes=[]))
    before = time.time()
    telemetry.publish(status())
    noticed = value(telemetry, "family_alarm_timestamp_seconds", family="aurora_v2")
    assert noticed is not None and before <= noticed <= time.time()
    telemetry.publish(status())
    assert value(telemetry, "family_alarm_timestamp_seconds", family="aurora_v2") == noticed

    alarmed_at = next(e.alarmed_at for e in status().episodes if e.family == "aurora_v2")
    restarted = Telemetry("0.1.0")
    restarted.restore(status())
    assert value(restarted, "family_alarm_timestamp_seconds", family="aurora_v2") == alarmed_at.timestamp()
    simulated = [e.model_copy(update={"alarmed_at": datetime(2130, 1, 1, tzinfo=UTC)}) for e in status().episodes]
    restarted = Telemetry("0.1.0")
    restarted.restore(status(episodes=simulated))
    assert value(restarted, "family_alarm_timestamp_seconds", family="aurora_v2") is None


def test_messages_are_counted_by_channel_from_the_store() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.add_channel("mail")
    assert value(telemetry, "notifications_sent_total", channel="mail") == 0
    mail = ChannelView(channel="mail", waiting=2, oldest=NOW, sent=7, failures=3, error="the mail server answered 451")
    telemetry.restore(status(channels=[mail]))
    assert value(telemetry, "notifications_waiting", channel="mail") == 2
    assert value(telemetry, "notifications_oldest_timestamp_seconds", channel="mail") == NOW.timestamp()
    assert value(telemetry, "notifications_sent_total", channel="mail") == 7
    assert value(telemetry, "notification_failures_total", channel="mail") == 3


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


def test_decisions_are_counted_from_the_audit_even_those_that_the_snapshot_no_longer_lists() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.restore(status(decision_counts={"promoted": 80, "held": 300}))
    assert value(telemetry, "promotions_total", decision="held") == 300
    assert value(telemetry, "promotions_total", decision="waiting") == 0
    telemetry.publish(status(decision_counts={"promoted": 81, "held": 300}))  # by a person's command, in its process
    assert value(telemetry, "promotions_total", decision="promoted") == 81


def test_runs_are_counted_on_from_the_run_log() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.restore(status(), {("cycle", "ok"): 41, ("cycle", "lost"): 2})
    telemetry.job_finished("cycle", "ok", 1.0, NOW)
    assert value(telemetry, "job_runs_total", job="cycle", outcome="ok") == 42
    assert value(telemetry, "job_runs_total", job="cycle", outcome="lost") == 2
    assert value(telemetry, "job_runs_total", job="cycle", outcome="timed_out") == 0


def test_penalties_of_versions_that_lost_their_role_vanish() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.publish(status(), Looks({"champion": 0.1, "challenger": 0.2}))
    telemetry.publish(status(), Looks({"champion": 0.1}))
    assert value(telemetry, "decorrelation_penalty", role="champion") == 0.1
    assert value(telemetry, "decorrelation_penalty", role="challenger") is None


def test_what_is_scraped_is_what_the_registry_holds() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.restore(status())
    telemetry.beat("supervisor", NOW)
    text = telemetry.exposition()[0].decode()
    scraped = [sample for metric in text_string_to_metric_families(text) for sample in metric.samples]
    held = [sample for metric in telemetry.registry.collect() for sample in metric.samples]
    assert len(scraped) > 300
    assert sorted((s.name, sorted(s.labels.items()), repr(s.value)) for s in scraped) == sorted(
        (s.name, sorted(s.labels.items()), repr(float(s.value))) for s in held
    )


LOOKS = Looks(
    {"champion": 0.1},
    {
        Subject("family", "dalle_2"): tuple(range(12)),
        Subject("source", "kodak"): (3,) * 12,
        Subject("source", "x"): (1,) * 12,
    },
    {Subject("family", "dalle_2"): 4.5, Subject("source", "kodak"): -9.0, Subject("source", "x"): -3.0},
    {"dalle_2": ("progan", 2.5)},
)


def test_margins_are_histograms_of_each_family_and_of_all_photographs_together() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.publish(status(), LOOKS)
    assert value(telemetry, "family_score_margin_bucket", family="dalle_2", le="0.0") == 5
    assert value(telemetry, "family_score_margin_bucket", family="dalle_2", le="+Inf") == 11
    assert value(telemetry, "real_score_margin_bucket", le="-8.0") == 4
    assert value(telemetry, "real_score_margin_gsum") == -12
    assert value(telemetry, "family_nearest_distance", family="dalle_2", nearest="progan") == 2.5
    assert b"# TYPE sidwatch_family_score_margin histogram" in telemetry.exposition()[0]


TABLE = [
    "build_info",
    "model_info",
    "family_average_precision_ratio",
    "family_average_precision_lower_ratio",
    "family_average_precision_upper_ratio",
    "family_recall_at_threshold_ratio",
    "family_eval_samples",
    "family_last_sample_timestamp_seconds",
    "family_state",
    "family_evidence_log10",
    "family_evidence_alarm_log10",
    "mean_average_precision_ratio",
    "worst_family_average_precision_ratio",
    "real_false_positive_ratio",
    "real_false_positive_left_out_ratio",
    "real_pool_samples",
    "real_pool_shift_evidence_log10",
    "novelty_evidence_log10",
    "decorrelation_penalty",
    "family_score_margin_bucket",
    "real_score_margin_bucket",
    "family_nearest_distance",
    "episode_detect_samples_bucket",
    "episode_detect_seconds_bucket",
    "episode_recover_seconds_bucket",
    "samples_ingested_total",
    "samples_rejected_total",
    "samples_quarantined_total",
    "adapter_last_success_timestamp_seconds",
    "adapter_interval_seconds",
    "adapter_circuit_state",
    "adapter_failed_polls",
    "adapter_retry_timestamp_seconds",
    "adapter_day_images",
    "adapter_day_images_limit",
    "adapter_day_money",
    "adapter_day_money_limit",
    "adapter_fetch_duration_seconds_bucket",
    "job_runs_total",
    "job_last_success_timestamp_seconds",
    "job_duration_seconds_bucket",
    "promotions_total",
    "queue_samples",
    "queue_oldest_timestamp_seconds",
    "store_size_bytes",
    "store_free_bytes",
    "loop_beat_timestamp_seconds",
    "notification_failures_total",
    "pictures_encoded_total",
]


@pytest.mark.parametrize("name", TABLE)
def test_every_metric_has_series_once_the_service_has_something_to_say(name: str) -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.add_job("cycle")
    alarms = [
        AlarmView(kind=kind, about=about, raised_at=None, evidence_log10=0.5, alarm_log10=2.0, text="")
        for kind, about in (("real_pool_shift", ""), ("novel_family", "uploads"))
    ]
    adapters = [paying("maker", failures=3, retry_at=NOW + HOUR)]
    telemetry.restore(status(alarms=alarms, adapters=adapters), looks=LOOKS)
    telemetry.beat("supervisor", NOW)
    telemetry.job_finished("cycle", "ok", 1.0, NOW)
    names = {sample.name for metric in telemetry.registry.collect() for sample in metric.samples}
    assert "sidwatch_" + name in names


def test_a_circuit_is_closed_open_until_a_time_or_half_open_after_it() -> None:
    telemetry = Telemetry("0.1.0")

    def states(adapter: str) -> list[float | None]:
        return [
            value(telemetry, "adapter_circuit_state", adapter=adapter, state=state)
            for state in ("closed", "half_open", "open")
        ]

    telemetry.restore(status(adapters=[paying("well"), paying("left", failures=4, retry_at=NOW + HOUR)]))
    assert (states("well"), states("left")) == ([1, 0, 0], [0, 0, 1])
    assert value(telemetry, "adapter_failed_polls", adapter="left") == 4
    assert value(telemetry, "adapter_retry_timestamp_seconds", adapter="left") == (NOW + HOUR).timestamp()
    telemetry.publish(status(adapters=[paying("left", failures=4, retry_at=NOW - HOUR)]))
    assert states("left") == [0, 1, 0]
    assert states("well") == [None] * 3
    telemetry.publish(status(adapters=[paying("left")]))
    assert states("left") == [1, 0, 0]
    assert value(telemetry, "adapter_retry_timestamp_seconds", adapter="left") is None


def test_what_a_day_cost_stands_beside_its_budget() -> None:
    telemetry = Telemetry("0.1.0")
    free = SpendingView(images=2, images_limit=9, money=0.0, money_limit=None)
    telemetry.restore(
        status(adapters=[paying("maker"), paying("local", spending=free), paying("inbox", spending=None)])
    )
    day = [f"adapter_day_{name}" for name in ("images", "images_limit", "money", "money_limit")]
    assert [value(telemetry, name, adapter="maker") for name in day] == [3, 50, 0.12, 2.0]
    assert [value(telemetry, name, adapter="local") for name in day] == [2, 9, 0.0, None]
    assert [value(telemetry, name, adapter="inbox") for name in day] == [None] * 4


def test_runs_decisions_and_beats_are_recorded_and_unknown_words_refused() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.job_finished("cycle", "ok", 2.0, NOW)
    telemetry.job_finished("cycle", "failed", -5.0, NOW + timedelta(hours=1))
    telemetry.beat("supervisor", NOW)
    assert value(telemetry, "job_last_success_timestamp_seconds", job="cycle") == NOW.timestamp()
    assert value(telemetry, "job_duration_seconds_sum", job="cycle") == 2.0
    assert value(telemetry, "loop_beat_timestamp_seconds", loop="supervisor") == NOW.timestamp()
    with pytest.raises(ValueError, match="no_such_reason"):
        telemetry.rejected("inbox", "no_such_reason")
