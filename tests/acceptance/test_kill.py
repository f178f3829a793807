"""SIGKILL at random moments of the demo: nothing acknowledged is lost or doubled, and the story completes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.command import Running, free_port, sidwatch
from tests.acceptance.conftest import Report
from tests.acceptance.demo import CONFIG, DemoRun, arguments, finished, pictures, story_of

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1800)]

KILLS = 30
LONGEST = 6.0  # seconds after readiness and verify at which the kill comes at the latest
SEED = 20261


@dataclass
class Course:
    """What happened in all stories."""

    kills: int = 0
    verified: int = 0
    stories: int = 0
    ready: list[float] = field(default_factory=list)  # seconds
    pictures_at_kill: list[int] = field(default_factory=list)


def test_thirty_kills_lose_nothing_and_the_story_completes(
    undisturbed: DemoRun, tmp_path: Path, report: Report
) -> None:
    began = time.monotonic()
    course, moments = Course(), _moments()
    while course.kills < KILLS:
        folder = tmp_path / f"story_{course.stories}"
        folder.mkdir()
        summary = _tell(folder, undisturbed.seed, course, moments)
        course.stories += 1
        assert pictures(folder) == undisturbed.pictures  # lost 0, doubled 0
        assert story_of(summary) == []
        _verify(folder, course)
    report(
        "",
        f"kill: {course.kills} SIGKILLs in {course.stories} stories, {course.verified} times verified, ready again "
        f"after {max(course.ready):.1f} s at most, {len(undisturbed.pictures)} pictures as in the undisturbed run, "
        f"{time.monotonic() - began:.0f} s",
        f"  pictures in the store at each kill: {course.pictures_at_kill}",
    )


def _tell(folder: Path, seed: int, course: Course, moments: Iterator[float]) -> dict[str, object]:
    """One story, killed again and again until it, or the number of kills, is at its end."""
    port = free_port()
    acknowledged: set[str] = set()
    while True:
        with Running(*arguments(seed, port), folder=folder, port=port) as running:
            ready = running.wait_ready()
            if ready is not None:
                course.ready.append(ready)
                now = pictures(folder)
                assert acknowledged <= now, f"{len(acknowledged - now)} acknowledged pictures were lost"
                _verify(folder, course)
            until = time.monotonic() + (next(moments) if course.kills < KILLS else 600.0)
            while not running.ended and time.monotonic() < until:
                time.sleep(0.02)
            if running.ended:
                assert running.process.returncode == 0, running.err[-4000:]
                summary: dict[str, object] = json.loads(running.out)
                return summary
            acknowledged = pictures(folder)
            assert course.kills < KILLS, "the story did not complete within ten minutes"
            running.kill()
            course.kills += 1
            course.pictures_at_kill.append(len(pictures(folder)))
        told = finished(folder)
        if told is not None:
            # The kill came after the story's end was recorded and before the process had left; the next run
            # would begin another story, as it says, so this one is judged here.
            assert acknowledged <= pictures(folder)
            return told


def _moments() -> Iterator[float]:
    moments = random.Random(SEED)
    while True:
        yield moments.uniform(0.0, LONGEST)


def _verify(folder: Path, course: Course) -> None:
    """`sidwatch verify` says that all ten invariants hold, beside the running service or after it."""
    found = sidwatch("verify", "--json", "--config", CONFIG, folder=folder).json
    assert found["ok"] is True and len(found["checks"]) == 10
    course.verified += 1
