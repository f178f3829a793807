"""The reference is what the code says, and has everything; the site's navigation has every page."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel
from typer.core import TyperGroup

import daemon.cli
from daemon.settings import Settings
from daemon.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MADE = runpy.run_path(str(DOCS / "make_reference.py"))


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(MADE["PAGES"]))
def test_generating_a_page_again_gives_the_same_bytes(name: str) -> None:
    assert MADE["PAGES"][name]() == read(name)


def keys(data: Any, prefix: str = "") -> Iterator[str]:
    """The settings that are no sections, by their whole names."""
    for name in type(data).model_fields:
        value = getattr(data, name)
        if isinstance(value, BaseModel):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_setting_has_its_row_with_its_default_and_what_config_yaml_says_of_it() -> None:
    rows = re.findall(
        r"^\| `([a-z_0-9.]+)` \| ([^|]+) \| ([^|]+) \| (.*) \|$", read("reference-configuration.md"), re.M
    )
    by_name = {name: (kind, default, text) for name, kind, default, text in rows}
    expected = set(keys(Settings.model_construct())) - {"adapters"}
    assert expected <= set(by_name)
    assert [name for name in expected if not by_name[name][2].strip()] == []
    assert by_name["http.port"][:2] == ("whole number, ≥ 0, ≤ 65535", "`8600`")
    assert by_name["http.max_upload"][:2] == ("size", "`20MiB`")
    assert by_name["report.every"][:2] == ("duration or null", "`null`")
    assert by_name["report.form"][0] == "`html`, `md`"


def test_every_key_of_what_stands_in_a_list_has_its_row() -> None:
    page = read("reference-configuration.md")
    for heading, (_, model) in MADE["_LISTS"].items():
        section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == set(model.model_fields), heading


def test_every_command_and_every_option_is_there() -> None:
    root = typer.main.get_command(daemon.cli.app)
    assert isinstance(root, TyperGroup)
    sections = dict(
        re.findall(r"^## sidwatch ([a-z -]+)\n(.*?)(?=^## |\Z)", read("reference-commands.md"), re.M | re.S)
    )
    found = dict(MADE["found_commands"](root))
    assert set(sections) == set(found)
    for name, command in found.items():
        options = {option for one in command.params for option in one.opts if option.startswith("--")}
        assert options - {"--help", "--json", "--config"} == set(re.findall(r"^\| `(--[a-z-]+)`", sections[name], re.M))


def test_every_metric_that_is_exported_is_there_with_its_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.+) \|$", read("reference-metrics.md"), re.M)
    names = {name.removesuffix("_total") for name, *_ in rows}
    telemetry = Telemetry("1")
    telemetry.add_adapter("inbox")
    telemetry.add_job("cycle")
    assert names == {metric.name for metric in telemetry.registry.collect()}
    labels = {name.removesuffix("_total"): set(re.findall(r"`(\w+)`", text)) for name, _, text, _ in rows}
    for metric in telemetry.registry.collect():
        for sample in metric.samples:
            assert set(sample.labels) - {"le"} == labels[metric.name], metric.name
    assert labels["sidwatch_family_state"] == {"family", "state"}


def test_the_navigation_has_every_page_once() -> None:
    def pages(part: Any) -> Iterator[str]:
        for one in part:
            if isinstance(one, dict):
                for inner in one.values():
                    yield from pages(inner)
            else:
                yield one

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    there = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert sorted(pages(site["nav"])) == sorted(there)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(Path(sys.executable).parent), "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    page = (tmp_path / "site/reference-metrics.html").read_text(encoding="utf-8")
    assert "sidwatch_family_average_precision_ratio" in page
    assert "https://fonts" not in page
    shutil.rmtree(tmp_path / "site")
