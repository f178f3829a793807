"""The space of concepts: the projection of stored vectors and the embeddings of texts, of one model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from daemon.encoders.open_clip import OpenClipEncoder
from daemon.encoders.projection import load_projection
from daemon.encoders.texts import encode_texts
from daemon.errors import ConfigurationError, WeightsMissing
from tests.unit.encoders.clip import EMBEDDED, WIDTH, pictures, random_model, settings


@pytest.mark.parametrize("file", ["one.safetensors", "one.pt"])
def test_the_stored_vector_times_the_projection_is_the_models_own_embedding(folder: Path, file: str) -> None:
    encoder = OpenClipEncoder(settings(folder, file=file))
    projection = load_projection(settings(folder, file=file))
    assert (projection.shape, projection.dtype) == ((WIDTH, EMBEDDED), np.float32)
    model = random_model(folder / "quick")
    prepared = np.stack([encoder.prepare(one) for one in pictures()])
    with torch.inference_mode():
        expected = model.encode_image(torch.from_numpy(prepared)).numpy()
    assert np.abs(encoder.encode_prepared(list(prepared)) @ projection - expected).max() <= 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_file_of_half_precision_gives_the_same_numbers_in_float32(
    folder: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    state = {name: value.to(dtype) for name, value in random_model(folder / "quick").state_dict().items()}
    save_file(state, tmp_path / "half.safetensors")
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "half.pt")
    for file in ("half.safetensors", "half.pt"):
        found = load_projection(settings(folder, file=str(tmp_path / file)))
        assert np.array_equal(found, state["visual.proj"].float().numpy())


def test_safetensors_are_read_without_torch_and_without_the_other_tensors(folder: Path) -> None:
    script = """
import sys
from daemon.encoders.projection import load_projection
from daemon.settings import OpenClipSettings
print(load_projection(OpenClipSettings(weights_path=sys.argv[1])).shape, "torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "one.safetensors")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["(64,", "16)", "False"]


def test_weights_without_a_projection_or_a_text_tower_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    state = random_model(folder / "quick").state_dict()
    save_file({name: value for name, value in state.items() if name != "visual.proj"}, tmp_path / "no.safetensors")
    with pytest.raises(ConfigurationError, match=r"no\.safetensors holds no projection \(visual\.proj\)"):
        load_projection(settings(folder, file=str(tmp_path / "no.safetensors")))
    save_file({**state, "visual.proj": torch.full((WIDTH, EMBEDDED), torch.nan)}, tmp_path / "nan.safetensors")
    with pytest.raises(ConfigurationError, match="not finite"):
        load_projection(settings(folder, file=str(tmp_path / "nan.safetensors")))
    save_file({**state, "visual.proj": torch.zeros(WIDTH, 0)}, tmp_path / "none.safetensors")
    with pytest.raises(ConfigurationError, match="holds no projection"):
        load_projection(settings(folder, file=str(tmp_path / "none.safetensors")))
    eight = {**state, "visual.proj": state["visual.proj"].to(torch.float8_e4m3fn)}  # numpy has no such numbers
    save_file(eight, tmp_path / "eight.safetensors")
    with pytest.raises(ConfigurationError, match="cannot be read as weights"):
        load_projection(settings(folder, file=str(tmp_path / "eight.safetensors")))
    (tmp_path / "garbage.safetensors").write_bytes(b"garbage" * 9)
    with pytest.raises(ConfigurationError, match="cannot be read as weights"):
        load_projection(settings(folder, file=str(tmp_path / "garbage.safetensors")))
    with pytest.raises(WeightsMissing, match="three ways out"):
        load_projection(settings(folder, file=str(tmp_path / "absent.safetensors")))
    images = {name: value for name, value in state.items() if name.startswith("visual.")}
    save_file(images, tmp_path / "images.safetensors")
    with pytest.raises(ConfigurationError, match="holds no text tower"):
        encode_texts(settings(folder, file=str(tmp_path / "images.safetensors")), ["a"])


def test_texts_are_embedded_as_the_model_itself_embeds_them(folder: Path) -> None:
    texts = [f"a photo of {number}" for number in range(70)]
    found = encode_texts(settings(folder), texts)
    assert (found.shape, found.dtype) == ((70, EMBEDDED), np.float32)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-6
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(f"local-dir:{folder / 'quick'}")(texts)
        expected = random_model(folder / "quick").encode_text(tokens).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(found - expected).max() < 1e-6
    assert np.ptp(found, axis=0).max() > 1e-3
    assert encode_texts(settings(folder), []).shape == (0, EMBEDDED)


def test_the_vocabulary_of_clip_comes_with_the_library_and_another_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="a tokenizer that does not come with open_clip"):
        encode_texts(settings(folder).model_copy(update={"model": "ViT-B-16-SigLIP", "activation": "gelu"}), ["a"])
