"""A small labelled collection on disk: simulated cameras and generators with release dates."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from adapters.simulation.cameras import CAMERAS
from adapters.simulation.picture import picture

COLUMNS = ("uri", "label", "family", "kind", "released", "group", "source")
RELEASED: Mapping[str, str] = {
    "sim_transposed": "2020-01",
    "sim_nearest": "2020-02",
    "sim_pixelshuffle": "2020-03",
    "sim_diffusion": "2021-05",
    "sim_pixelshuffle_xl": "2021-09",
}


def write_collection(folder: Path, per_camera: int = 30, per_family: int = 32, seed: int = 5) -> Path:
    """Write the pictures and their manifest; returns the manifest."""
    rows = []
    for name in (*CAMERAS, *RELEASED):
        real = name in CAMERAS
        (folder / name).mkdir(parents=True)
        for index in range(per_camera if real else per_family):
            uri = f"{name}/{index:03d}.jpg"
            content, _ = picture(seed, name, index, 128)
            (folder / uri).write_bytes(content)
            label = "real" if real else "synthetic"
            family, kind, released = ("", "", "") if real else (name, "simulated", RELEASED[name])
            rows.append([uri, label, family, kind, released, f"{name}-{index}", name if real else "generators"])
    path = folder / "manifest.csv"
    write_manifest(path, rows)
    return path


def write_manifest(path: Path, rows: list[list[str]]) -> None:
    """Write rows of COLUMNS."""
    held = io.StringIO()
    csv.writer(held).writerows([COLUMNS, *rows])
    path.write_text(held.getvalue(), encoding="utf-8")
