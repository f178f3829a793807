"""The real command as a subprocess, and what these tests ask of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_SECONDS = 30.0  # within which a service must be ready again after a kill
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def program() -> list[str]:
    """The installed `sidwatch` of this interpreter, or the same from the checkout."""
    script = Path(sys.executable).with_name("sidwatch")
    return [str(script)] if script.exists() else [sys.executable, "-m", "daemon"]


def environment(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would configure the service, for a command in another folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SIDWATCH_") and k not in _PROXIES}
    if "PYTHONPATH" in kept:
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(p).resolve()) for p in kept["PYTHONPATH"].split(os.pathsep))
    return {**kept, "COLUMNS": "200", **(own or {})}


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line that an error is; log lines, which are JSON, do not count."""
        lines = [line for line in self.err.splitlines() if line and not line.startswith("{")]
        assert len(lines) == 1, f"an error is one line, not: {self.err}"
        assert lines[0].startswith("sidwatch: ")
        return lines[0]


def sidwatch(
    *arguments: str | Path, folder: Path, env: Mapping[str, str] | None = None, timeout: float = 600, status: int = 0
) -> Done:
    """Run the command to its end in `folder`; its exit status must be `status`."""
    began = time.monotonic()
    done = subprocess.run(
        [*program(), *map(str, arguments)],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == status, f"{arguments}: exit {done.returncode}, not {status}\n{done.stderr[-4000:]}"
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


class Running:
    """A command that goes on in a process group of its own; its output goes to files in `folder`."""

    def __init__(self, *arguments: str | Path, folder: Path, port: int) -> None:
        self.port = port
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*program(), *map(str, arguments)],
                cwd=folder,
                env=environment(),
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *raised: object) -> None:
        self.kill()

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        if not self.ended:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def get(self, path: str) -> tuple[int, str]:
        """GET from the service's own port; (0, "") when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self) -> float | None:
        """Seconds until /-/ready says yes, or misses nothing but a first champion; None when the command ended."""
        began = time.monotonic()
        while time.monotonic() - began < READY_SECONDS:
            if self.ended:
                return None
            status, body = self.get("/-/ready")
            if status == 200 or (status == 503 and _lacks_only_a_champion(body)):
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError(f"not ready within {READY_SECONDS:g} s: {self.get('/-/ready')} {self.err[-2000:]}")


def _lacks_only_a_champion(body: str) -> bool:
    reasons = json.loads(body)["reasons"]
    return all(reason.startswith("there is no champion yet") for reason in reasons)


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
