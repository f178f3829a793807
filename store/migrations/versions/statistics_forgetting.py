"""Forgetting: requests, samples taken out of the statistics, the trust of each delivery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "statistics"
down_revision = "encoders"


def upgrade() -> None:
    op.add_column("delivery", sa.Column("trust", sa.String(), nullable=True))
    op.create_table(
        "unlearned",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_unlearned_sample_id_sample")),
        sa.PrimaryKeyConstraint("sample_id", "fingerprint", name=op.f("pk_unlearned")),
    )
    op.create_index(op.f("ix_unlearned_fingerprint_until"), "unlearned", ["fingerprint", "until"])
    op.create_table(
        "forget",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("learned", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forget")),
    )
