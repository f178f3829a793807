"""What is measured on is never learned from: labels outside the train split leave no trace in the head."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.model import Candidate, Split
from store.splits import DEFAULT_SHARES, split_of
from tests.integration.world import KNOWN, SOURCES, World, beginning


def inverted(candidate: Candidate) -> Candidate:
    """The other label, and with it another subject."""
    if candidate.label == "real":
        return replace(candidate, label="synthetic", family=KNOWN[0], source=None)
    return replace(candidate, label="real", family=None, source=SOURCES[0])


def split(candidate: Candidate) -> Split:
    assert candidate.group is not None
    return split_of(candidate.group, DEFAULT_SHARES)


def solved(root: Path, change: Callable[[Candidate], Candidate]) -> tuple[bytes, object, object]:
    """The first champion's tensors (head, fold heads, anchors), thresholds and calibration after such a change."""
    world = World(root)
    world.inbox.put(change(candidate) for candidate in beginning())
    world.cycle()
    (version,) = world.store.registry.versions()
    tensors, manifest = world.store.registry.artifact(version.id)
    found = json.loads(manifest)
    return tensors, found["thresholds"], found["calibration"]


@pytest.mark.parametrize("part", ["holdout", "reference"])
def test_inverting_every_label_of_a_measuring_split_leaves_the_bytes_unchanged(part: Split, tmp_path: Path) -> None:
    touched = [candidate for candidate in beginning() if split(candidate) == part]
    assert len(touched) > 50
    plain = solved(tmp_path / "plain", lambda candidate: candidate)
    flipped = solved(tmp_path / "flipped", lambda c: inverted(c) if split(c) == part else c)
    assert flipped == plain


def test_inverting_one_label_of_the_train_split_does_change_them(tmp_path: Path) -> None:
    victim = next(candidate for candidate in beginning() if split(candidate) == "train")
    plain = solved(tmp_path / "plain", lambda candidate: candidate)
    flipped = solved(tmp_path / "flipped", lambda c: inverted(c) if c == victim else c)
    assert flipped[0] != plain[0]
