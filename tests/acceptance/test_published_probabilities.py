"""With OpenAI's weights the published heads give the published probabilities; without, all but the figures is tried."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from daemon.encoders.open_clip import OpenClipEncoder
from daemon.encoders.weights import locate_weights
from daemon.errors import WeightsMissing
from daemon.settings import OpenClipSettings
from tests.acceptance.conftest import Report
from tests.acceptance.published import PROBABILITIES, probabilities, vectors
from tests.unit.encoders.clip import make_architecture, random_model, settings

WITHIN = 0.01


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> OpenClipSettings:
    """The paper's encoder with weights that are at hand: SIDWATCH_CLIP_WEIGHTS, or the hub cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # a test downloads nothing
    named = os.environ.get("SIDWATCH_CLIP_WEIGHTS")
    wanted = OpenClipSettings(weights_path=Path(named) if named else None)
    try:
        locate_weights(wanted)
    except WeightsMissing as error:
        if named:
            pytest.fail(f"SIDWATCH_CLIP_WEIGHTS: {error}")
        pytest.skip(f"SIDWATCH_CLIP_WEIGHTS names no file, and there are {error}")
    return wanted


@pytest.mark.weights
def test_the_published_heads_give_the_published_probabilities(
    openai: OpenClipSettings, test_data: Path, report: Report
) -> None:
    features = vectors(OpenClipEncoder(openai), test_data / "paper")
    report(f"CLIP: mean norm of the six example vectors {np.linalg.norm(features, axis=1).mean():.2f}")
    for name, expected in PROBABILITIES.items():
        found = probabilities(test_data / "paper" / name, features)
        report(f"{name}: {', '.join(f'{value:.3f}' for value in found)}")
        assert np.abs(found - expected).max() <= WITHIN, (name, found)


def test_the_same_steps_run_with_random_weights_of_the_papers_shape(test_data: Path, tmp_path: Path) -> None:
    # ViT-L/14 at 336 px with two of its 24 layers.
    model = random_model(
        make_architecture(tmp_path / "model", image_size=336, patch_size=14, width=1024, layers=2), seed=1
    )
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    features = vectors(OpenClipEncoder(settings(tmp_path, "model", "weights.safetensors")), test_data / "paper")
    assert features.shape == (6, 1024)
    for name, expected in PROBABILITIES.items():
        found = probabilities(test_data / "paper" / name, features)
        assert found.shape == (6,)
        assert len(set(found.tolist())) == 6
        assert found.min() > 0
        assert found.max() < 1
        assert np.abs(found - expected).max() > WITHIN  # the comparison above can fail
