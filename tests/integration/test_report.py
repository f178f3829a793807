"""The report of a store with a story: by the command, and by itself, attached to what people are told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cli import run
from daemon.notify.delivering import deliver
from daemon.notify.notifying import notify
from daemon.settings import ReportSettings, Settings
from tests.integration.test_notifications import Channel, Killed, small
from tests.integration.test_story import tell
from tests.integration.world import NEW, World

__all__ = ["small"]

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """config.yaml of a store in which a newcomer evaded and was learned."""
    folder = tmp_path_factory.mktemp("reported")
    world = World(folder / "state")
    tell(world)
    world.store.close()
    clock = {"kind": "simulated", "start": "2030-01-01T00:00:00+00:00", "step": "1d"}
    configuration = {"store": {"directory": str(folder / "state")}, "encoder": {"name": "external"}, "clock": clock}
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration))
    return folder / "config.yaml"


def said(capsys: pytest.CaptureFixture[str], config: Path, *words: str, status: int = 0) -> str:
    assert run(["report", *words, "--config", str(config)]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_json_says_what_evaded_what_was_promoted_and_why(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(said(capsys, config, "--since", "365d", "--json"))
    (episode,) = [one for one in found["evaded"] if one["family"] == NEW]
    assert episode["ap_before"] < episode["ap_after"]
    assert episode["version"] in [one["version"] for one in found["decisions"] if one["decision"] == "promoted"]
    assert NEW in [one["family"] for one in found["released"]]
    assert {one["source"] for one in found["rates"]} >= {"camera_a", "camera_f"}
    assert found["champion"] == episode["version"]


def test_markdown_is_the_default_and_html_goes_into_a_file(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, config, "--since", "365d")
    assert text.startswith("# sidwatch report, ")
    assert text == said(capsys, config, "--since", "365d", "--md")
    page = tmp_path / "report.html"
    assert said(capsys, config, "--since", "365d", "--html", "--output", str(page)) == ""
    assert page.read_text().startswith("<!doctype html>")
    assert NEW in page.read_text() and NEW in text


@pytest.mark.parametrize(
    "words", [["--since", "soon"], ["--since", "0d"], ["--since", "800000d"], ["--html", "--md"], ["--html", "--json"]]
)
def test_what_makes_no_report_is_one_line_and_status_2(
    words: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, config, *words, status=2).count("\n") == 1


def weekly(folder: Path, *channels: Channel, form: str = "html") -> World:
    """A world with its story told, reporting every week from now on."""
    world = World(folder)
    tell(world)
    settings = world.settings.model_copy(
        update={"report": ReportSettings.model_validate({"every": "7d", "form": form})}
    )
    assert isinstance(settings, Settings)
    world.context = replace(world.context, settings=settings, channels=channels)
    return world


def reports(channel: Channel) -> list[Any]:
    return [message for _, message, _ in channel.took if message.kind == "report"]


def pass_days(world: World, days: int) -> None:
    for _ in range(days):
        notify(world.context)
        deliver(world.context)
        world.clock.after_cycle()


def test_a_report_comes_every_week_with_its_file_and_each_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    team = Channel()
    world = weekly(tmp_path / "state", team)
    pass_days(world, 30)
    told = reports(team)
    assert len(told) >= 4
    events = [event for event in world.context.samples.events_since(world.context.registry.audit()[0].at)
              if event.kind == "report"]  # fmt: skip
    assert [event.data["until"] for event in events[:-1]] == [event.data["since"] for event in events[1:]]
    (file,) = told[0].attached
    assert (file.name.endswith(".html"), file.media_type) == (True, "text/html")
    assert file.text.startswith("<!doctype html>")
    assert NEW in file.text
    assert " released, " in told[0].title


def test_a_kill_anywhere_costs_no_report_and_doubles_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    team = Channel()
    world = weekly(tmp_path / "state", team, form="md")
    pass_days(world, 1)
    team.took.clear()
    world.clock.catch_up(world.clock.now() + WEEK)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    for point in ("attachment_of", "compose"):  # the event is stored, its messages are not
        with monkeypatch.context() as patch:
            patch.setattr(f"daemon.notify.notifying.{point}", killed)
            with pytest.raises(Killed):
                notify(world.context)
    team.refuses = ("",)
    notify(world.context)
    deliver(world.context)
    assert reports(team) == []
    team.refuses = ()
    world.clock.catch_up(world.clock.now() + timedelta(hours=2))
    deliver(world.context)
    (told,) = reports(team)
    (file,) = told.attached
    assert file.text.startswith("# sidwatch report, ")
    notify(world.context)
    deliver(world.context)
    assert len(reports(team)) == 1


def test_no_report_comes_unless_it_is_asked_for(tmp_path: Path) -> None:
    team = Channel()
    world = weekly(tmp_path / "state", team)
    world.context = replace(world.context, settings=Settings())
    pass_days(world, 20)
    assert reports(team) == []
