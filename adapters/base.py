"""The contract that every adapter keeps; `adapters.checks` proves it of an implementation."""

from __future__ import annotations

from daemon.errors import BadInputError
from daemon.model import Batch, Candidate
from daemon.ports import Adapter

__all__ = ["Adapter", "BadInputError", "Batch", "Candidate"]
