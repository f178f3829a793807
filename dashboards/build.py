"""Generates grafana/*.json: `python dashboards/build.py [FOLDER]`; needs the extra `dashboards`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders import bargauge, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef, VariableRefresh, VariableSort
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
RAW: Final = 'profile="raw",role="champion"'
Shape = Literal["lines", "number", "table", "bars", "heat"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One panel: (expression, legend) pairs and how they are drawn."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    shape: Shape = "lines"
    width: int = 8  # of 24


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    name: str
    title: str
    description: str
    panels: tuple[Drawn, ...]
    family: bool = False  # asks which family


OVERVIEW: Final = Board(
    "overview",
    "sidwatch: overview",
    "What a detector of synthetic images sees, misses and learns.",
    (
        Drawn(
            "Families that evade",
            "Families that the sequential test has proved to evade the champion, over all families.",
            "short",
            (("sidwatch_families_evading", "evading"),),
            "number",
            4,
        ),
        Drawn(
            "Open episodes",
            "Families whose incident is not over, by what people did about it.",
            "short",
            (("sum by (handling) (sidwatch_family_episode)", "{{handling}}"),),
            "number",
            4,
        ),
        Drawn(
            "Champion",
            "The version in force and its encoder.",
            "none",
            (('sidwatch_model_info{role="champion"}', "{{version}} {{encoder}}"),),
            "table",
        ),
        Drawn(
            "Worst family",
            "Average precision of the worst family with at least 25 samples.",
            "percentunit",
            (("sidwatch_worst_family_average_precision_ratio", "{{role}} {{profile}}"),),
        ),
        Drawn(
            "Mean average precision",
            "Unweighted mean over families with at least 10 samples, at the configured prevalence.",
            "percentunit",
            (("sidwatch_mean_average_precision_ratio", "{{role}} {{profile}}"),),
        ),
        Drawn(
            "Families by state",
            "How many families are in each state, over all of them.",
            "short",
            (("sidwatch_families", "{{state}}"),),
        ),
        Drawn(
            "Average precision now",
            "Raw pictures, worst first; families below their sample floor have none.",
            "percentunit",
            ((f"sort(sidwatch_family_average_precision_ratio{{{RAW}}})", "{{family}}"),),
            "bars",
        ),
        Drawn(
            "Average precision by family",
            "Raw pictures. The interval is on the dashboard of the family.",
            "percentunit",
            ((f"sidwatch_family_average_precision_ratio{{{RAW}}}", "{{family}}"),),
            width=12,
        ),
        Drawn(
            "Evidence over alarm level",
            "Evidence that a family evades divided by the evidence at which it alarms: at 1 it alarms.",
            "short",
            (("sidwatch_family_evidence_log10 / sidwatch_family_evidence_alarm_log10", "{{family}}"),),
            width=12,
        ),
        Drawn(
            "Real pictures called synthetic",
            "False-positive rate at the threshold on each real source, raw.",
            "percentunit",
            (('sidwatch_real_false_positive_ratio{profile="raw"}', "{{source}}"),),
            width=12,
        ),
        Drawn(
            "Alarms about the whole service",
            "Shift of the real pool, novel family, pipeline fault, nothing delivered, too few samples: how many stand.",
            "short",
            (("sidwatch_alarms_raised", "{{alarm}}"),),
            width=12,
        ),
    ),
)

FAMILY: Final = Board(
    "family",
    "sidwatch: family",
    "One generator family: how well it is detected, how its pictures score, the evidence against it.",
    (
        Drawn(
            "Average precision with its interval",
            "By the champion on raw pictures, at the configured prevalence.",
            "percentunit",
            (
                (f'sidwatch_family_average_precision_upper_ratio{{family="$family",{RAW}}}', "upper end"),
                (f'sidwatch_family_average_precision_ratio{{family="$family",{RAW}}}', "AP"),
                (f'sidwatch_family_average_precision_lower_ratio{{family="$family",{RAW}}}', "lower end"),
            ),
            width=12,
        ),
        Drawn(
            "Average precision by role and profile",
            "Champion and latest challenger, raw and laundered pictures.",
            "percentunit",
            (('sidwatch_family_average_precision_ratio{family="$family"}', "{{role}} {{profile}}"),),
            width=12,
        ),
        Drawn(
            "Recall at the threshold",
            "Share of the family's pictures that are called synthetic.",
            "percentunit",
            (('sidwatch_family_recall_at_threshold_ratio{family="$family"}', "{{role}} {{profile}}"),),
        ),
        Drawn(
            "Evidence against the alarm line",
            "log10 of the e-value that the family evades, and where it alarms.",
            "short",
            (
                ('sidwatch_family_evidence_log10{family="$family"}', "evidence ({{test}})"),
                ('sidwatch_family_evidence_alarm_log10{family="$family"}', "alarm line ({{test}})"),
            ),
        ),
        Drawn(
            "State",
            "1 for the state that the family is in.",
            "short",
            (('sidwatch_family_state{family="$family"}', "{{state}}"),),
        ),
        Drawn(
            "Scores of the family",
            "Logit less threshold of its newest pictures: right of 0 they are called synthetic.",
            "short",
            (('sidwatch_family_score_margin_bucket{family="$family"}', "{{le}}"),),
            "heat",
            12,
        ),
        Drawn(
            "Scores of photographs",
            "The same of the newest photographs of every real source.",
            "short",
            (("sidwatch_real_score_margin_bucket", "{{le}}"),),
            "heat",
            12,
        ),
        Drawn(
            "Nearest family",
            "Distance of its mean activations from the nearest other family's.",
            "short",
            (('sidwatch_family_nearest_distance{family="$family"}', "{{nearest}}"),),
        ),
        Drawn(
            "Samples behind its figures",
            "Raw pictures that it is measured on.",
            "short",
            (('sidwatch_family_eval_samples{family="$family"}', "samples"),),
        ),
        Drawn(
            "Time since its last sample",
            "Seconds since a picture of the family arrived.",
            "s",
            (('time() - sidwatch_family_last_sample_timestamp_seconds{family="$family"}', "age"),),
        ),
    ),
    family=True,
)

VERSIONS: Final = Board(
    "versions",
    "sidwatch: versions and promotions",
    "Which version is in force, what became of its challengers, and what they are worth.",
    (
        Drawn(
            "Versions in a role",
            "Champion, previous version and latest challenger.",
            "none",
            (("sidwatch_model_info", "{{role}} {{version}} {{encoder}}"),),
            "table",
            12,
        ),
        Drawn(
            "Time in force",
            "Since the champion came into force.",
            "s",
            (("time() - sidwatch_champion_promoted_timestamp_seconds", "age"),),
            "number",
            6,
        ),
        Drawn(
            "Waits for a person",
            "1 while promotion is not automatic because versions came and went.",
            "short",
            (("sidwatch_promotion_flapping", "flapping"),),
            "number",
            6,
        ),
        Drawn(
            "Decisions",
            "Decisions on challengers within a day.",
            "short",
            (("increase(sidwatch_promotions_total[1d])", "{{decision}}"),),
        ),
        Drawn(
            "All decisions",
            "Since the store was made.",
            "short",
            (("sidwatch_promotions_total", "{{decision}}"),),
        ),
        Drawn(
            "Mean average precision by role",
            "Champion and latest challenger.",
            "percentunit",
            (("sidwatch_mean_average_precision_ratio", "{{role}} {{profile}}"),),
        ),
        Drawn(
            "Decorrelation penalty",
            "How far the head's units are from uncorrelated on the newest pictures, less what chance gives.",
            "short",
            (("sidwatch_decorrelation_penalty", "{{role}}"),),
        ),
        Drawn(
            "Samples from first vote to alarm",
            "Median and nine tenths of all episodes.",
            "short",
            (
                ("histogram_quantile(0.5, sum by (le) (sidwatch_episode_detect_samples_bucket))", "median"),
                ("histogram_quantile(0.9, sum by (le) (sidwatch_episode_detect_samples_bucket))", "90 %"),
            ),
        ),
        Drawn(
            "Time to detect, to learn and to recover",
            "Median times: from a family's first picture to its alarm, from there to its version and to recovery.",
            "s",
            (
                ("histogram_quantile(0.5, sum by (le) (sidwatch_episode_detect_seconds_bucket))", "to the alarm"),
                ("histogram_quantile(0.5, sum by (le) (sidwatch_episode_learn_seconds_bucket))", "to the new version"),
                ("histogram_quantile(0.5, sum by (le) (sidwatch_episode_recover_seconds_bucket))", "to recovery"),
            ),
        ),
        Drawn(
            "Live pictures judged in the shadow",
            "By challengers that the gate let pass, before it is asked again (promotion.mode: shadow).",
            "short",
            (("sidwatch_shadow_samples or vector(0)", "{{version}}"),),
        ),
        Drawn(
            "Episodes that recovered",
            "Episodes whose family is detected again, and all that alarmed.",
            "short",
            (
                ("sidwatch_episode_recover_seconds_count", "recovered"),
                ("sidwatch_episode_detect_samples_count", "alarmed"),
            ),
        ),
    ),
)

INTAKE: Final = Board(
    "intake",
    "sidwatch: intake and adapters",
    "What comes in, what is refused and why, and what waits.",
    (
        Drawn(
            "Samples taken in",
            "New samples per second of each adapter.",
            "cps",
            (("rate(sidwatch_samples_ingested_total[$__rate_interval])", "{{adapter}}"),),
        ),
        Drawn(
            "Samples refused",
            "Refused candidates per second by adapter and reason.",
            "cps",
            (
                (
                    "sum by (adapter, reason) (rate(sidwatch_samples_rejected_total[$__rate_interval]))",
                    "{{adapter}} {{reason}}",
                ),
            ),
        ),
        Drawn(
            "Samples quarantined",
            "Candidates set apart per second by adapter and reason.",
            "cps",
            (
                (
                    "sum by (adapter, reason) (rate(sidwatch_samples_quarantined_total[$__rate_interval]))",
                    "{{adapter}} {{reason}}",
                ),
            ),
        ),
        Drawn(
            "Batches by what their files' metadata gives away",
            "Audits of every batch: a shortcut is told from the other label by metadata alone.",
            "short",
            (("sidwatch_shortcut_batches", "{{state}}"),),
        ),
        Drawn(
            "What metadata alone gives away",
            "AUROC of file metadata for the batches that it tells best.",
            "percentunit",
            (("sidwatch_shortcut_auroc_ratio", "{{name}}"),),
        ),
        Drawn(
            "Time since the last good poll",
            "In intervals of the adapter: above 2.5 it is stale.",
            "short",
            (
                (
                    "(time() - sidwatch_adapter_last_success_timestamp_seconds) / sidwatch_adapter_interval_seconds",
                    "{{adapter}}",
                ),
            ),
        ),
        Drawn(
            "Circuit breakers",
            "2: open, the source is left alone for a time; 1: half open, the next poll is the trial; 0: closed.",
            "short",
            (
                (
                    'sum by (adapter) (2 * sidwatch_adapter_circuit_state{state="open"}) '
                    '+ sum by (adapter) (sidwatch_adapter_circuit_state{state="half_open"})',
                    "{{adapter}}",
                ),
            ),
        ),
        Drawn(
            "Failed polls in a row",
            "From three on the circuit opens: the source is left alone for a time that doubles.",
            "short",
            (("sidwatch_adapter_failed_polls", "{{adapter}}"),),
        ),
        Drawn(
            "Time until a source is asked again",
            "Of adapters whose circuit is open.",
            "s",
            (("clamp_min(sidwatch_adapter_retry_timestamp_seconds - time(), 0)", "{{adapter}}"),),
        ),
        Drawn(
            "Budget of the day used: pictures",
            "Share of the pictures that an adapter may ask for from UTC midnight to midnight.",
            "percentunit",
            (("sidwatch_adapter_day_images / sidwatch_adapter_day_images_limit", "{{adapter}}"),),
        ),
        Drawn(
            "Budget of the day used: money",
            "Share of the money that an adapter may spend from UTC midnight to midnight.",
            "percentunit",
            (("sidwatch_adapter_day_money / sidwatch_adapter_day_money_limit", "{{adapter}}"),),
        ),
        Drawn(
            "Duration of a poll",
            "Mean over five minutes or more.",
            "s",
            (
                (
                    "rate(sidwatch_adapter_fetch_duration_seconds_sum[15m]) "
                    "/ rate(sidwatch_adapter_fetch_duration_seconds_count[15m])",
                    "{{adapter}}",
                ),
            ),
        ),
        Drawn(
            "Pictures encoded",
            "Pictures per second that went through the encoder.",
            "cps",
            (("rate(sidwatch_pictures_encoded_total[$__rate_interval])", "encoded"),),
        ),
        Drawn("Queue", "Samples that wait for a stage.", "short", (("sidwatch_queue_samples", "{{stage}}"),), width=12),
        Drawn(
            "Photographs behind the figures",
            "Samples of each real source, raw.",
            "short",
            (('sidwatch_real_pool_samples{profile="raw"}', "{{source}}"),),
            width=12,
        ),
    ),
)

SERVICE: Final = Board(
    "service",
    "sidwatch: service health",
    "Whether the service itself works: loop, jobs, store, messages, scrapes.",
    (
        Drawn("Up", "1 while it can be scraped.", "short", (('up{job="sidwatch"}', "{{instance}}"),), "number", 6),
        Drawn(
            "Program",
            "Version and revision that run.",
            "none",
            (("sidwatch_build_info", "{{version}} {{revision}}"),),
            "table",
            6,
        ),
        Drawn(
            "Since the last beat",
            "Seconds since the supervisor's loop last turned.",
            "s",
            (("time() - sidwatch_loop_beat_timestamp_seconds", "{{loop}}"),),
            "number",
            6,
        ),
        Drawn(
            "Budget of false alarms spent",
            "Share of the last 30 days' budget; `new` and `known` tests have half each.",
            "percentunit",
            (("sidwatch_alarm_budget_spent_ratio", "{{tests}}"),),
            "number",
            6,
        ),
        Drawn(
            "Runs that ended badly",
            "Failed, timed-out and lost runs per hour.",
            "short",
            (
                (
                    'increase(sidwatch_job_runs_total{outcome=~"failed|timed_out|lost"}[1h])',
                    "{{exported_job}} {{outcome}}",
                ),
            ),
        ),
        Drawn(
            "Paused jobs",
            "1 while a person keeps a job from running (`sidwatch jobs pause`).",
            "short",
            (("sidwatch_job_paused", "{{exported_job}}"),),
        ),
        Drawn(
            "Runs",
            "Runs per second that ended well.",
            "cps",
            (('rate(sidwatch_job_runs_total{outcome="ok"}[$__rate_interval])', "{{exported_job}}"),),
        ),
        Drawn(
            "Duration of a run",
            "Nine tenths are done within this time.",
            "s",
            (
                (
                    "histogram_quantile(0.9, "
                    "sum by (exported_job, le) (rate(sidwatch_job_duration_seconds_bucket[15m])))",
                    "{{exported_job}}",
                ),
            ),
        ),
        Drawn(
            "Store",
            "Size of the state directory and free space of its file system.",
            "bytes",
            (("sidwatch_store_size_bytes", "size"), ("sidwatch_store_free_bytes", "free")),
        ),
        Drawn(
            "Since a job last ended well",
            "Seconds; negative where time is simulated.",
            "s",
            (("time() - sidwatch_job_last_success_timestamp_seconds", "{{exported_job}}"),),
        ),
        Drawn(
            "Messages that wait",
            "Messages of each channel that were not taken yet.",
            "short",
            (("sidwatch_notifications_waiting", "{{channel}}"),),
        ),
        Drawn(
            "Messages",
            "Taken, and attempts that failed, within an hour.",
            "short",
            (
                ("increase(sidwatch_notifications_sent_total[1h])", "{{channel}} taken"),
                ("increase(sidwatch_notification_failures_total[1h])", "{{channel}} failed"),
            ),
        ),
        Drawn(
            "Scrape",
            "How long Prometheus waits for the metrics.",
            "s",
            (('scrape_duration_seconds{job="sidwatch"}', "{{instance}}"),),
            width=12,
        ),
        Drawn(
            "Series",
            "How many series a scrape brings.",
            "short",
            (('scrape_samples_scraped{job="sidwatch"}', "{{instance}}"),),
            width=12,
        ),
    ),
)

BOARDS: Final = (OVERVIEW, FAMILY, VERSIONS, INTAKE, SERVICE)
PROMOTIONS: Final = "changes(sidwatch_champion_promoted_timestamp_seconds[1m]) > 0"  # marks on every dashboard


def render(board: Board) -> str:
    """A dashboard as JSON text, the same bytes every time."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(f"sidwatch-{board.name}")
        .description(board.description)
        .tags(["sidwatch"])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("utc")
        .link(
            dashboard.DashboardLink("sidwatch")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["sidwatch"])
            .as_dropdown(True)
            .keep_time(True)
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("Promotions")
            .datasource(SOURCE)
            .enable(True)
            .icon_color("purple")
            .expr(PROMOTIONS)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    if board.family:
        made = made.with_variable(
            dashboard.QueryVariable("family")
            .label("Family")
            .datasource(SOURCE)
            .query("label_values(sidwatch_family_state, family)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
    for panel in board.panels:
        made = made.with_panel(_panel(panel))
    read = json.loads(JSONEncoder().encode(made.build()))
    _as_grafana_reads_it(read)
    return json.dumps(read, sort_keys=True, indent=2) + "\n"


def _as_grafana_reads_it(board: dict[str, Any]) -> None:
    """What the generator writes as older Grafanas read it: keys that `@grafana/schema` no longer knows."""
    for mark in board["annotations"]["list"]:
        mark["target"] = {"expr": mark.pop("expr"), "refId": "Anno"}
    for variable in board["templating"]["list"]:
        for key in ("auto", "auto_count", "auto_min"):  # of interval variables, which these are not
            variable.pop(key, None)


def _panel(drawn: Drawn) -> Any:
    kinds = {
        "lines": timeseries.Panel, "number": stat.Panel, "table": table.Panel,
        "bars": bargauge.Panel, "heat": heatmap.Panel,
    }  # fmt: skip
    panel = (
        kinds[drawn.shape]()
        .title(drawn.title)
        .description(drawn.description)
        .unit(drawn.unit)
        .datasource(SOURCE)
        .height(8)
        .span(drawn.width)
    )
    for letter, (expression, legend) in zip("ABCDEF", drawn.queries, strict=False):
        query = prometheus.Dataquery().ref_id(letter).expr(expression).legend_format(legend)
        if drawn.shape in ("table", "bars"):
            query = query.instant().format(
                PromQueryFormat.TABLE if drawn.shape == "table" else PromQueryFormat.TIME_SERIES
            )
        elif drawn.shape == "heat":
            query = query.format(PromQueryFormat.HEATMAP)
        panel = panel.with_target(query)
    return panel


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "grafana"
    for board in BOARDS:
        (folder / f"{board.name}.json").write_text(render(board))


if __name__ == "__main__":
    main()
