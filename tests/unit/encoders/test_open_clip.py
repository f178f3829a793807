"""open_clip models of a few thousand random weights, saved to files and loaded by the real code."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import open_clip
import pytest
import torch

from daemon.encoders import build
from daemon.encoders import weights as weights_module
from daemon.encoders.open_clip import OpenClipEncoder
from daemon.encoders.weights import _OPENAI, hub_file, locate_weights
from daemon.encoders.weights_file import read_tensors
from daemon.errors import ConfigurationError, WeightsMissing
from daemon.settings import EncoderSettings, OpenClipSettings
from tests.unit.encoders.clip import pictures, settings


def test_the_feature_is_the_pooled_one_before_the_projection(folder: Path) -> None:
    encoder = OpenClipEncoder(settings(folder))
    assert encoder.dimension == 64
    model = open_clip.create_model(f"local-dir:{folder / 'quick'}", load_weights=False)
    open_clip.load_checkpoint(model, str(folder / "one.safetensors"))
    model.eval()
    picture = pictures(1)[0]
    with torch.inference_mode():
        prepared = torch.from_numpy(encoder.prepare(picture))[None]
        projected = model.encode_image(prepared)
        projection = model.visual.proj.clone()
        model.visual.proj = None
        direct = model.visual(prepared)[0].numpy()
    vector = encoder.encode(picture)
    assert vector.dtype == np.float32
    assert np.allclose(vector, direct, atol=1e-6)
    assert np.allclose(vector @ projection.numpy(), projected[0].numpy(), atol=1e-5)
    assert abs(np.linalg.norm(vector) - 1) > 0.1


def test_a_batch_gives_what_single_pictures_give(folder: Path) -> None:
    encoder = OpenClipEncoder(settings(folder, batch_size=2))
    together = encoder.encode_batch(pictures(5))
    assert together.shape == (5, 64)
    assert np.allclose(together, [encoder.encode(one) for one in pictures(5)], atol=1e-5)
    assert encoder.encode_batch([]).shape == (0, 64)


def test_a_pt_file_gives_the_same_vectors_as_safetensors(folder: Path) -> None:
    one, other = (OpenClipEncoder(settings(folder, file=f"one.{kind}")) for kind in ("safetensors", "pt"))
    assert np.array_equal(one.encode_batch(pictures()), other.encode_batch(pictures()))


def test_quick_gelu_and_gelu_differ_and_the_wrong_one_is_refused(folder: Path) -> None:
    quick = OpenClipEncoder(settings(folder))
    plain = OpenClipEncoder(settings(folder, "plain", activation="gelu"))
    assert not np.allclose(quick.encode(pictures()[0]), plain.encode(pictures()[0]), atol=1e-3)
    with pytest.raises(
        ConfigurationError, match=r"computes gelu but encoder\.open_clip\.activation is quick_gelu; name .*-quickgelu"
    ):
        OpenClipEncoder(settings(folder, "plain"))
    with pytest.raises(ConfigurationError, match="computes quick_gelu but"):
        OpenClipEncoder(settings(folder, activation="gelu"))


@pytest.mark.parametrize("pretrained", ["openai", "laion2b_s32b_b82k"])
def test_openais_weights_in_a_local_file_under_the_name_without_quickgelu_are_refused(
    folder: Path, pretrained: str
) -> None:
    # open_clip itself would compute plain GELU with them and say nothing.
    trap = OpenClipSettings(
        model="ViT-L-14-336", pretrained=pretrained, weights_path=folder / "one.safetensors", device="cpu"
    )
    with pytest.raises(ConfigurationError, match=r"ViT-L-14-336 computes gelu .* name ViT-L-14-336-quickgelu"):
        OpenClipEncoder(trap)
    # Stated, plain GELU is taken: only now are the weights looked at.
    stated = trap.model_copy(update={"model": "ViT-B-32", "activation": "gelu"})
    with pytest.raises(ConfigurationError, match=r"one\.safetensors holds no weights for ViT-B-32"):
        OpenClipEncoder(stated)


def test_the_fingerprint_is_that_of_everything_that_decides_a_vector(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = [
        settings(folder),
        settings(folder, file="two.safetensors"),
        settings(folder, "plain", activation="gelu"),
        settings(folder, transform="clip"),
    ]
    fingerprints = [OpenClipEncoder(one).fingerprint for one in variants]
    assert len(set(fingerprints)) == 4
    assert all(len(one) == 64 for one in fingerprints)
    assert OpenClipEncoder(settings(folder, batch_size=3)).fingerprint == fingerprints[0]
    # Another version of torch rounds otherwise at most; the golden picture tells when it does more.
    monkeypatch.setattr(torch, "__version__", "3.1.4")
    assert OpenClipEncoder(settings(folder)).fingerprint == fingerprints[0]


def test_the_papers_transform_is_bilinear_on_the_shortest_edge(folder: Path) -> None:
    from PIL import Image

    encoder = OpenClipEncoder(settings(folder))
    picture = np.random.default_rng(5).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    resized = np.asarray(Image.fromarray(picture).resize((64, 32), Image.Resampling.BILINEAR))[:, 16:48]
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    expected = ((resized / 255 - mean) / std).transpose(2, 0, 1)
    assert np.allclose(encoder.prepare(picture), expected, atol=1e-5)
    bicubic = OpenClipEncoder(settings(folder, transform="clip")).prepare(picture)
    assert np.abs(bicubic - expected).max() > 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual.class_embedding": torch.zeros(63)}, "holds no weights for"),
        ({"visual.positional_embedding": torch.zeros(17, 64)}, "holds no weights for"),  # of another resolution
        ({"visual.class_embedding": None}, 'holds no weights for .* Missing key.s.* "class_embedding"'),
        ({"visual.more": torch.zeros(1)}, "holds no weights for .* Unexpected key"),
        ({"visual.class_embedding": torch.full((64,), torch.nan)}, "weights that are not finite"),
        ({"visual.class_embedding": "text"}, "is no state dict"),
        ({"visual.class_embedding": Path("code")}, "cannot be read as weights: it holds more than tensors"),
        ({"visual.class_embedding": torch.zeros(64, dtype=torch.int64)}, "holds class_embedding as int64; weights are"),
        ({"visual.class_embedding": torch.zeros(64).to(torch.float8_e4m3fn)}, "class_embedding as float8_e4m3fn"),
        ({"visual.class_embedding": torch.empty(64, device="meta")}, "holds no weights for"),
        ({"module.visual.class_embedding": torch.zeros(64)}, "holds a tensor twice, with and without `module.`"),
        ({5: torch.zeros(1), "visual.class_embedding": None}, "holds no weights for .* Missing key"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(
    folder: Path, tmp_path: Path, change: dict[Any, Any], message: str
) -> None:
    state = {**torch.load(folder / "one.pt", weights_only=True), **change}
    file = tmp_path / "changed.pt"
    torch.save({name: value for name, value in state.items() if value is not None}, file)
    with pytest.raises(ConfigurationError, match=message) as caught:
        OpenClipEncoder(settings(folder, file=str(file)))
    assert "changed.pt" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["garbage.pt", "garbage.safetensors"])
@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_a_file_that_holds_no_weights_is_refused_in_one_line(
    folder: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read as weights") as caught:
        OpenClipEncoder(settings(folder, file=str(tmp_path / name)))
    assert "\n" not in str(caught.value)


def test_half_precision_weights_are_converted(folder: Path, tmp_path: Path) -> None:
    state = {name: tensor.half() for name, tensor in torch.load(folder / "one.pt", weights_only=True).items()}
    torch.save(state, tmp_path / "half.pt")
    half = OpenClipEncoder(settings(folder, file=str(tmp_path / "half.pt"))).encode_batch(pictures())
    assert np.allclose(half, OpenClipEncoder(settings(folder)).encode_batch(pictures()), atol=1e-2)


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_damage_anywhere_in_a_header_is_told_in_one_line(folder: Path, tmp_path: Path, kind: str) -> None:
    content = (folder / f"one.{kind}").read_bytes()
    if kind == "pt":
        begin, end = content.index(b"PK\x03\x04"), content.index(b"FB", 64) + 8000  # the pickle is the first entry
    else:
        begin, end = 0, 8 + int.from_bytes(content[:8], "little")
    draw = np.random.default_rng(0)
    refused = 0
    for at in draw.integers(begin, end, 150):
        changed = bytearray(content)
        changed[at] ^= 1 << int(draw.integers(8))
        file = tmp_path / f"damaged.{kind}"
        file.write_bytes(changed)
        try:
            read_tensors(file)
        except ConfigurationError as error:
            assert str(error).isprintable()
            refused += 1
    assert refused > 10


def test_weights_as_training_scripts_save_them_are_taken(folder: Path, tmp_path: Path) -> None:
    state = torch.load(folder / "one.pt", weights_only=True)
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "t.pt"
    )
    wrapped = OpenClipEncoder(settings(folder, file=str(tmp_path / "t.pt")))
    assert np.array_equal(wrapped.encode_batch(pictures()), OpenClipEncoder(settings(folder)).encode_batch(pictures()))


def test_nothing_is_logged_of_random_weights(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    OpenClipEncoder(settings(folder))
    assert "random" not in caplog.text


def test_an_unknown_model_and_an_absent_device_are_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="open_clip has no model 'ViT-Z-1'"):
        OpenClipEncoder(settings(folder).model_copy(update={"model": "ViT-Z-1"}))
    if not torch.cuda.is_available():
        with pytest.raises(ConfigurationError, match="torch finds no cuda here"):
            OpenClipEncoder(settings(folder, device="cuda"))


def test_build_makes_it_by_name(folder: Path) -> None:
    encoder = build("open_clip", EncoderSettings(open_clip=settings(folder)))
    assert encoder.name == "open_clip"
    with pytest.raises(ConfigurationError, match="there is no encoder 'other'"):
        build("other", EncoderSettings())


# --- where the weights are


def test_the_table_of_hub_files_is_that_of_open_clip() -> None:
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
    from open_clip.pretrained import get_pretrained_cfg

    for model, repository in _OPENAI.items():
        for name in (model, f"{model}-quickgelu"):
            assert get_pretrained_cfg(name, "openai")["hf_hub"] == f"{repository}/"
            found = hub_file(OpenClipSettings(model=name))
            assert found is not None
            assert (found.repository, found.names) == (repository, (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME))
    other = hub_file(OpenClipSettings(model="ViT-B-32", pretrained="laion2b_s34b_b79k"))
    assert other is not None
    assert other.repository == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert hub_file(OpenClipSettings(model="ViT-B-32", pretrained="nothing")) is None


def test_a_file_in_the_hub_cache_is_found_without_a_network(folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--timm--vit_large_patch14_clip_336.openai" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("abc")
    file = snapshot / "open_clip_model.safetensors"
    file.write_bytes(b"weights")
    assert locate_weights(OpenClipSettings(cache_dir=tmp_path)) == file


def test_a_cached_file_that_is_not_what_the_hub_promised_is_refused(folder: Path, tmp_path: Path) -> None:
    blob = tmp_path / ("0" * 64)
    blob.write_bytes((folder / "one.safetensors").read_bytes())
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    with pytest.raises(ConfigurationError, match="does not match the sha256 that the hub gave"):
        OpenClipEncoder(settings(folder, file=str(link)))


def test_missing_weights_name_the_three_ways_out_at_once_and_without_torch(tmp_path: Path) -> None:
    script = """
