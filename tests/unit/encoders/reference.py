"""The same image tower in transformers, an implementation by others, with the weights converted."""

from __future__ import annotations

from typing import Any

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

_NAMES = {
    "class_embedding": "embeddings.class_embedding",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_pre": "pre_layrnorm",
    "ln_post": "post_layernorm",
}
_LAYER_NAMES = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def scatter(model: Any, seed: int) -> None:
    """Give every weight a random value: fresh ones are zeros and ones in places and would hide a mix-up."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(torch.randn_like(tensor), alpha=0.02)


def reference(state: dict[str, torch.Tensor], *, image_size: int, heads: int) -> Any:
    """transformers' CLIPVisionModel with the weights of open_clip's image tower (its own names, no `visual.`)."""
    width, _, patch, _ = state["conv1.weight"].shape
    layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("transformer.resblocks."))
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=state["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        num_hidden_layers=layers,
        num_attention_heads=heads,
        image_size=image_size,
        patch_size=patch,
        hidden_act="quick_gelu",
        attn_implementation="eager",
    )
    model = CLIPVisionModel(config)
    converted = {_prefix(model) + name: tensor for name, tensor in _converted(state).items()}
    missing, unexpected = model.load_state_dict(converted, strict=False)
    assert not unexpected
    assert all(name.endswith("position_ids") for name in missing), missing
    return model.eval()


def _prefix(model: Any) -> str:
    name = next(name for name in model.state_dict() if name.endswith("embeddings.class_embedding"))
    return str(name.removesuffix("embeddings.class_embedding"))


def _converted(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        if not name.startswith("transformer.resblocks."):
            stem, dot, kind = name.rpartition(".")
            found[_NAMES[name] if name in _NAMES else f"{_NAMES[stem]}{dot}{kind}"] = tensor
            continue
        _, _, number, rest = name.split(".", 3)
        layer = f"encoder.layers.{number}"
        if rest.startswith("attn.in_proj_"):
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                found[f"{layer}.self_attn.{part}_proj.{rest.removeprefix('attn.in_proj_')}"] = piece
        else:
            stem, _, kind = rest.rpartition(".")
            found[f"{layer}.{_LAYER_NAMES[stem]}.{kind}"] = tensor
    return found
