"""Alembic's entry: runs on the connection that `store.migrations.run` put into the configuration."""

from __future__ import annotations

from alembic import context

from store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    transaction_per_migration=False,
)
# The caller holds the transaction: a migration that dies half-way leaves the old schema.
context.run_migrations()
