"""What the service says of one picture: synthetic, real, or like nothing it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.service import Service
from daemon.wiring import make_telemetry
from tests.integration import world as worlds
from tests.integration.world import World


def test_a_picture_is_synthetic_real_or_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.settled(tmp_path / "state")
    service = Service(world.context, make_telemetry(world.context.settings), simulated=True)
    # far beyond the photographs, away from every generator
    alien = -6.0 * sum(worlds.centre_of(name) for name in worlds.KNOWN)
    known = worlds.centre_of
    monkeypatch.setattr(worlds, "centre_of", lambda name: alien if name == "alien" else known(name))

    def judged(name: str) -> list[str]:
        return [service.score(f"{name}:{1000 + i}".encode()).verdict for i in range(40)]

    assert judged("alien") == ["outside"] * 40
    assert judged("old_gan").count("synthetic") >= 36
    assert judged("camera_a").count("real") >= 34
    view = service.score(b"alien:1")
    assert (view.verdict, view.outside, view.family) == ("outside", True, None)
    assert view.nearest_real_source is not None
    assert service.score(b"camera_a:1001").outside is False
