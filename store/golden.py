"""The golden log: `daemon.ports.GoldenLog`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select

from daemon.model import GoldenRecord, Profile
from store import tables as t
from store.database import Database

_DTYPE = "<f4"


class SqlGoldenLog:
    """What each encoder made of the golden picture when it first came up in this store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def golden(self, fingerprint: str, profile: Profile) -> GoldenRecord | None:
        """The record, or None before the first."""
        g = t.golden.c
        query = select(g.vector, g.dtype, g.at).where(g.fingerprint == fingerprint, g.profile == profile)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else GoldenRecord(np.frombuffer(row.vector, row.dtype).astype(np.float32), row.at)

    def record_golden(self, fingerprint: str, vectors: Mapping[Profile, NDArray[np.float32]], at: datetime) -> None:
        """Once per fingerprint and profile: what is recorded stays."""
        g = t.golden.c
        with self._database.write() as connection:
            there = set(connection.execute(select(g.profile).where(g.fingerprint == fingerprint)).scalars())
            for profile, vector in vectors.items():
                if profile not in there:
                    connection.execute(
                        insert(t.golden).values(
                            fingerprint=fingerprint,
                            profile=profile,
                            dtype=_DTYPE,
                            dimension=len(vector),
                            vector=vector.astype(_DTYPE).tobytes(),
                            at=at,
                        )
                    )
