"""Alarms that are not one family's own.

Revision ID: alarms
Revises: reembed
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "alarms"
down_revision = "evaluation"


def upgrade() -> None:
    """Add the table `service_alarm`."""
    op.create_table(
        "service_alarm",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("log10_evidence", sa.Float(), nullable=True),
        sa.Column("log10_alarm", sa.Float(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "about", name=op.f("pk_service_alarm")),
    )
