"""The command line, its help and the README tell of the same commands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import daemon.cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

COMMANDS = {
    "demo", "init", "run", "check-config", "status", "shortcuts", "verify", "ingest", "evaluate", "score", "update",
    "retrain",
    "families list", "families show", "families rename", "families merge", "families split", "families retire",
    "families anchor", "families unanchor", "samples show", "samples relabel",
    "quarantine list", "quarantine show", "quarantine release", "quarantine confirm", "quarantine discard",
    "episodes list", "episodes show", "episodes ack", "episodes snooze", "episodes close",
    "notifications list", "notifications test", "health",
    "models list", "models show", "models promote", "models rollback", "models import",
    "models approve", "models reject", "models diff", "models card", "models export",
    "adapters list", "adapters check", "backtest", "report",
}  # fmt: skip
MAKES_ITS_OWN_CONFIGURATION = {"demo", "init"}


def commands(group: TyperGroup, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            found |= commands(command, f"{prefix}{name} ")
        else:
            found[prefix + name] = command
    return found


ROOT_GROUP = typer.main.get_command(daemon.cli.app)
assert isinstance(ROOT_GROUP, TyperGroup)
FOUND = commands(ROOT_GROUP)


def test_the_commands_are_those_that_were_promised() -> None:
    assert set(FOUND) >= COMMANDS


@pytest.mark.parametrize("name", sorted(FOUND))
def test_help_says_what_it_does_and_gives_an_example_of_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert daemon.cli.run([*name.split(), "--help"]) == 0
    help_text = capsys.readouterr().out
    assert f"sidwatch {name}" in " ".join(re.findall(r"Example:.*", help_text, re.DOTALL))
    assert (FOUND[name].help or "").strip()


@pytest.mark.parametrize("name", sorted(FOUND))
def test_it_takes_json_and_a_configuration_file(name: str) -> None:
    options = {option for parameter in FOUND[name].params for option in parameter.opts}
    assert "--json" in options
    assert ("--config" in options) == (name not in MAKES_ITS_OWN_CONFIGURATION)


@pytest.mark.parametrize("name", sorted(FOUND))
def test_the_readme_names_it(name: str) -> None:
    group, _, rest = name.partition(" ")
    alternatives = rf"{group} [a-z|]*\b{rest}\b" if rest else rf"{re.escape(group)}\b"
    assert re.search(rf"`(?:sidwatch )?{alternatives}", README)


def test_the_readme_names_no_make_target_that_does_not_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"setup", "demo", "run", "test", "check", "accept", "bench", "dashboards", "clean"} <= targets
    assert set(re.findall(r"\bmake ([a-z]+)\b(?! a)", re.sub(r"(?m)^[^`\n]*$", "", README))) <= targets


def test_the_readme_shows_no_picture_and_links_no_file_that_is_not_there() -> None:
    linked = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert linked
    assert [link for link in linked if not (ROOT / link).exists()] == []


def test_a_usage_error_is_one_line_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert daemon.cli.run(["status", "--no-such-option"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_check_config_prints_one_json_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert daemon.cli.run(["init", str(tmp_path / "w"), "--json"]) == 0
    capsys.readouterr()
    assert daemon.cli.run(["check-config", "--config", str(tmp_path / "w/config.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["encoder"]["name"] == "open_clip"


_DOCS = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", _DOCS, ids=lambda page: page.name)
def test_a_page_names_no_command_that_does_not_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = "\n".join(re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL) + re.findall(r"`[^`\n]+`", text))
    spoken = re.findall(r"(?:`|^\s*)sidwatch ([a-z-]+)(?: ([a-z-]+))?", shown, re.MULTILINE)
    groups = {name.partition(" ")[0] for name in FOUND if " " in name}
    told = {f"{first} {second}" if first in groups and second else first for first, second in spoken}
    assert told - FOUND.keys() - groups == set()
