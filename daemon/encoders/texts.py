"""Texts -> embeddings in the space that CLIP's projection maps pictures to; for concepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.architecture import fill, model_config, new_model
from daemon.encoders.weights import locate_weights
from daemon.encoders.weights_file import read_tensors
from daemon.errors import ConfigurationError
from daemon.settings import OpenClipSettings

_BATCH = 64  # texts in one forward pass


def encode_texts(settings: OpenClipSettings, texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed texts with the text tower of the configured model; imports torch, so call it in a child process.

    settings: `encoder.open_clip`; always computed in float32 on the CPU, for texts are few. texts: the longest are
    cut at the model's context length. Returns (n, e) float32, rows of length 1.
    Raises WeightsMissing, ConfigurationError (weights without a text tower, a tokenizer that would be downloaded).

    Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021.
    """
    path = locate_weights(settings)

    import torch

    tokenize = _tokenizer(settings)
    tensors = read_tensors(path)
    if not any(not name.startswith("visual.") for name in tensors):
        raise ConfigurationError(
            f"encoder.open_clip: {path} holds no text tower, so concepts cannot be computed; "
            "give the weights of a whole CLIP model"
        )
    model = new_model(settings)
    fill(model, tensors, settings, path)
    model.eval()
    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH):
            tokens = tokenize(list(texts[start : start + _BATCH]))
            rows.append(model.encode_text(tokens, normalize=True).float().numpy())
    return np.concatenate(rows) if rows else np.zeros((0, _width(settings)), np.float32)


def _tokenizer(settings: OpenClipSettings) -> Any:
    """open_clip's own tokenizer, whose vocabulary comes with the library."""
    import open_clip
    from open_clip.tokenizer import SimpleTokenizer

    config = model_config(settings)
    if not config.get("text_cfg", {}).get("hf_tokenizer_name"):
        tokenizer = open_clip.get_tokenizer(settings.model)
        if isinstance(tokenizer, SimpleTokenizer):
            return tokenizer
    raise ConfigurationError(
        f"encoder.open_clip.model: {settings.model} needs a tokenizer that does not come with open_clip; "
        "concepts need a model with CLIP's own, such as ViT-L-14-336-quickgelu"
    )


def _width(settings: OpenClipSettings) -> int:
    return int(model_config(settings)["embed_dim"])
