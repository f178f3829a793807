"""open_clip models of random weights, small ones, saved to files and loaded by the real code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from daemon.settings import OpenClipSettings

SIZE = 32
WIDTH = 64
EMBEDDED = 16


def make_models(folder: Path) -> Path:
    """Two architectures (with QuickGELU and without) and two sets of weights that fit both."""
    for name, quick in (("quick", True), ("plain", False)):
        make_architecture(folder / name, quick_gelu=quick)
    for seed, name in enumerate(("one", "two")):
        model = random_model(folder / "quick", seed)
        save_file(model.state_dict(), folder / f"{name}.safetensors")
        torch.save(model.state_dict(), folder / f"{name}.pt")
    return folder


def make_architecture(folder: Path, **vision: Any) -> Path:
    """A folder that open_clip takes for a model: pre-norm ViT, CLIP's own tokenizer."""
    config = {
        "embed_dim": EMBEDDED,
        "quick_gelu": vision.pop("quick_gelu", True),
        "vision_cfg": {"image_size": SIZE, "layers": 2, "width": WIDTH, "patch_size": 16, **vision},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return folder


def random_model(architecture: Path, seed: int = 0) -> Any:
    """The whole model, ready for inference."""
    torch.manual_seed(seed)
    return open_clip.create_model(f"local-dir:{architecture}", load_weights=False).eval()


def settings(folder: Path, model: str = "quick", file: str = "one.safetensors", **more: Any) -> OpenClipSettings:
    return OpenClipSettings.model_validate(
        {"model": f"local-dir:{folder / model}", "weights_path": folder / file, "device": "cpu", **more}
    )


def pictures(count: int = 3) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(3)
    return [generator.integers(0, 256, (40 + 7 * i, 64, 3), dtype=np.uint8) for i in range(count)]
