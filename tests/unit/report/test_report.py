"""What a report says of a snapshot, and that names from outside break out of neither form."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from daemon.detail.history import History
from daemon.detail.views import MeanPointView, ReignView
from daemon.model import AuditRow
from daemon.report.making import report_of, risks_of
from daemon.report.rendering import as_html, as_markdown, curve
from daemon.report.scheduled import due_since, in_one_line
from daemon.report.views import ReportView
from daemon.views import Status
from tests.unit.web.snapshot import NOW, empty_status, family, status

DAY = timedelta(days=1)
NO_HISTORY = History([], [])


def audited(action: str, days: float, actor: str = "gate", version: str | None = "v0003-9c41d2aa") -> AuditRow:
    return AuditRow(1, NOW - days * DAY, actor, action, version, None, "nothing worse", {}, "", "")


def point(days: float, mean: float = 0.9, worst: float = 0.7) -> MeanPointView:
    return MeanPointView(at=NOW - days * DAY, version="v0003-9c41d2aa", mean_ap=mean, worst_ap=worst, families=7)


def made(days: float = 30, shown: Status | None = None, *audit: AuditRow, history: History = NO_HISTORY) -> ReportView:
    return report_of(shown or status(), history, audit, NOW - days * DAY)


def test_what_was_released_is_what_came_in_for_the_first_time_oldest_first() -> None:
    released = made(10).released
    assert [one.family for one in released] == ["flux_1_dev", "aurora_v2", "glimmer_xl"]
    assert (released[0].state, released[0].ap) == ("detected", 0.957)
    assert released[2].ap is None
    assert made(0.1).released == []


def test_episodes_say_how_fast_each_was_noticed_learned_and_recovered_and_open_ones_are_in_every_report() -> None:
    report = made()
    by_family = {one.family: one for one in report.evaded}
    assert by_family["aurora_v2"].noticed_after == 6 * 3600
    assert by_family["aurora_v2"].learned_after is None
    mended = by_family["flux_1_dev"]
    assert (mended.noticed_after, mended.learned_after, mended.recovered_after) == (16 * 3600, 8 * 3600, 32 * 3600)
    assert (report.seconds_to_notice, report.votes_to_alarm) == (11 * 3600, 13)  # medians
    assert (report.seconds_to_learn, report.seconds_to_recover) == (8 * 3600, 32 * 3600)
    assert [one.family for one in made(0.01).evaded] == ["aurora_v2"]


def test_decisions_are_those_of_the_stretch_and_people_are_counted_apart_from_the_service() -> None:
    report = made(
        30, None, audited("promote", 40), audited("promote", 2), audited("hold", 1, "watch"),
        audited("rollback", 0.5, "ada"), audited("feedback", 0.4, "ada", None), audited("feedback", 0.3, "bob", None),
    )  # fmt: skip
    assert [one.decision for one in report.decisions] == ["promoted", "held", "rolled_back"]
    assert report.decisions[0].reason == "nothing worse"
    assert report.by_people == {"feedback": 2, "rollback": 1}


def test_the_false_positive_rate_stands_beside_what_the_threshold_aims_at_and_every_source_has_its_own() -> None:
    report = made()
    assert (report.false_positive_rate, report.false_positive_aim) == (0.058, 0.05)
    rates = {one.source: (one.state, one.rate, one.n) for one in report.rates}
    assert rates["kodak"] == ("misjudged", 0.29, 24)
    assert rates["phone_uploads"][1] is None


def test_open_risks_are_the_most_urgent_first() -> None:
    risks = risks_of(status())
    assert risks[0] == "aurora_v2 is evading: AP 0.583 (0.497 to 0.626), n 34"
    assert "kodak" in risks[1]
    assert any("midjourney_v5 is degraded" in risk for risk in risks)
    assert "too few pictures to say anything of 1 families: glimmer_xl" in risks
    assert "4 samples wait in quarantine for a person's word" in risks
    assert "the last run failed of: poll:partner_feed" in risks
    assert risks[-1] == "adapters that never delivered: partner_feed"
    assert risks_of(empty_status())[0] == "there is no champion: nothing is judged"


def test_figures_of_before_the_stretch_are_left_out() -> None:
    history = History([ReignView(at=NOW - 40 * DAY, version="v0002-51b07e3f", action="promote")],
                      [point(40, 0.5), point(20, 0.8), point(1, 0.93)])  # fmt: skip
    report = made(history=history)
    assert report.mean_ap_first == 0.8
    assert len(report.history) == 2
    assert report.reigns == []


def test_a_curve_runs_from_the_first_moment_to_the_last_and_needs_two() -> None:
    assert curve([], []) is None
    assert curve([point(1)], []) is None
    reign = ReignView(at=NOW - 5 * DAY, version="v0003-9c41d2aa", action="promote")
    drawn = curve([point(10), point(5, 1.0), point(0)], [reign, reign.model_copy(update={"at": NOW - 11 * DAY})])
    assert drawn is not None
    places = [tuple(map(float, place.split(","))) for place in drawn.mean.split()]
    assert [x for x, _ in places] == [40.0, 470.0, 900.0]
    assert places[1][1] < places[0][1]  # higher is better, and up
    assert drawn.marks == [(470.0, "v0003")]


def cells(text: str) -> list[list[str]]:
    """The rows of every table of a Markdown text, as its reader sees them."""
    rows: list[list[str]] = []
    for token in MarkdownIt().enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(token.content)
    return rows


def test_markdown_has_every_section_and_says_when_there_is_nothing() -> None:
    text = as_markdown(made())
    for heading in ("released", "evaded", "decided", "Photographs called synthetic", "Open risks"):
        assert any(line.startswith("## ") and heading in line for line in text.splitlines())
    assert ["flux_1_dev", "diffusion", "2025-11"] in [row[:3] for row in cells(text)]
    nothing = as_markdown(made(0.001, empty_status()))
    assert "No family came in for the first time." in nothing
    assert "No family evaded." in nothing
    assert "Nothing was decided." in nothing


class Elements(HTMLParser):
    """Names of elements, attributes that would fetch something, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_file_with_its_plot_that_fetches_and_runs_nothing() -> None:
    page = Elements(as_html(made(history=History([], [point(9), point(1)]))))
    assert page.fetched == []
    assert not {"script", "link", "img", "iframe"} & set(page.names)
    assert page.names.count("polyline") == 2
    assert "aurora_v2" in page.text
    assert "polyline" not in Elements(as_html(made())).names


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_figures_say_so_in_both_forms(simulated: bool) -> None:
    plain = status()
    shown = plain.model_copy(update={"service": plain.service.model_copy(update={"simulated": simulated})})
    for text in (as_markdown(made(30, shown)), as_html(made(30, shown))):
        assert ("says nothing about real generators" in text) == simulated


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_name_breaks_out_of_its_cell_or_becomes_markup(name: str) -> None:
    hostile = status(families=[family("x", "detected").model_copy(update={"name": name, "first_seen": NOW})])
    report = made(30, hostile, replace(audited("hold", 1), reason=name))
    usual = made(30, status(families=[family("x", "detected").model_copy(update={"first_seen": NOW})]),
                 replace(audited("hold", 1), reason="x"))  # fmt: skip
    assert Elements(as_html(report)).names == Elements(as_html(usual)).names
    assert [len(row) for row in cells(as_markdown(report))] == [len(row) for row in cells(as_markdown(usual))]


def test_no_reason_steers_a_terminal() -> None:
    text = as_markdown(made(30, status(), replace(audited("hold", 1), reason="a\x1b]0;b\x07\u202ec")))
    assert "a\\x1b]0;b\\x07\\x202ec" in text
    assert all(one.isprintable() or one == "\n" for one in text)


def test_equal_reports_are_equal_texts() -> None:
    assert as_markdown(made()) == as_markdown(made())
    assert as_html(made()) == as_html(made())


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 90), st.integers(0, 400) | st.none())
def test_reports_join_up_and_come_no_sooner_than_asked(now: int, every: int, last: int | None) -> None:
    begun = datetime.fromisoformat("2030-01-01T00:00:00+00:00")
    told = None if last is None else begun + last * DAY
    since = due_since(told, begun, every * DAY, begun + now * DAY)
    if now - (last or 0) >= every:
        assert since == (told or begun)
    else:
        assert since is None
    assert due_since(None, None, every * DAY, begun) is None


def test_one_line_says_what_a_report_comes_to() -> None:
    line = in_one_line(made(10, None, audited("promote", 2)))
    assert line.startswith("report, 2026-03-04 to 2026-03-14: 3 families released, 2 episodes, 1 version promoted, ")
