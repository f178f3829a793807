"""Dashboards, rules and runbooks agree with each other and with what telemetry exports."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
RULES = ROOT / "dashboards/prometheus/rules"
BOARDS = sorted((ROOT / "dashboards/grafana").glob("*.json"))


def rules(name: str) -> list[dict[str, Any]]:
    document = yaml.safe_load((RULES / name).read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for board in BOARDS for panel in json.loads(board.read_text())["panels"]]


def exported() -> set[str]:
    names = set()
    for metric in Telemetry("1").registry.collect():
        suffixes = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_count", "_sum"],
            "gaugehistogram": ["_bucket"],
        }.get(metric.type, [""])
        names |= {metric.name + suffix for suffix in suffixes}
    return names


def test_every_metric_in_rules_and_panels_is_exported() -> None:
    texts = [rule["expr"] for name in ("recording.yml", "alerts.yml") for rule in rules(name)]
    texts += [rule["annotations"]["description"] for rule in rules("alerts.yml")]
    texts += [target["expr"] for panel in panels() for target in panel["targets"]]
    texts += [a["target"]["expr"] for board in BOARDS for a in json.loads(board.read_text())["annotations"]["list"]]
    used = {name for text in texts for name in re.findall(r"\bsidwatch_\w+", text)}
    assert len(used) > 15
    assert used - exported() == set()


def test_every_recorded_series_in_an_alert_has_its_rule() -> None:
    recorded = {rule["record"] for rule in rules("recording.yml")}
    used = {name for rule in rules("alerts.yml") for name in re.findall(r"sidwatch:[\w:]+", rule["expr"])}
    assert used
    assert used <= recorded


@pytest.mark.parametrize("rule", rules("alerts.yml"), ids=lambda rule: rule["alert"])
def test_every_alert_has_severity_annotations_a_runbook_and_two_cases(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"].endswith(f"docs/runbooks/{name}.md")
    assert (ROOT / f"docs/runbooks/{name}.md").is_file()
    cases = yaml.safe_load((RULES / "tests/alerts_test.yml").read_text())["tests"]
    assert [case["name"] for case in cases if case["name"].startswith(name + " ")] == [
        f"{name} fires",
        f"{name} stays silent",
    ]


def test_the_alerts_of_the_operations_list_are_there() -> None:
    assert {rule["alert"] for rule in rules("alerts.yml")} == {
        "GeneratorFamilyEvadesDetection", "GeneratorFamilyInverted", "DetectorPerformanceDrop", "MisjudgedRealSource",
        "GeneratorFamilyDegraded", "RealPoolShift", "NovelGeneratorFamily", "PipelineFault", "SamplesStale",
        "GeneratorFamilyInsufficient", "FamilyNotLearned",
        "UpdateRejected", "ApprovalWaiting", "ChampionReturned", "PromotionFlapping", "ChampionStale", "AdapterStale",
        "RejectRateHigh", "JobFailing", "JobPaused", "NotificationsFailing", "StoreNearlyFull", "LoopStalled",
        "DaemonDown", "Watchdog",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (package prometheus) is not installed")
def test_promtool_agrees_with_every_case() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "rules/tests/alerts_test.yml"],
        cwd=RULES.parent, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_has_unit_description_and_the_datasource_variable() -> None:
    for panel in panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"


def test_generating_the_dashboards_again_gives_the_same_bytes() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="the extra `dashboards` is not installed")
    program = runpy.run_path(str(ROOT / "dashboards/build.py"))
    built = {f"{board.name}.json": program["render"](board).encode() for board in program["BOARDS"]}
    assert set(built) == {"overview.json", "family.json", "versions.json", "intake.json", "service.json"}
    assert built == {path.name: path.read_bytes() for path in BOARDS}


def test_no_two_dashboards_share_an_id_and_titles_say_what_is_shown() -> None:
    boards = [json.loads(board.read_text()) for board in BOARDS]
    assert len({board["uid"] for board in boards}) == len(boards) == 5
    assert all(board["title"].startswith("sidwatch: ") and board["description"] for board in boards)
    for board in boards:
        titles = [panel["title"] for panel in board["panels"]]
        assert len(set(titles)) == len(titles)


def test_every_exported_metric_but_plain_descriptions_is_shown_or_alerted_on() -> None:
    texts = [board.read_text() for board in BOARDS] + [(RULES / "alerts.yml").read_text()]
    texts.append((RULES / "recording.yml").read_text())
    shown = {name for text in texts for name in re.findall(r"\bsidwatch_\w+", text)}
    families = {re.sub(r"_(total|bucket|count|sum|gcount|gsum)$", "", name) for name in shown}
    unseen = {metric.name for metric in Telemetry("1").registry.collect()} - families
    assert unseen == {
        "sidwatch_real_false_positive_left_out_ratio",
        "sidwatch_real_pool_shift_alarm_log10",
        "sidwatch_queue_oldest_timestamp_seconds",
    }
