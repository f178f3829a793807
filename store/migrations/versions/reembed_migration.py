"""Moves from one encoder to another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "reembed"
down_revision = "statistics"


def upgrade() -> None:
    op.create_table(
        "migration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("from_fingerprint", sa.String(), nullable=False),
        sa.Column("to_fingerprint", sa.String(), nullable=False),
        sa.Column("from_settings", sa.Text(), nullable=True),
        sa.Column("to_settings", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("unfinished", sa.Integer(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("champion", sa.String(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["champion"], ["version.id"], name=op.f("fk_migration_champion_version")),
        sa.ForeignKeyConstraint(["version"], ["version.id"], name=op.f("fk_migration_version_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_migration")),
        sa.UniqueConstraint("unfinished", name=op.f("uq_migration_unfinished")),
    )
    op.create_table(
        "migration_failure",
        sa.Column("migration_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["migration_id"], ["migration.id"], name=op.f("fk_migration_failure_migration_id_migration")
        ),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_migration_failure_sample_id_sample")),
        sa.PrimaryKeyConstraint("migration_id", "sample_id", name=op.f("pk_migration_failure")),
    )
