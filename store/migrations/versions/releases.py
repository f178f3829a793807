"""Releases that adapters reported, for those that make pictures, and the circuits of adapters that fail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "releases"
down_revision = "deliveries"


def upgrade() -> None:
    """Add the tables `release` and `circuit`."""
    op.create_table(
        "release",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("adapter_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("released", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["adapter_id"], ["adapter.id"], name=op.f("fk_release_adapter_id_adapter")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
        sa.UniqueConstraint("adapter_id", "model", name=op.f("uq_release_adapter_id_model")),
    )
    op.create_index(op.f("ix_release_family"), "release", ["family"])
    op.create_table(
        "circuit",
        sa.Column("adapter_id", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["adapter_id"], ["adapter.id"], name=op.f("fk_circuit_adapter_id_adapter")),
        sa.PrimaryKeyConstraint("adapter_id", name=op.f("pk_circuit")),
    )
