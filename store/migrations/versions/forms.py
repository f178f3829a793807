"""Among which form of its family a learned picture was counted.

Revision ID: forms
Revises: outbox
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "forms"
down_revision = "outbox"


def upgrade() -> None:
    """Add `learned.form`.

    What was learned before stands in no form; the next learning takes the pictures of families out of there and counts
    them in theirs.
    """
    op.add_column("learned", sa.Column("form", sa.String(), nullable=False, server_default=""))
