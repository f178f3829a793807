"""The whole API, fuzzed by its own document, on the real service with the demo's store.

schemathesis sends what the document allows and what it forbids. Cases are the same in every run and their number is
bounded; what pictures and names are there it learns from `fuzz_hooks.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.acceptance.command import Running, environment, free_port, sidwatch
from tests.acceptance.conftest import Report
from tests.acceptance.demo import DemoRun

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parents[2]
TOKEN = "a token of all scopes"
EXAMPLES = os.environ.get("SIDWATCH_FUZZ_EXAMPLES", "8")  # cases of an operation, beside those of the coverage phase
# Left out: a document cannot say of bytes that they are a picture, nor of a name that it is there, so not everything
# that keeps the schema is taken; and reading asks for no token, so it is no fault that none is asked for.
LEFT_OUT = "positive_data_acceptance,ignored_auth,ensure_resource_availability,use_after_free"


@pytest.fixture
def folder(undisturbed: DemoRun, tmp_path: Path) -> Path:
    """The demo's store after its end, with a token of all scopes and nothing more to come in."""
    shutil.copytree(undisturbed.folder / "sidwatch-demo", tmp_path / "demo", symlinks=True)
    return configured(tmp_path / "demo")


def configured(folder: Path) -> Path:
    """`folder` with the configuration of this test."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["http"] = {
        "port": free_port(),
        "requests_per_minute": None,
        "tokens": [{"name": "fuzz", "token": TOKEN, "scopes": ["read", "ingest", "operate"]}],
    }
    config["push"] = {"allowed_hosts": []}
    for adapter in config["adapters"]:
        adapter["enabled"] = False
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    port = yaml.safe_load((folder / "config.yaml").read_text())["http"]["port"]
    with Running("run", folder=folder, port=port) as service:
        service.wait_ready()
        yield service


def document(service: Running) -> dict[str, Any]:
    answer = httpx.get(
        f"http://127.0.0.1:{service.port}/v1/openapi.json",
        headers={"Authorization": f"Bearer {TOKEN}"},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 200
    return dict(answer.json())


def test_nothing_that_is_sent_breaks_the_service_or_is_answered_otherwise_than_documented(
    folder: Path, running: Running, report: Report
) -> None:
    url = f"http://127.0.0.1:{running.port}"
    found = document(running)
    operations = sum(len(methods) for methods in found["paths"].values())
    assert operations > 25
    (folder.parent / "openapi.json").write_text(json.dumps(found))  # schemathesis itself waits for it 10 s at most
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--no-color", "run", "openapi.json", "--url", url,
            "-H", f"Authorization: Bearer {TOKEN}", "--generation-deterministic", "--max-response-time", "300",
            "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--checks", "all",
            "--exclude-checks", LEFT_OUT, "--request-timeout", "300",
            "--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off",
        ],
        cwd=folder.parent,
        env=environment(
            {
                "SCHEMATHESIS_HOOKS": "tests.acceptance.fuzz_hooks",
                "PYTHONPATH": str(ROOT),
                "SIDWATCH_FUZZED": url,
                "SIDWATCH_FUZZ_TOKEN": TOKEN,
                "NO_PROXY": "*",
            }
        ),
        capture_output=True,
        text=True,
        timeout=1200,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-12_000:]}\n{done.stderr[-2000:]}\n{running.err[-3000:]}"
    assert f"{operations} selected / {operations} total" in done.stdout
    assert not running.ended
    assert "Traceback" not in running.err
    assert running.get("/-/healthy")[0] == 200
    report(*[line for line in done.stdout.splitlines() if re.search(r"operations|cases", line, re.IGNORECASE)][:6])
    running.process.terminate()
    assert running.process.wait(120) == 0
    sidwatch("verify", "--config", folder / "config.yaml", folder=folder)
