"""Messages for people outside.

Revision ID: outbox
Revises: provenance
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "outbox"
down_revision = "releases"


def upgrade() -> None:
    """Add the table `outbox`."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_outbox_event_id_event")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("event_id", "channel", "recipient", name=op.f("uq_outbox_event_id_channel_recipient")),
    )
    op.create_index(op.f("ix_outbox_sent_at_channel"), "outbox", ["sent_at", "channel"])
