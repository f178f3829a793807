"""From a release on the Hub to stored pictures of a new family, with a SIGKILL in the middle of a paid request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from daemon.app import open_for, verify_store
from daemon.operations import describe_adapters, preview_adapter
from daemon.settings import Settings, load
from store import tables as t

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "adapters"))
from feed_server import Answer, Site, serving
from services import Hub, ImagesApi, model

POLL = """
import sys
from pathlib import Path
from daemon.app import opened
from daemon.intake.taking_in import intake
from daemon.settings import load

settings = load(Path(sys.argv[1]))
with opened(settings, encoder=False) as state:
    for adapter in settings.adapters:
        if adapter.name == sys.argv[2]:
            print(intake(state.context, adapter))
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def config(tmp_path: Path, site: Site) -> Path:
    """A service that watches the Hub and may spend two pictures a day on what comes."""
    (tmp_path / "prompts.txt").write_text("\n".join(f"a cat number {n}" for n in range(9)))
    hub = {
        "name": "hub",
        "kind": "hub_releases",
        "options": {"since": "2020-01-01", "window": 36500, "kind": "diffusion"},
        "secrets": {"HF_ENDPOINT": site.url(""), "HF_HUB_OFFLINE": "0"},
    }
    maker = {
        "name": "maker",
        "kind": "generate",
        "releases_from": "hub",
        "secrets": {"KEY": "sk-mine"},
        "options": {
            "backend": "openai",
            "path": "prompts.txt",
            "per_model": 5,
            "images_per_day": 2,
            "money_per_day": 1,
            "price": 0.25,
            "token_variable": "KEY",
            "openai": {"base_url": site.url("/v1")},
        },
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"encoder": {"name": "forensic"}, "adapters": [hub, maker]}))
    return path


def start(config: Path, adapter: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", POLL, str(config), adapter]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def polled(config: Path, adapter: str) -> int:
    process = start(config, adapter)
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return int(out.splitlines()[-1])


def spent(settings: Settings) -> dict[str, Any]:
    with open_for(settings, read_only=True) as store:
        cursor = json.loads(store.samples.cursor("maker") or "{}")
    (day,) = cursor["spent"].values()
    return dict(day)


@pytest.mark.timeout(1500)
@pytest.mark.accept
def test_a_release_becomes_a_family_and_a_kill_never_spends_more(config: Path, site: Site) -> None:
    hub = Hub(site, [model("lab/Sun-2", "2024-08-01"), model("x/tuned", "2024-08-02", cardData={"base_model": "a/b"})])
    api = ImagesApi(site)
    settings = load(config)
    assert polled(config, "hub") == 0  # no pictures: a release
    hub.models.clear()  # what was handed over does not depend on the Hub any more
    found = describe_adapters(settings)
    assert [(one["model"], one["family"], one["released"]) for one in found["releases"]] == [
        ("lab/Sun-2", "sun_2", "2024-08-01")
    ]
    assert {one["name"]: one["circuit"]["state"] for one in found["adapters"]} == {"hub": "closed", "maker": "closed"}
    with open_for(settings, read_only=True) as store, store.database.read() as connection:
        assert connection.execute(select(t.family.c.name, t.family.c.released, t.family.c.kind)).all() == [
            ("sun_2", "2024-08-01", "diffusion")
        ]

    rows = preview_adapter(settings, "maker", 2)
    assert [(row["family"], row["caption"], row["bytes"]) for row in rows] == [
        ("sun_2", "a cat number 0", None),
        ("sun_2", "a cat number 1", None),
    ]
    assert site.bodies == []  # looking costs nothing

    seen: list[dict[str, Any]] = []

    def kill_the_service(body: dict[str, Any]) -> Answer | None:
        seen.append(spent(settings))  # what the store says while the request is under way
        if len(seen) == 1:
            os.killpg(process.pid, signal.SIGKILL)
        return None

    api.respond = kill_the_service
    process = start(config, "maker")
    process.communicate(timeout=500)
    assert process.returncode == -signal.SIGKILL
    assert seen == [{"images": 1, "money": "0.25"}]

    assert polled(config, "maker") == 1  # of the two pictures of the day one was paid for and lost
    assert seen[1:] == [{"images": 2, "money": "0.50"}]
    assert polled(config, "maker") == 0
    assert len(site.bodies) == 2
    with open_for(settings, read_only=True) as store, store.database.read() as connection:
        (made,) = connection.execute(select(t.delivery).where(t.delivery.c.reason.is_(None))).all()
    assert (made.family, made.released, made.caption) == ("sun_2", "2024-08-01", "a cat number 0")
    said = json.loads(made.generation)
    assert (said["model"], said["revision"]) == ("lab/Sun-2", found["releases"][0]["revision"])
    assert [(check.name, check.detail) for check in verify_store(settings, deep=True) if not check.ok] == []
