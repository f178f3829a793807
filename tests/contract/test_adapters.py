"""Every adapter keeps the contract of `adapters.base`, proved by `adapters.checks`."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.base import Adapter
from adapters.checks import assert_conforms, check_adapter
from adapters.folder import FolderAdapter, FolderOptions
from adapters.manifest import ManifestAdapter, ManifestOptions
from adapters.simulated import SimulatedAdapter, SimulatedOptions

NOW = datetime(2024, 1, 1, tzinfo=UTC)
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to-adapter.md"


def folder(tmp_path: Path) -> Adapter:
    """An inbox with every sort of thing in it."""
    for i in range(150):
        file = tmp_path / "inbox" / ("real/kodak" if i % 3 else "dalle_3") / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes([i]) * i)
    (tmp_path / "inbox/DALL-E").mkdir()
    for name in ("DALL-E/a.jpg", "notes.txt", "b.png", "c.png"):
        (tmp_path / "inbox" / name).write_bytes(name.encode())
    (tmp_path / "inbox/labels.csv").write_text("uri,label,family,released\nb.png,synthetic,b,2023\nc.png,fake,,\n")
    return FolderAdapter("inbox", FolderOptions(path=str(tmp_path / "inbox"), settle=0))


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """Good rows, bad rows, pictures that are not there, families that are not released."""
    made: list[dict[str, Any]] = []
    for i in range(150):
        label = "synthetic" if i % 2 else "real"
        released = f"202{i % 7}-05" if i % 2 else ""
        made.append({"uri": f"{i}.jpg", "label": label, "family": "dalle_3" if i % 2 else "", "released": released})
        if i % 10:
            (tmp_path / f"{i}.jpg").write_bytes(bytes([i]) * i)
    made[20]["label"] = "ai"
    made[31]["family"] = "DALL-E 3"
    made[42]["uri"] = "../secret.jpg"
    return made


def manifest_csv(tmp_path: Path) -> Adapter:
    made = rows(tmp_path)
    lines = [",".join(made[0]), *(",".join(row.values()) for row in made)]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    return ManifestAdapter("m", ManifestOptions(path=str(tmp_path / "m.csv"), limit=120))


def manifest_jsonl(tmp_path: Path) -> Adapter:
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows(tmp_path)))
    return ManifestAdapter("m", ManifestOptions(path=str(tmp_path / "m.jsonl"), labels=("synthetic",)))


def manifest_of_vectors(tmp_path: Path) -> Adapter:
    count = 300
    table = {
        "uri": [f"{i}.jpg" for i in range(count)],
        "label": ["real"] * count,
        "sha256": [f"{i:064x}" for i in range(count)],
        "vector": pa.array([[float(i), 0.5] for i in range(count)], pa.list_(pa.float32())),
        "vector_fingerprint": ["f"] * count,
        "score": [i / count for i in range(count)],
        "detector": ["other"] * count,
    }
    pq.write_table(pa.table(table), tmp_path / "m.parquet")
    return ManifestAdapter("m", ManifestOptions(path=str(tmp_path / "m.parquet")))


def shown_in_the_documentation(tmp_path: Path) -> Adapter:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(100):
            archive.writestr(f"{i}.jpg", bytes([i]) * 10)
    example = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(compile(example, str(HOW_TO), "exec"), names)
    adapter: Adapter = names["ZipAdapter"]("zip", names["ZipOptions"](path=str(tmp_path / "a.zip"), family="dalle_3"))
    return adapter


def simulated(tmp_path: Path) -> Adapter:
    """Photographs and families of a small simulated world, of the first day alone."""
    options = {"start": NOW, "days": 0, "photographs_at_start": 3, "generated_at_start": 3, "side": 64}
    return SimulatedAdapter("world", SimulatedOptions.model_validate(options))


# (what makes it over a source of its own; how many candidates there are to come; how many of them are bad)
ADAPTERS: list[tuple[Callable[[Path], Adapter], int, int]] = [
    (folder, 154, 3),
    (manifest_csv, 98, 15),
    (manifest_jsonl, 46, 3),
    (manifest_of_vectors, 300, 0),
    (simulated, 27, 0),
    (shown_in_the_documentation, 100, 0),
]


@pytest.mark.parametrize(("make", "count", "bad"), ADAPTERS, ids=[make.__name__ for make, _, _ in ADAPTERS])
def test_the_adapter_keeps_the_contract(tmp_path: Path, make: Callable[[Path], Adapter], count: int, bad: int) -> None:
    made = make(tmp_path)
    assert_conforms(lambda: made, NOW, bad=bad)
    types = next(result for result in check_adapter(lambda: made, NOW) if result.name == "types")
    assert types.detail.startswith(f"{count} candidates ")  # the kit saw all of them


def test_the_kit_runs_over_every_kind_that_is_shipped() -> None:
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py")]
    with_kit = [text for text in tests if "assert_conforms(" in text]
    shipped = [point for point in entry_points(group="sidwatch.adapters") if point.module.startswith("adapters.")]
    without = {
        point.name
        for point in shipped
        if not any(f"from {point.module} import" in text and point.attr in text for text in with_kit)
    }
    assert len(shipped) >= 8
    assert without == set()
