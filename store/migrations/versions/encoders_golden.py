"""What each encoder made of the golden picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "encoders"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "golden",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("dtype", sa.String(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "profile", name=op.f("pk_golden")),
    )
