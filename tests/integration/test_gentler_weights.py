"""An update that may harm others is tried again with less weight for what is new, before anybody has to look."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from daemon import cycle
from daemon.context import Context
from daemon.learn.learning import Challenge
from daemon.promote.judging import judge
from daemon.promote.verdict import Verdict
from tests.integration.world import NEW, World, candidate


def test_a_challenger_held_for_harm_is_followed_by_gentler_ones_until_one_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.settled(tmp_path / "state")
    weights: list[float] = []

    def careful(context: Context, challenge: Challenge) -> Verdict:
        priors = dict(challenge.version.artifact.about["settings"]["log_priors"])
        weights.append(math.exp(priors[NEW]))
        verdict = judge(context, challenge)
        if len(weights) > 2:
            return verdict
        return replace(verdict, decision="hold", reason="harm is not excluded", learned=(), harm=True)

    monkeypatch.setattr(cycle, "judge", careful)
    world.inbox.put(candidate(NEW, i) for i in range(40))
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None and champion.verdict is not None
    assert weights == pytest.approx([1.0, 0.4, 0.15])
    assert [v.state for v in world.store.registry.versions()] == ["promoted", "held", "held", "promoted"]
    assert champion.verdict["learned"] == [["family", NEW]]
