"""A filter of the user's, installed as an entry point, decides in the decoding child what is taken in."""

from __future__ import annotations

import io
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from PIL import Image

from daemon.errors import ConfigurationError, ImageRejected
from daemon.intake.filtering import GROUP
from daemon.intake.inspecting import InspectorClient
from daemon.settings import IntakeSettings

_FILTERS = """
class TooRed:
    def __init__(self, options):
        self.most = options["most"]

    def __call__(self, picture):
        red, green, blue = picture.getpixel((0, 0))
        if green == 77:
            raise KeyError("model")
        return f"red {red}" if red > self.most else None

def broken(options):
    raise FileNotFoundError("weights")
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_filters.py").write_text(_FILTERS)
    information = tmp_path / "own_filters-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: own-filters\nVersion: 1.0\n")
    points = "[sidwatch.filters]\ntoo_red = own_filters:TooRed\nbroken = own_filters:broken\n"
    (information / "entry_points.txt").write_text(points)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def picture(red: int, green: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (80, 80), (red, green, 0)).save(stream, "PNG")
    return stream.getvalue()


def client(*filters: dict[str, object]) -> InspectorClient:
    return InspectorClient(IntakeSettings.model_validate({"filters": filters}))


def test_a_filter_refuses_what_it_does_not_like_and_what_it_cannot_judge() -> None:
    filtered = client({"name": "too_red", "options": {"most": 200}})
    assert filtered.inspect(picture(200)).width == 80
    for content, detail in [
        (picture(201), "too_red: red 201"),
        (picture(9, 77), "too_red could not judge it: KeyError"),
    ]:
        with pytest.raises(ImageRejected, match=detail) as caught:
            filtered.inspect(content)
        assert caught.value.reason == "filtered"
    assert filtered.inspect(picture(3)).width == 80
    filtered.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "no filter 'missing' is installed; installed are:.*too_red"), ("broken", "does not start.*weights")],
)
def test_without_its_filter_nothing_is_taken_in(name: str, message: str) -> None:
    filtered = client({"name": name})
    with pytest.raises(ConfigurationError, match=message):
        filtered.inspect(picture(3))
    filtered.close()


def test_the_how_to_names_the_group_and_settings_that_are_read() -> None:
    how_to = (Path(__file__).parents[3] / "docs" / "how-to-filter.md").read_text(encoding="utf-8")
    points, configured = (re.findall(rf"```{kind}\n(.*?)```", how_to, re.DOTALL)[0] for kind in ("toml", "yaml"))
    assert list(tomllib.loads(points)["project"]["entry-points"]) == [GROUP]
    (nsfw,) = IntakeSettings.model_validate(yaml.safe_load(configured)["intake"]).filters
    assert (nsfw.name, nsfw.options["most"]) == ("nsfw", 0.3)


def test_none_is_built_in_and_none_is_asked_by_default() -> None:
    assert IntakeSettings().filters == ()
    plain = client()
    assert plain.inspect(picture(255)).width == 80
    plain.close()
