"""The back-ends diffusers, on a tiny random pipeline, and hf_inference, against a server that speaks its protocol."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from feed_server import Answer, serving
from huggingface_hub import constants
from huggingface_hub.inference._providers import hf_inference as library
from huggingface_hub.utils import _http
from PIL import Image
from services import JSON, SHA, Provider, picture
from test_generate import NOW, PROMPTS, adapter, failing, poll, spent

from adapters.checks import assert_conforms
from adapters.generation.options import GenerateOptions
from daemon.model import Material, Release

KNOWN = "lab/painter"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("\n".join(PROMPTS))
    return path


# --- hf_inference -------------------------------------------------------------------------------------------------


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with serving() as site:
        monkeypatch.setattr(constants, "ENDPOINT", site.url(""))
        monkeypatch.setattr(constants, "INFERENCE_PROXY_TEMPLATE", site.url("/{provider}"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("MINE", "hf_mine")
        helper = library.HFInferenceTask("text-to-image")
        monkeypatch.setattr(
            "huggingface_hub.inference._client.get_provider_helper", lambda provider, task, model: helper
        )
        _http.close_session()
        yield Provider(site, KNOWN)
        _http.close_session()


def remote(prompts: Path, **more: Any) -> GenerateOptions:
    said = {
        "backend": "hf_inference",
        "models": [{"model": KNOWN, "revision": SHA, "family": "painter", "released": "2030-06-01"}],
        "path": str(prompts),
        "per_model": 3,
        "images_per_day": 100,
        "money_per_day": 1,
        "price": "0.01",
        "token_variable": "MINE",
        "first_wait": 0,
        "hf_inference": {"provider": "hf-inference"},
        **more,
    }
    return GenerateOptions.model_validate(said)


def test_a_provider_s_bytes_arrive_as_it_sent_them(provider: Provider, prompts: Path) -> None:
    found, cursor = poll(adapter(remote(prompts, parameters={"num_inference_steps": 4, "width": 512})))
    assert len(found) == 3
    seed = found[0].generation["seed"]
    assert found[0].content == picture(KNOWN, "a cat", seed)
    assert found[0].generation == {
        "model": KNOWN,
        "revision": SHA,
        "backend": "hf_inference",
        "provider": "hf-inference",
        "num_inference_steps": 4,
        "width": 512,
        "seed": seed,
    }
    asked = {"inputs": "a cat", "parameters": {"num_inference_steps": 4, "width": 512, "seed": seed}}
    assert provider.asked[0] == asked
    posted = [headers for path, headers in provider.site.asked if path.startswith("/hf-inference/")]
    assert {name.lower(): value for name, value in posted[0].items()}["authorization"] == "Bearer hf_mine"
    assert spent(cursor) == (3, Decimal("0.03"))


def test_hf_inference_keeps_the_contract(provider: Provider, prompts: Path) -> None:
    assert_conforms(lambda: adapter(remote(prompts)), NOW, bad=0)


def test_a_busy_provider_is_waited_for_within_one_reservation(provider: Provider, prompts: Path) -> None:
    provider.failures = [(429, {"Retry-After": "3", **JSON}, b'{"error": "Rate limit reached"}')]
    waits: list[float] = []
    maker = adapter(remote(prompts, per_model=1))
    maker._sleep = waits.append
    found, cursor = poll(maker)
    assert (len(found), waits, spent(cursor)[0]) == (1, [3.0], 1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, JSON, b'{"error": "Invalid credentials in Authorization header"}'), "401"),
        ((402, JSON, b'{"error": "You have exceeded your monthly included credits"}'), "402"),
        ((403, JSON, b'{"error": "no permission to call Inference Providers"}'), "403"),
    ],
)
def test_a_provider_that_takes_no_order_costs_nothing(
    provider: Provider, prompts: Path, answer: Answer, why: str
) -> None:
    provider.failures = [answer]
    found, cursor = failing(adapter(remote(prompts)), why)
    assert (found, spent(cursor)[0], len(provider.asked)) == ([], 0, 1)


@pytest.mark.parametrize(
    "answer",
    [
        (500, JSON, b'{"error": "CUDA out of memory"}'),
        (503, JSON, b'{"error": "Model is overloaded", "estimated_time": 20.0}'),
        (200, {"Content-Type": "image/png"}, b"no picture"),
    ],
)
def test_a_provider_s_failure_may_have_been_paid(provider: Provider, prompts: Path, answer: Answer) -> None:
    provider.failures = [answer]
    found, cursor = poll(adapter(remote(prompts, per_model=1)))
    assert (len(found), spent(cursor)[0]) == (1, 2)


def test_a_prompt_that_a_provider_refuses_is_counted(provider: Provider, prompts: Path) -> None:
    provider.failures = [(422, JSON, b'{"error": "flagged as unsafe"}')]
    found, _ = poll(adapter(remote(prompts)))
    assert [one.problem for one in found] == ["unreadable", None, None]


def test_a_model_that_no_provider_serves_is_given_up(provider: Provider, prompts: Path) -> None:
    material = Material(releases=(Release("lab/new", SHA, "new", "2030-06-20"),))
    found, cursor = poll(adapter(remote(prompts), material))
    assert [one.problem for one in found] == [None, None, None, "unreadable"]
    assert found[3].problem_detail.startswith(f"lab/new@{SHA} is given up")
    assert spent(cursor)[0] == 3


# --- diffusers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text-to-image pipeline of random weights, 64 pixels, two layers."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("pipeline")
    words = ["a", "c", "t", "a</w>", "t</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text("{" + ", ".join(f'"{word}": {n}' for n, word in enumerate(words)) + "}")
    (folder / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=32,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        block_out_channels=[8, 8],
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D", "DownEncoderBlock2D"],
        up_block_types=["UpDecoderBlock2D", "UpDecoderBlock2D"],
        latent_channels=4,
        norm_num_groups=4,
    )
    text = CLIPTextConfig(
        bos_token_id=5,
        eos_token_id=6,
        pad_token_id=6,
        hidden_size=8,
        intermediate_size=8,
        num_attention_heads=2,
        num_hidden_layers=1,
        vocab_size=len(words),
    )
    made = StableDiffusionPipeline(
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.save_pretrained(folder / "model", safe_serialization=True)
    return folder / "model"


def local(prompts: Path, *models: dict[str, Any], **more: Any) -> GenerateOptions:
    said = {
        "backend": "diffusers",
        "models": models,
        "path": str(prompts),
        "per_model": 2,
        "images_per_day": 100,
        "parameters": {"num_inference_steps": 1, "guidance_scale": 1.0},
        "diffusers": {"device": "cpu"},
        "first_wait": 0,
        **more,
    }
    return GenerateOptions.model_validate(said)


def test_a_local_pipeline_makes_the_same_pictures_again(pipeline: Path, prompts: Path) -> None:
    given = local(prompts, {"model": str(pipeline), "family": "tiny", "released": "2030-01"})
    found, cursor = poll(adapter(given))
    assert [one.problem for one in found] == [None, None]
    assert Image.open(BytesIO(found[0].content or b"")).size == (64, 64)
    assert found[0].content != found[1].content
    made = found[0].generation
    assert (made["model"], made["backend"], made["pipeline"]) == (
        str(pipeline),
        "diffusers",
        "StableDiffusionPipeline",
    )
    assert (made["num_inference_steps"], made["dtype"], made["device"]) == (1, "float32", "cpu")
    assert str(made["revision"]).startswith("folder:")
    assert isinstance(made["seed"], int)
    again, _ = poll(adapter(given))
    digests = [[hashlib.sha256(one.content or b"").hexdigest() for one in some] for some in (found, again)]
    assert digests[0] == digests[1]
    assert spent(cursor) == (2, Decimal(0))


def test_what_cannot_be_loaded_is_given_up_and_the_next_model_made(pipeline: Path, prompts: Path) -> None:
    empty = prompts.parent / "empty"
    empty.mkdir()
    models = [{"model": str(empty), "family": "empty"}, {"model": str(pipeline), "family": "tiny"}]
    found, cursor = poll(adapter(local(prompts, *models, per_model=1)))
    assert [(one.family, one.problem) for one in found] == [(None, "unreadable"), ("tiny", None)]
    assert "is given up: cannot be loaded" in found[0].problem_detail
    assert spent(cursor)[0] == 1


def test_weights_that_are_pickled_are_never_loaded(pipeline: Path, prompts: Path) -> None:
    import shutil

    pickled = prompts.parent / "pickled"
    shutil.copytree(pipeline, pickled)
    for weights in pickled.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    found, _ = poll(adapter(local(prompts, {"model": str(pickled), "family": "pickled"})))
    assert [one.problem for one in found] == ["unreadable"]


def test_a_parameter_that_the_pipeline_does_not_take_is_said(pipeline: Path, prompts: Path) -> None:
    given = local(prompts, {"model": str(pipeline), "family": "tiny"}, parameters={"steps": 1})
    found, _ = poll(adapter(given))
    assert "its StableDiffusionPipeline takes no 'steps'" in found[0].problem_detail


def test_a_release_that_cannot_be_downloaded_now_waits(prompts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    material = Material(releases=(Release("lab/new", SHA, "new", "2030-06-20"),))
    given = local(prompts, attempts=1)
    found, cursor = failing(adapter(given, material), "the Hub cannot be reached")  # the tests are offline
    assert (found, spent(cursor)[0]) == ([], 0)
    assert failing(adapter(given, material), "the Hub cannot be reached", cursor)[0] == []
