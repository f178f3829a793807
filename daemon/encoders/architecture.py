"""open_clip's models: checked against the settings, filled with the weights of a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.encoders.weights_file import image_tower
from daemon.errors import ConfigurationError
from daemon.settings import OpenClipSettings
from daemon.torch_file import shown

_NUMBERS = ("torch.float32", "torch.float16", "torch.bfloat16", "torch.float64")  # torch itself would convert any


def model_config(settings: OpenClipSettings) -> dict[str, Any]:
    """The architecture, checked: its activation must be the stated one (the wrong one spoils vectors silently).

    Raises ConfigurationError.
    """
    import open_clip

    try:
        config = open_clip.get_model_config(settings.model)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"encoder.open_clip.model: {settings.model}: {error}") from error
    if config is None:
        raise ConfigurationError(
            f"encoder.open_clip.model: open_clip has no model {settings.model!r}; "
            "`python -c 'import open_clip; print(open_clip.list_models())'` lists them"
        )
    actual = "quick_gelu" if config.get("quick_gelu") else "gelu"
    if actual != settings.activation:
        advice = (
            f"name {settings.model}-quickgelu, as OpenAI's weights need, or state encoder.open_clip.activation: gelu"
            if actual == "gelu"
            else "name the model without -quickgelu, or state encoder.open_clip.activation: quick_gelu"
        )
        raise ConfigurationError(
            f"encoder.open_clip.model: {settings.model} computes {actual} but encoder.open_clip.activation is "
            f"{settings.activation}; {advice}"
        )
    return dict(config)


def new_model(settings: OpenClipSettings) -> Any:
    """The whole model in float32 with open_clip's random weights, every one of them to be replaced.

    The weights are loaded by the functions below, strictly, and not by open_clip: that would resize position
    embeddings of another resolution without a word and has a way round `weights_only`.
    """
    import open_clip

    with _without_the_warning_of_random_weights():
        return open_clip.create_model(settings.model, precision="fp32", load_weights=False)


def load_image_tower(settings: OpenClipSettings, path: Path, tensors: Mapping[str, Any]) -> Any:
    """The image tower with the file's weights in it, without its projection, for inference.

    tensors: of `path`, as `read_tensors` gives them. Raises ConfigurationError when they do not fit.
    """
    visual = new_model(settings).visual
    if not hasattr(visual, "ln_post") or not hasattr(visual, "proj"):
        raise ConfigurationError(
            f"encoder.open_clip.model: {settings.model} has no feature before a projection; name a ViT of open_clip"
        )
    fill(visual, image_tower(tensors), settings, path)
    visual.proj = None
    return visual.eval().requires_grad_(False)


def fill(module: Any, tensors: Mapping[str, Any], settings: OpenClipSettings, path: Path) -> None:
    """Put the tensors into the module, all of them and nothing else; raises ConfigurationError."""
    for name, tensor in tensors.items():
        if str(tensor.dtype) not in _NUMBERS:
            raise ConfigurationError(
                f"encoder.open_clip: {path} holds {shown(name)} as {str(tensor.dtype).removeprefix('torch.')}; "
                "weights are float32, or float16, bfloat16, float64 to be converted"
            )
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigurationError(
            f"encoder.open_clip: {path} holds no weights for {settings.model}: {reason}; name the model they belong to"
        ) from error
    if not all(bool(tensor.isfinite().all()) for tensor in module.state_dict().values()):
        raise ConfigurationError(f"encoder.open_clip: {path} holds weights that are not finite; fetch the file again")


@contextmanager
def _without_the_warning_of_random_weights() -> Iterator[None]:
    def others(record: logging.LogRecord) -> bool:
        return record.funcName != "create_model"

    root = logging.getLogger()
    root.addFilter(others)
    try:
        yield
    finally:
        root.removeFilter(others)
