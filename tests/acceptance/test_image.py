"""What the Dockerfile does, done by hand: its files alone make the program, its commands run it and find it well."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.acceptance.command import free_port

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
WAIT = 300.0  # s

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of every instruction, continued lines joined."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]  # type: ignore[misc]


def last(word: str) -> str:
    return [rest for found, rest in instructions() if found == word][-1]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `site`, installed from what the build stage copies, and the image's own paths under `root`."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "source"
    source.mkdir()
    for word, rest in instructions():
        if word != "COPY" or rest.startswith("--"):
            continue
        *names, target = rest.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, source / target)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(source)], check=True, cwd=folder)
    for made in re.findall(r"/(?:etc|var/lib)/sidwatch[a-z/]*", last("RUN")):
        (folder / "root" / made.lstrip("/")).mkdir(parents=True, exist_ok=True)
    return folder


def test_what_is_installed_has_the_extra_that_the_image_asks_for() -> None:
    extras = re.search(r'"\.\[([a-z,-]+)\]"', " ".join(rest for _, rest in instructions()))
    assert extras
    wanted = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{name} = \[", wanted, re.MULTILINE) for name in extras[1].split(","))


def test_its_command_serves_and_its_health_check_says_so_and_sigterm_ends_it(image: Path) -> None:
    root, port = image / "root", free_port()
    inside = yaml.safe_load(
        (DEPLOY / "config.yaml").read_text().replace("/var/lib/sidwatch", f"{root}/var/lib/sidwatch")
    )
    inside["http"]["port"] = port
    config = root / "etc/sidwatch/config.yaml"
    config.write_text(yaml.safe_dump(inside))

    def command(said: str) -> list[str]:
        name, *rest = json.loads(said)
        assert name == "sidwatch"
        here = [word.replace("/etc/sidwatch", str(config.parent)) for word in rest]
        return [sys.executable, "-P", "-m", "daemon", *here]

    run = command(json.dumps(json.loads(last("ENTRYPOINT")) + json.loads(last("CMD"))))
    health = command(last("HEALTHCHECK").partition("CMD ")[2])
    own = {**os.environ, "PYTHONPATH": str(image / "site"), "HOME": str(root / "var/lib/sidwatch")}
    own |= dict(re.findall(r"(\w+)=(\d+)", last("ENV")))
    where = root / last("WORKDIR").lstrip("/")
    with (image / "log").open("wb") as log:
        service = subprocess.Popen(run, cwd=where, env=own, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + WAIT
        while True:
            asked = subprocess.run(health, cwd=where, env=own, capture_output=True, text=True, timeout=60, check=False)
            if asked.returncode == 0:
                break
            assert service.poll() is None and time.monotonic() < end, (image / "log").read_text()[-3000:] + asked.stderr
            time.sleep(0.5)
        assert last("STOPSIGNAL") == "SIGTERM"
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0, (image / "log").read_text()[-3000:]
    finally:
        if service.poll() is None:
            os.killpg(service.pid, signal.SIGKILL)
    assert (root / "var/lib/sidwatch/state/sidwatch.db").exists()
    ill = subprocess.run(health, cwd=where, env=own, capture_output=True, text=True, timeout=60, check=False)
    assert ill.returncode != 0  # nobody answers any more
