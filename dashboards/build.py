"""Generates grafana/overview.json: `python dashboards/build.py [FOLDER]`; needs the extra `dashboards`."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# title, description, unit, expression, legend
PANELS: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "Families that evade",
        "Families that the sequential test has proved to evade the champion, over all families.",
        "short",
        "sidwatch_families_evading",
        "evading",
    ),
    (
        "Mean average precision",
        "Unweighted mean over families with at least 10 samples, at the configured prevalence.",
        "percentunit",
        "sidwatch_mean_average_precision_ratio",
        "{{role}} {{profile}}",
    ),
    (
        "Worst family",
        "Average precision of the worst family with at least 25 samples.",
        "percentunit",
        "sidwatch_worst_family_average_precision_ratio",
        "{{role}} {{profile}}",
    ),
    (
        "Average precision by family",
        "Raw pictures; families below their sample floor have none. The interval is on the status page.",
        "percentunit",
        'sidwatch_family_average_precision_ratio{profile="raw",role="champion"}',
        "{{family}}",
    ),
    (
        "Recall at the threshold",
        "Share of a family's raw pictures that the champion calls synthetic.",
        "percentunit",
        'sidwatch_family_recall_at_threshold_ratio{profile="raw",role="champion"}',
        "{{family}}",
    ),
    (
        "Evidence over alarm level",
        "Evidence that a family evades divided by the evidence at which it alarms: at 1 it alarms.",
        "short",
        "sidwatch_family_evidence_log10 / sidwatch_family_evidence_alarm_log10",
        "{{family}}",
    ),
    (
        "Real pictures called synthetic",
        "False-positive rate at the threshold on each real source, raw.",
        "percentunit",
        'sidwatch_real_false_positive_ratio{profile="raw"}',
        "{{source}}",
    ),
    (
        "Samples taken in",
        "New samples per second of each adapter.",
        "cps",
        "rate(sidwatch_samples_ingested_total[5m])",
        "{{adapter}}",
    ),
    (
        "Samples refused",
        "Refused candidates per second by adapter and reason.",
        "cps",
        "sum by (adapter, reason) (rate(sidwatch_samples_rejected_total[5m])) > 0",
        "{{adapter}} {{reason}}",
    ),
    (
        "Time to detect",
        "Median time from a family's first picture to its alarm, over every episode there was.",
        "s",
        "histogram_quantile(0.5, sum by (le) (sidwatch_episode_detect_seconds_bucket))",
        "first picture to alarm",
    ),
    (
        "Time to recover",
        "Median time from a family's alarm to its detection on later pictures, over every episode that recovered.",
        "s",
        "histogram_quantile(0.5, sum by (le) (sidwatch_episode_recover_seconds_bucket))",
        "alarm to recovery",
    ),
    ("Queue", "Samples that wait for a stage.", "short", "sidwatch_queue_samples", "{{stage}}"),
    (
        "Decisions",
        "Decisions on challengers within a day.",
        "short",
        "increase(sidwatch_promotions_total[1d])",
        "{{decision}}",
    ),
    (
        "Runs that ended badly",
        "Failed, timed-out and lost runs per hour.",
        "short",
        'increase(sidwatch_job_runs_total{outcome=~"failed|timed_out|lost"}[1h])',
        "{{exported_job}} {{outcome}}",
    ),
    ("Free space", "Of the file system of the state directory.", "bytes", "sidwatch_store_free_bytes", "free"),
)


def overview() -> str:
    """The dashboard as JSON text, the same bytes every time."""
    board = (
        dashboard.Dashboard("sidwatch: overview")
        .uid("sidwatch-overview")
        .description("What a detector of synthetic images sees, misses and learns.")
        .tags(["sidwatch"])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("utc")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for title, description, unit, expression, legend in PANELS:
        board = board.with_panel(
            timeseries.Panel()
            .title(title)
            .description(description)
            .unit(unit)
            .datasource(SOURCE)
            .height(8)
            .span(8)
            .with_target(prometheus.Dataquery().ref_id("A").expr(expression).legend_format(legend))
        )
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "grafana"
    (folder / "overview.json").write_text(overview())


if __name__ == "__main__":
    main()
