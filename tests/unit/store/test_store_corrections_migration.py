"""An older store keeps what it knew of samples that were taken out of the statistics."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from sqlalchemy import create_engine, text

from store.migrations.run import _config, upgrade

OLDER = "alarms"


def test_what_was_taken_out_before_counts_as_held_until_it_is_learned_again(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'sidwatch.db'}")
    with engine.begin() as connection:
        command.upgrade(_config(connection), OLDER)
        connection.execute(
            text(
                "INSERT INTO unlearned (sample_id, fingerprint, revision, until) VALUES (7, 'f', 2, 5), (8, 'f', 3, 4)"
            )
        )
    with engine.begin() as connection:
        upgrade(connection)
        rows = connection.execute(
            text("SELECT sample_id, fingerprint, revision, until, subject_kind FROM held ORDER BY sample_id")
        ).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [(7, "f", 2, 5, None), (8, "f", 3, 4, None)]
