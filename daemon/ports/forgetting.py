"""Deliveries taken out of everything, bytes included."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from daemon.model import ForgetCounts, ForgetRecord, ForgetTarget


class ForgettingStore(Protocol):
    """Deliveries taken out of everything, bytes included."""

    def forget_preview(self, target: ForgetTarget) -> ForgetCounts:
        """What `forget` would take away now."""
        ...

    def forget(self, target: ForgetTarget, reason: str, actor: str, at: datetime) -> ForgetRecord | None:
        """Remove its deliveries and take what nobody else delivered out of every figure; one audited transaction.

        Samples that stay are decided anew from their other deliveries; their group stays. None, and nothing is
        written, when there is nothing of it.
        """
        ...

    def forgets(self) -> list[ForgetRecord]:
        """Every forgetting, oldest first."""
        ...

    def erase_forgotten(self, at: datetime) -> int:
        """Delete the bytes of what was taken out: vectors, pictures, old files; returns how many samples.

        Nothing is closed, and 0 returned, when more was taken out meanwhile: the next call goes on with all of it.
        Only the holder of the state's lock may call it. Raises TemporaryError while statistics still hold one.
        """
        ...
