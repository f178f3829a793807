"""The table of states is what the code does, and the page is what the table says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import get_args

import yaml

from daemon.states import STATES, state_of
from daemon.telemetry import Telemetry
from daemon.views import FamilyView, SourceView

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference-states.md"
ALERTS = yaml.safe_load((ROOT / "dashboards/prometheus/rules/alerts.yml").read_text())["groups"][0]["rules"]


def test_generating_the_page_again_gives_the_same_bytes() -> None:
    assert runpy.run_path(str(ROOT / "docs/make_states.py"))["page"]() == PAGE.read_text(encoding="utf-8")


def test_every_state_that_people_can_read_has_its_row_and_no_other() -> None:
    for of, view in (("family", FamilyView), ("source", SourceView)):
        shown = get_args(view.model_fields["state"].annotation)
        assert sorted(state.name for state in STATES if state.of == of) == sorted(shown)


def test_every_metric_of_the_table_is_exported_with_that_state() -> None:
    exported = {metric.name for metric in Telemetry("1").registry.collect()}
    for state in STATES:
        name, label = re.fullmatch(r'(\w+)\{(?:state|alarm)="(\w+)"\}', state.metric).groups()  # type: ignore[union-attr]
        assert name in exported
        assert label == state.name


def test_an_alert_of_the_table_fires_on_its_states_metric_and_every_such_alert_is_in_the_table() -> None:
    by_name = {rule["alert"]: rule["expr"] for rule in ALERTS}
    for state in STATES:
        if state.alert is not None:
            assert state.metric in by_name[state.alert]
    of_a_state = re.compile(r"(family_state|real_source_state|alarms_raised)\{")
    on_states = {name for name, expr in by_name.items() if of_a_state.search(expr)}
    assert on_states == {state.alert for state in STATES if state.alert is not None}


def test_what_evades_is_more_urgent_than_what_does_not() -> None:
    order = ["inverted", "degraded", "insufficient", "detected"]
    urgencies = [state_of("family", name).urgency for name in order]
    assert urgencies == sorted(set(urgencies))
    assert state_of("family", "evading").urgency == state_of("family", "inverted").urgency
