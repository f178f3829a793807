"""The only place with SQL and file formats: tables, repositories, vectors, blobs, migrations.

`open_store` gives a `Store`: the ports of `daemon.ports` over one state directory.
"""

from __future__ import annotations

from store.layout import Layout
from store.lock import StateLock
from store.splits import DEFAULT_SHARES, fold_of, split_of
from store.state import Store, open_store

__all__ = ["DEFAULT_SHARES", "Layout", "StateLock", "Store", "fold_of", "open_store", "split_of"]
