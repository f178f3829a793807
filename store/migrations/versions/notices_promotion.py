"""Notices of promotions for the webhook, written in the promotion's transaction."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "notices"
down_revision = "provenance"


def upgrade() -> None:
    op.create_table(
        "promotion_notice",
        sa.Column("audit_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["audit_number"], ["audit.number"], name=op.f("fk_promotion_notice_audit_number_audit")
        ),
        sa.PrimaryKeyConstraint("audit_number", name=op.f("pk_promotion_notice")),
        sa.UniqueConstraint("event_id", name=op.f("uq_promotion_notice_event_id")),
    )
    op.create_index(op.f("ix_promotion_notice_state_next_at"), "promotion_notice", ["state", "next_at"])
