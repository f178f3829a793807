"""What people do about episodes, and how often they began a test anew.

Revision ID: episodes
Revises: corrections
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "episodes"
down_revision = "corrections"


def upgrade() -> None:
    """Add columns to `episode` and `test_state`."""
    for name in ("acknowledged_at", "snoozed_until", "closed_at"):
        op.add_column("episode", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("episode", sa.Column("acknowledged_by", sa.String(), nullable=False, server_default=""))
    op.add_column("test_state", sa.Column("restarts", sa.Integer(), nullable=False, server_default="0"))