import sys, time
began = time.monotonic()
from pathlib import Path
from daemon.encoders.weights import locate_weights
from daemon.errors import WeightsMissing
from daemon.settings import OpenClipSettings
try:
    locate_weights(OpenClipSettings(cache_dir=Path(sys.argv[1])))
except WeightsMissing as error:
    print(error)
    print("torch" in sys.modules, time.monotonic() - began)
"""
    # No such host and no name server for it: the way of a machine without a network.
    environment = {"PYTHONPATH": ":".join(sys.path), "HF_ENDPOINT": "https://hub.invalid", "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    message, measured = done.stdout.splitlines()
    imported, seconds = measured.split()
    assert "cannot be reached" in message or "did not answer" in message
    assert "encoder.open_clip.weights_path" in message
    assert "hf download timm/vit_large_patch14_clip_336.openai open_clip_model.safetensors" in message
    assert "encoder.name: forensic" in message
    assert imported == "False"
    assert float(seconds) < 10


def test_a_hub_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights_module, "PROBE_SECONDS", 0.3)
    # as a name server that does not answer: no timeout of the client ends this
    monkeypatch.setattr(httpx, "head", lambda *_, **__: time.sleep(5))
    began = time.monotonic()
    with pytest.raises(WeightsMissing, match=r"the hub did not answer within 0\.3 s"):
        locate_weights(OpenClipSettings(cache_dir=tmp_path))
    assert time.monotonic() - began < 2


def test_offline_means_that_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked: list[str] = []
    monkeypatch.setattr(httpx, "head", lambda url, **_: asked.append(url))
    with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE forbids"):
        locate_weights(OpenClipSettings(cache_dir=tmp_path))
    assert asked == []


def test_the_child_encodes_with_it_what_this_process_encodes(folder: Path) -> None:
    import io

    from PIL import Image

    from daemon.encoders.client import EncoderClient
    from daemon.settings import IntakeSettings

    stream = io.BytesIO()
    Image.fromarray(pictures(1)[0]).save(stream, "PNG")
    wanted = EncoderSettings(name="open_clip", open_clip=settings(folder))
    client = EncoderClient(wanted, IntakeSettings(min_side=16))
    try:
        encoder = OpenClipEncoder(settings(folder))
        assert (client.name, client.dimension, client.fingerprint) == ("open_clip", 64, encoder.fingerprint)
        good, bad = client.encode_many([stream.getvalue(), b"GIF89a"], ["raw"])
        assert isinstance(good, dict)
        assert np.allclose(good["raw"], encoder.encode(pictures(1)[0]), atol=1e-5)
        assert not isinstance(bad, dict)
        assert bad.reason == "format_not_allowed"
    finally:
        client.close()
