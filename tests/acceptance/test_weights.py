"""The shipped configuration without CLIP's weights: one line with three ways out, soon, and nothing is harmed."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.shipped import shipped
from tests.acceptance.command import free_port, sidwatch
from tests.acceptance.conftest import Report
from tests.acceptance.pictures import photograph

pytestmark = pytest.mark.accept


@contextmanager
def hub(kind: str) -> Iterator[dict[str, str]]:
    """The environment of a hub that may not be asked, refuses connections, or never says a word."""
    if kind == "forbidden":
        yield {"HF_HUB_OFFLINE": "1"}
    elif kind == "refusing":
        yield {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    else:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            yield {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{listener.getsockname()[1]}"}


@pytest.mark.parametrize("kind", ["forbidden", "refusing", "silent"])
def test_run_without_weights_names_three_ways_out_within_ten_seconds(kind: str, tmp_path: Path, report: Report) -> None:
    shutil.copyfile(shipped("config.yaml"), tmp_path / "config.yaml")
    photograph(tmp_path / "inbox" / "real" / "one.png", seed=1)
    photograph(tmp_path / "inbox" / "some_family" / "two.png", seed=2)
    sidwatch("ingest", "inbox", folder=tmp_path)
    with hub(kind) as environment:
        empty = {"HF_HOME": str(tmp_path / "hub"), **environment}
        done = sidwatch("run", folder=tmp_path, env=empty, timeout=10, status=78)
    report(f"weights, hub {kind}: exit 78 after {done.seconds:.1f} s")
    assert done.out == ""
    for way in ("encoder.open_clip.weights_path", "hf download", "encoder.name: forensic"):
        assert way in done.complaint
    found = sidwatch("status", "--json", folder=tmp_path).json
    assert found["samples"]["active"] == 2
    assert sidwatch("verify", "--deep", "--json", folder=tmp_path).json["ok"] is True
