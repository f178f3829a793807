"""The benchmark of the intake measures what it says; its figures are not a test's business."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.intake import GROWTH, RATE, Look, Memory, Speed, broken, main


def test_it_takes_pictures_in_and_writes_what_it_measured(tmp_path: Path) -> None:
    target = tmp_path / "intake.json"
    main(["--pictures", "6", "--flat", "200", "--work", str(tmp_path), "--json", str(target)])
    found = json.loads(target.read_text(encoding="utf-8"))
    assert (found["speed"]["pictures"], found["speed"]["side"], found["memory"]["samples"]) == (6, 512, 200)
    assert found["speed"]["rate"] > 0 and len(found["memory"]["tenths"]) == 10
    for tenth in found["memory"]["tenths"]:
        assert tenth["service"] > 10 and tenth["decoders"] > 10 and tenth["descriptors"] > 3
    assert [tenth["samples"] for tenth in found["memory"]["tenths"]] == list(range(20, 201, 20))
    assert [path.name for path in tmp_path.iterdir()] == ["intake.json"]


def test_a_promise_that_is_not_kept_is_told() -> None:
    speed = Speed(pictures=600, side=512, kilobytes=58.0, seconds=10.0, rate=RATE, cpu_seconds=6.0)
    first, early = Look(1, 0.1, 50, 100, 0, 9), Look(2, 0.2, 100, 200, 10, 9)
    late = replace(early, samples=10, service=100 + GROWTH, decoders=150)
    memory = Memory(samples=10, side=64, seconds=1.0, cpu_seconds=1.0, tenths=(first, early, late))
    assert broken(speed, memory) == [] == broken(None, None)
    assert broken(replace(speed, rate=59.9), None) == ["59.9 pictures per second, promised are 60"]
    worse = replace(memory, tenths=(first, early, replace(late, service=late.service + 1)))
    assert "grew by 51 MB" in broken(None, worse)[0]
    children = replace(memory, tenths=(first, early, replace(late, decoders=261)))
    assert "grew by 111 MB" in broken(None, children)[0]
