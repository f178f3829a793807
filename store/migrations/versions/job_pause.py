"""Jobs that a person has paused.

Revision ID: job_pause
Revises: clips
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "job_pause"
down_revision = "clips"


def upgrade() -> None:
    """Add the table `job_pause`."""
    op.create_table(
        "job_pause",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_job_pause")),
    )
