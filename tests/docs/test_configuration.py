"""config.yaml documents every setting, and says of each what the program would do without it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.settings import AdapterSettings, Settings, load

CONFIG = Path(__file__).parents[2] / "config.yaml"
LINES = CONFIG.read_text(encoding="utf-8").splitlines()
KEY = re.compile(r"^\s*(?:- )?([a-z_0-9]+):")


def names(data: dict[str, Any], prefix: str = "") -> set[str]:
    """`store`, `store.directory`, ... of nested sections."""
    found: set[str] = set()
    for key, value in data.items():
        found.add(prefix + key)
        if isinstance(value, dict):
            found |= names(value, f"{prefix}{key}.")
    return found


@pytest.fixture
def written() -> dict[str, Any]:
    return dict(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))


def test_every_key_has_a_comment_on_its_line_or_on_the_one_above() -> None:
    silent = [
        line
        for above, line in zip(["", *LINES], LINES, strict=False)
        if KEY.match(line) and not re.search(r" #\s*\S", line) and not re.match(r"\s*#\s*\S", above)
    ]
    assert silent == []
    assert sum(1 for line in LINES if KEY.match(line)) > 70  # the pattern finds the keys


def test_the_file_has_every_setting_and_nothing_else(written: dict[str, Any]) -> None:
    written.pop("adapters")
    expected = Settings.model_construct().model_dump(exclude={"adapters"})
    assert names(written) == names(expected)


def test_every_value_is_the_default_but_for_the_inbox(written: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE", "HTTP", "ENCODER", "LOG"):
        monkeypatch.delenv(f"SIDWATCH_{name}", raising=False)
    written.pop("adapters")
    assert Settings(**written) == Settings()


def test_the_inbox_shows_every_key_of_an_adapter(written: dict[str, Any]) -> None:
    (inbox,) = written["adapters"]
    assert set(inbox) == set(AdapterSettings.model_fields)


def test_the_file_loads_with_paths_relative_to_its_folder() -> None:
    settings = load(CONFIG)
    assert settings.store.directory == CONFIG.parent / "state"
    assert settings.adapters[0].options == {"path": str(CONFIG.parent / "inbox")}
