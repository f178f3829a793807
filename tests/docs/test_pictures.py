"""The pictures of README and docs: each is there, small enough for a page, and shown somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
MOST = 200_000  # bytes of one picture
_SHOWN = re.compile(r"!\[[^\]]+\]\(([^)]+\.(?:png|svg))\)")


def shown() -> set[Path]:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return {(page.parent / link).resolve() for page in pages for link in _SHOWN.findall(page.read_text())}


def test_every_picture_that_is_shown_is_there_and_every_one_that_is_there_is_shown() -> None:
    there = {path.resolve() for path in PICTURES.iterdir() if path.suffix in (".png", ".svg")}
    assert shown() == there


def test_every_picture_is_one_and_of_moderate_size() -> None:
    for path in PICTURES.glob("*.png"):
        assert path.stat().st_size <= MOST, path.name
        with Image.open(path) as picture:
            picture.verify()
            assert picture.width >= 390, path.name


def test_every_picture_is_made_by_the_script() -> None:
    names = set(re.findall(r'Shot\("(\w+)"', (PICTURES / "make.py").read_text()))
    assert {path.stem for path in PICTURES.glob("*.png")} == names
