"""Alembic migrations, handwritten and run from inside the package (an installed wheel has no alembic.ini)."""

from __future__ import annotations

# Oldest first. Kept here so that opening a store at head need not import alembic (a third of a second).
REVISIONS: tuple[str, ...] = (
    "0001", "encoders", "statistics", "reembed", "evaluation", "alarms", "corrections", "episodes",
    "provenance", "shortcuts", "deliveries", "releases", "outbox", "forms", "clips", "job_pause",
)  # fmt: skip
HEAD = REVISIONS[-1]
