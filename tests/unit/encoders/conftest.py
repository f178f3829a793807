"""Small random CLIP models, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.encoders.clip import make_models


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Architectures `quick` and `plain`, weights `one` and `two`, each as .safetensors and .pt."""
    return make_models(tmp_path_factory.mktemp("clip"))
