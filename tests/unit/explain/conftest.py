"""The fixtures of neighbours."""

from __future__ import annotations

from tests.acceptance.conftest import test_data
from tests.unit.encoders.conftest import folder

__all__ = ["folder", "test_data"]
