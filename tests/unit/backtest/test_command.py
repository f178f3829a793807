"""The command's own part: every policy is replayed once, what takes longest first, each under its own name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.backtest import command
from daemon.backtest.calendar import Entry
from daemon.backtest.collection import Collection
from daemon.backtest.command import Asked, back_test
from daemon.backtest.policies import POLICIES, Policy
from daemon.backtest.progress import Outcome, Progress
from daemon.backtest.replaying import Ground
from daemon.model import Label
from daemon.settings import Settings


def entry(number: int, name: str, released: str | None) -> Entry:
    family = name if released else None
    label: Label = "synthetic" if released else "real"
    return Entry(f"{name}.png", f"{number:064x}", label, family, "source", name, released, None)


ENTRIES = (entry(0, "photo", None), entry(1, "old", "2020-01"), entry(2, "new", "2021-01"))


@pytest.fixture(autouse=True)
def prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection that needs no pictures."""
    found = Collection("manifest.csv", "0" * 64, ENTRIES, {})
    monkeypatch.setattr(command, "_prepare", lambda *given: (found, SimpleNamespace(fingerprint="f" * 64)))


def over(promoted: int) -> Progress:
    decisions = [
        {"version": str(n), "at": "2030-01-01T00:00:00Z", "decision": "promoted", "reason": ""} for n in range(promoted)
    ]
    outcome: dict[str, Any] = {"incidents": [], "decisions": decisions, "false_alarms": []}
    return Progress(outcome=Outcome.model_validate(outcome))


def test_each_policy_has_its_own_result_in_the_order_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun = []

    def replay_all(ground: Ground, policies: Sequence[Policy], told: object) -> dict[str, Progress]:
        begun.extend(policy.name for policy in policies)
        assert ground.entries == ENTRIES
        assert ground.folder.parent == tmp_path / "state" / "runs"
        return {policy.name: over(promoted=len(policy.name)) for policy in policies}

    monkeypatch.setattr(command, "replay_all", replay_all)
    asked = Asked(Path("manifest.csv"), tmp_path / "state", period=1)
    report = back_test(Settings(), asked, lambda *progress: None)
    assert begun[0] == "mixture"  # what takes longest is not begun last
    assert sorted(begun) == sorted(POLICIES)
    for found in report["profiles"].values():
        assert list(found["policies"]) == list(POLICIES)
        assert {name: own["promotions"] for name, own in found["policies"].items()} == {n: len(n) for n in POLICIES}


def test_a_baseline_answers_an_alarm_once_and_the_default_as_often_as_the_service() -> None:
    attempts = {name: policy.settings(Settings()).learn.policy.attempts for name, policy in POLICIES.items()}
    assert {name: own[0].at_most for name, own in attempts.items() if own[0].at_most} == {
        "gradient": 1,
        "closed_form": 1,
    }
    assert attempts["gradient"][0].min_groups == Settings().gate.min_groups  # an only attempt must be judged
    assert all(len(own) == 1 for own in attempts.values())
