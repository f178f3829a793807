"""How many deliveries of an adapter came since midnight is counted before every poll: an index for it.

Revision ID: deliveries
Revises: provenance
"""

from __future__ import annotations

from alembic import op

revision = "deliveries"
down_revision = "shortcuts"


def upgrade() -> None:
    op.create_index(op.f("ix_delivery_adapter_id_at"), "delivery", ["adapter_id", "at"])
