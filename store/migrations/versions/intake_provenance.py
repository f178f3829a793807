"""What a delivery says of how its picture was made and may be used: generation parameters, licence, consent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "provenance"
down_revision = "episodes"


def upgrade() -> None:
    for name in ("generation", "licence", "consent"):
        op.add_column("delivery", sa.Column(name, sa.Text(), nullable=True))
