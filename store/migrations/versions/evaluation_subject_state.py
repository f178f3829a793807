"""The states that families and real sources were last seen in.

Revision ID: evaluation
Revises: reembed
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "evaluation"
down_revision = "reembed"


def upgrade() -> None:
    """Add the table `subject_state`."""
    op.create_table(
        "subject_state",
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject_kind", "subject_name", name=op.f("pk_subject_state")),
    )
