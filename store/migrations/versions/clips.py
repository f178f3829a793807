"""Which pictures statistics leave out because they lie implausibly far from their own group.

Revision ID: clips
Revises: forms
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "clips"
down_revision = "forms"


def upgrade() -> None:
    """Add the tables `clipped` and `clip_judged`; the next learning judges every group that has to be."""
    op.create_table(
        "clipped",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("spreads", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sample_id", "fingerprint", name=op.f("pk_clipped")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_clipped_sample_id_sample")),
        sa.ForeignKeyConstraint(["version"], ["version.id"], name=op.f("fk_clipped_version_version")),
    )
    op.create_index(
        op.f("ix_clipped_fingerprint_subject_kind_subject_name"),
        "clipped",
        ["fingerprint", "subject_kind", "subject_name"],
    )
    op.create_table(
        "clip_judged",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("judged", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "subject_kind", "subject_name", name=op.f("pk_clip_judged")),
        sa.ForeignKeyConstraint(["version"], ["version.id"], name=op.f("fk_clip_judged_version_version")),
    )
