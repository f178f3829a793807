"""What people correct: labels, names of families, what is measured and learned.

Revision ID: corrections
Revises: alarms
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "corrections"
down_revision = "alarms"


def upgrade() -> None:
    """Add the tables `held`, `family_rule`, `relabelled` and `correction`, and columns beside."""
    op.add_column("family", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("family", sa.Column("anchored_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "held",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=True),
        sa.Column("subject_name", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_held_sample_id_sample")),
        sa.PrimaryKeyConstraint("sample_id", "fingerprint", "until", name=op.f("pk_held")),
    )
    op.create_index(op.f("ix_held_fingerprint_until"), "held", ["fingerprint", "until"])
    columns = "sample_id, fingerprint, revision, until"
    op.execute(f"INSERT INTO held ({columns}) SELECT {columns} FROM unlearned")
    op.create_table(
        "family_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("old", sa.String(), nullable=False),
        sa.Column("new", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("released_after", sa.String(), nullable=True),
        sa.Column("delivered_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("correction", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["correction"], ["audit.number"], name=op.f("fk_family_rule_correction_audit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_rule")),
    )
    op.create_table(
        "relabelled",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("family_id", sa.Integer(), nullable=True),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column("correction", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_relabelled_sample_id_sample")),
        sa.ForeignKeyConstraint(["family_id"], ["family.id"], name=op.f("fk_relabelled_family_id_family")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_relabelled_source_id_source")),
        sa.ForeignKeyConstraint(["correction"], ["audit.number"], name=op.f("fk_relabelled_correction_audit")),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_relabelled")),
    )
    op.create_index(op.f("ix_relabelled_family_id"), "relabelled", ["family_id"])
    op.create_table(
        "correction",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["number"], ["audit.number"], name=op.f("fk_correction_number_audit")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_correction")),
    )
