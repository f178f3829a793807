"""The benchmark of the intake measures what it says; its figures are not a test's business."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.intake import GROWTH, RATE, Memory, Speed, broken, main


def test_it_takes_pictures_in_and_writes_what_it_measured(tmp_path: Path) -> None:
    target = tmp_path / "intake.json"
    main(["--pictures", "6", "--flat", "200", "--work", str(tmp_path), "--json", str(target)])
    found = json.loads(target.read_text(encoding="utf-8"))
    assert (found["speed"]["pictures"], found["speed"]["side"], found["memory"]["samples"]) == (6, 512, 200)
    assert found["speed"]["rate"] > 0 and found["memory"]["early"] > 10
    assert [path.name for path in tmp_path.iterdir()] == ["intake.json"]


def test_a_promise_that_is_not_kept_is_told() -> None:
    speed = Speed(pictures=600, side=512, kilobytes=58.0, seconds=10.0, rate=RATE, cpu_seconds=6.0)
    memory = Memory(samples=10_000, side=64, seconds=1.0, early=100, late=100 + GROWTH, early_tree=300, late_tree=300)
    assert broken(speed, memory) == [] == broken(None, None)
    assert broken(replace(speed, rate=59.9), None) == ["59.9 pictures per second, promised are 60"]
    assert "grew by 51 MB" in broken(None, replace(memory, late=memory.late + 1))[0]
