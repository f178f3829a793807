"""Runs the real command as people do: its own process, its own process group."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "daemon"]
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


def sidwatch(
    *arguments: str, cwd: Path, timeout: float = 600, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def answer(*arguments: str, cwd: Path, timeout: float = 600) -> Any:
    """The JSON value that a command prints; fails the test with its stderr when it does not succeed."""
    done = sidwatch(*arguments, "--json", cwd=cwd, timeout=timeout)
    assert done.returncode == 0, f"sidwatch {' '.join(arguments)}: {done.stderr[-2000:]}"
    return json.loads(done.stdout)


def shipped_configuration() -> dict[str, Any]:
    """The shipped config.yaml as plain data."""
    found = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def write_configuration(path: Path, configuration: dict[str, Any]) -> Path:
    """Write a configuration file."""
    path.write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    return path


def differing_keys(first: Any, second: Any, prefix: str = "") -> set[str]:
    """Dotted keys in which two configurations differ; lists count as one value."""
    if isinstance(first, dict) and isinstance(second, dict):
        found: set[str] = set()
        for key in first.keys() | second.keys():
            found |= differing_keys(first.get(key), second.get(key), f"{prefix}{key}.")
        return found
    return set() if first == second else {prefix.rstrip(".")}


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The command's complaint: exactly one line on stderr, and no traceback."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("sidwatch: ")]
    assert "Traceback" not in done.stderr, done.stderr
    assert len(lines) == 1, done.stderr
    return lines[0]
