"""`sidwatch reembed` says what it needs before it starts anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import daemon.cli


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("encoder: {name: forensic}\n")
    return path


def run(config: Path, *arguments: str) -> int:
    return daemon.cli.run(["reembed", *arguments, "--config", str(config)])


@pytest.mark.parametrize(
    "arguments",
    [(), ("--status", "--cancel"), ("--encoder", "forensic", "--status"), ("--status", "--encoder-config", "x.yaml")],
)
def test_one_thing_is_asked_at_a_time(
    arguments: tuple[str, ...], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, *arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_champion_there_is_nothing_to_move(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "--encoder", "open_clip") == 65
    assert "set encoder.name: open_clip in config.yaml" in capsys.readouterr().err
    assert run(config, "--cancel") == 65
    assert "nothing to cancel" in capsys.readouterr().err
    assert run(config, "--status", "--json") == 0
    assert json.loads(capsys.readouterr().out) is None
    assert run(config, "--status") == 0
    assert "no migration yet" in capsys.readouterr().out
    assert run(config, "--purge-old", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"encoders": {}, "removed": {}}


def test_an_unknown_encoder_and_a_file_of_another_are_bad_input(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "--encoder", "clop") == 65
    assert "no encoder 'clop'" in capsys.readouterr().err
    other = config.with_name("target.yaml")
    other.write_text("encoder: {name: forensic}\n")
    assert run(config, "--encoder", "open_clip", "--encoder-config", str(other)) == 65
    assert "describes encoder forensic, asked for is open_clip" in capsys.readouterr().err
