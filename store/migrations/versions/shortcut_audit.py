"""Facts of pictures' files, the shortcut audit of batches, and whose raw form statistics leave out.

Revision ID: shortcuts
Revises: provenance
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "shortcuts"
down_revision = "provenance"


def upgrade() -> None:
    """Add `sample.facts`, `learned.raw_left_out` and the table `shortcut_audit`."""
    op.add_column("sample", sa.Column("facts", sa.Text(), nullable=True))
    op.add_column("learned", sa.Column("raw_left_out", sa.String(), nullable=True))
    op.create_table(
        "shortcut_audit",
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("auroc", sa.Float(), nullable=True),
        sa.Column("lower", sa.Float(), nullable=True),
        sa.Column("upper", sa.Float(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.Column("others", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("known_others", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject_kind", "subject_name", "source", name=op.f("pk_shortcut_audit")),
    )
