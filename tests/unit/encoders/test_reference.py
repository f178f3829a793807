"""The paper's feature is what another implementation computes from the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from daemon.encoders.open_clip import OpenClipEncoder
from tests.unit.encoders.clip import make_architecture, random_model, settings
from tests.unit.encoders.reference import reference, scatter


def test_the_pooled_feature_equals_that_of_transformers_with_the_same_weights(tmp_path: Path) -> None:
    # The structure of ViT-L/14 at 336 px in small: QuickGELU, layer norm before, 14 px patches, heads of 64.
    architecture = make_architecture(tmp_path / "model", image_size=56, patch_size=14, width=256, layers=4)
    model = random_model(architecture)
    scatter(model, seed=7)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    encoder = OpenClipEncoder(settings(tmp_path, "model", "weights.safetensors"))
    other = reference(
        {name: tensor for name, tensor in model.visual.state_dict().items() if name != "proj"}, image_size=56, heads=4
    )
    generator = np.random.default_rng(1)
    pictures = [generator.integers(0, 256, (90, 70 + 10 * i, 3), dtype=np.uint8) for i in range(4)]
    prepared = [encoder.prepare(one) for one in pictures]
    with torch.inference_mode():
        expected = other(pixel_values=torch.from_numpy(np.stack(prepared))).pooler_output.numpy()
    found = encoder.encode_batch(pictures)
    assert found.shape == (4, 256)
    assert np.abs(found - expected).max() <= 1e-5
    assert found.std(axis=0).mean() > 1e-2  # the pictures do not all look the same to it
