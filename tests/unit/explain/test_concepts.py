"""Concepts in the space of a small random CLIP: through the real child, kept in a real state directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.encoders.open_clip import OpenClipEncoder
from daemon.encoders.texts import encode_texts
from daemon.errors import ConfigurationError, WeightsMissing
from daemon.explain import embedding
from daemon.explain.concepts import concept_directions
from daemon.explain.embedding import KIND, concept_space
from daemon.explain.vocabulary import Vocabulary, load_vocabulary
from daemon.settings import EncoderSettings
from store.derived import DerivedFiles
from store.layout import Layout
from tests.unit.encoders.clip import EMBEDDED, WIDTH, pictures, random_model, settings

PART = slice(0, WIDTH)


@pytest.fixture
def derived(tmp_path: Path) -> DerivedFiles:
    return DerivedFiles(Layout(tmp_path))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs were embedded, each time that any were; the embeddings themselves are made up."""
    sizes: list[int] = []

    def compute(vocabulary: Vocabulary, encoder: EncoderSettings) -> dict[str, NDArray[np.float32]]:
        sizes.append(len(vocabulary))
        random = np.random.default_rng(len(sizes))
        shapes = {"positive": (len(vocabulary), 3), "negative": (len(vocabulary), 3), "projection": (WIDTH, 3)}
        return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    monkeypatch.setattr(embedding, "_compute", compute)
    return sizes


def few(count: int = 3) -> Vocabulary:
    return Vocabulary(load_vocabulary(None).concepts[:count])


def encoder(folder: Path, **more: object) -> EncoderSettings:
    return EncoderSettings(name="open_clip", open_clip=settings(folder, **more))  # type: ignore[arg-type]


def test_a_direction_is_the_normalised_difference_of_the_two_unit_embeddings() -> None:
    positive, negative = np.eye(3, dtype=np.float32)[:2], np.eye(3, dtype=np.float32)[1:]
    found = concept_directions(positive, negative)
    assert found == pytest.approx(np.array([[1, -1, 0], [0, 1, -1]]) / np.sqrt(2))


def test_poles_that_are_the_same_to_the_text_encoder_have_no_direction() -> None:
    same = np.eye(3, dtype=np.float32)
    with pytest.raises(ConfigurationError, match="both poles of pair 1 are the same"):
        concept_directions(same, same)


def test_published_files_hold_unit_directions_of_768_numbers(test_data: Path) -> None:
    found = torch.load(test_data / "paper" / "cm_antonyms_combined.ckpt", weights_only=True)
    state = found.get("state_dict", found)
    directions = state["model.text_embeddings"]
    assert tuple(directions.shape) == (len(load_vocabulary(test_data / "paper" / "antonyms.csv")), 768)
    assert directions.norm(dim=1).numpy() == pytest.approx(1.0, abs=1e-5)


def test_the_cosine_is_that_of_the_models_own_embeddings(folder: Path, derived: DerivedFiles) -> None:
    space = concept_space(few(), encoder(folder), "f", PART, derived)
    assert space.directions.shape == (3, EMBEDDED)
    pooled = OpenClipEncoder(settings(folder)).encode_batch(pictures())
    model = random_model(folder / "quick")
    prepared = np.stack([OpenClipEncoder(settings(folder)).prepare(one) for one in pictures()])
    with torch.inference_mode():
        images = model.encode_image(torch.from_numpy(prepared), normalize=True).numpy()
    prompts = [c.positive_prompt for c in few().concepts], [c.negative_prompt for c in few().concepts]
    texts = [encode_texts(settings(folder), list(side)) for side in prompts]
    difference = texts[0] - texts[1]
    expected = images @ (difference / np.linalg.norm(difference, axis=1, keepdims=True)).T
    assert np.abs(space.cosines(pooled.astype(np.float64)) - expected).max() <= 1e-5
    linear = pooled.astype(np.float64) @ space.pooled_directions()
    norms = np.linalg.norm(pooled.astype(np.float64) @ space.projection, axis=1, keepdims=True)
    assert np.allclose(linear / norms, space.cosines(pooled.astype(np.float64)))


def test_they_are_computed_once_and_again_for_another_vocabulary_or_encoder(
    folder: Path, derived: DerivedFiles, tmp_path: Path, computed: list[int]
) -> None:
    first = concept_space(few(), encoder(folder), "f", PART, derived)
    again = concept_space(few(), encoder(folder), "f", PART, derived)
    assert computed == [3]
    assert np.array_equal(first.directions, again.directions)
    concept_space(few(2), encoder(folder), "f", PART, derived)
    other = concept_space(few(), encoder(folder), "g", PART, derived)
    assert computed == [3, 2, 3]
    assert not np.allclose(first.directions, other.directions)
    assert len(list((tmp_path / "derived" / KIND).iterdir())) == 3


@pytest.mark.parametrize("damage", ["a bit", "another vocabulary's"])
def test_a_damaged_file_is_computed_again(
    folder: Path, derived: DerivedFiles, tmp_path: Path, computed: list[int], damage: str
) -> None:
    concept_space(few(), encoder(folder), "f", PART, derived)
    (kept,) = (tmp_path / "derived" / KIND).iterdir()
    if damage == "a bit":
        kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    else:
        concept_space(few(2), encoder(folder), "f", PART, derived)
        (other,) = set((tmp_path / "derived" / KIND).iterdir()) - {kept}
        other.replace(kept)
    before = len(computed)
    second = concept_space(few(), encoder(folder), "f", PART, derived)
    assert len(computed) == before + 1
    assert second.directions.shape == (3, 3)


def test_missing_weights_are_said_as_the_encoder_says_them(folder: Path, derived: DerivedFiles) -> None:
    with pytest.raises(WeightsMissing, match="three ways out"):
        concept_space(few(), encoder(folder, file="none.safetensors"), "f", PART, derived)
    assert derived.get(KIND, "x") is None
