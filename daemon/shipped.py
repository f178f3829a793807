"""Files that travel with the program: config.yaml and the dashboards."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """Where a shipped file lies: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "shipped_files" / name
    return installed if installed.exists() else package.parent / name
