"""Laundering treats the same pixels alike, whatever file they came from."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from daemon.encoders.launder import QUALITIES, SCALES, launder, plan


def scene(seed: int, height: int = 160, width: int = 240) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (4, 4, 0))
    return np.asarray(np.clip(128 + 50 * smooth / smooth.std(), 0, 255).astype(np.uint8))


def test_the_same_pixels_launder_alike_whatever_file_they_come_from() -> None:
    picture = scene(1)
    target = io.BytesIO()
    exif = Image.Exif()
    exif[0x0110] = "a camera model"
    Image.fromarray(picture).save(target, format="PNG", exif=exif, dpi=(72, 72))
    with Image.open(target) as again:
        assert np.array_equal(launder(np.asarray(again.convert("RGB"))), launder(picture))
    assert np.array_equal(launder(np.asfortranarray(picture)), launder(picture))


def test_one_changed_pixel_draws_anew() -> None:
    picture = scene(2)
    changed = picture.copy()
    changed[0, 0, 0] ^= 1
    assert plan(changed) != plan(picture)


def test_equal_bytes_in_another_shape_draw_anew() -> None:
    flat = np.full((128, 256, 3), 9, np.uint8)
    turned = flat.reshape(256, 128, 3)
    assert plan(flat)[0][0] / 128 != plan(turned)[0][0] / 256


def test_scales_and_qualities_fill_their_ranges() -> None:
    plans = [plan(np.full((400, 400, 3), (a, b, 7), np.uint8)) for a in range(20) for b in range(10)]
    scales = np.array([height / 400 for (height, _), _ in plans])
    qualities = np.array([quality for _, quality in plans])
    assert SCALES[0] - 0.002 <= scales.min() < 0.63
    assert 0.97 < scales.max() <= SCALES[1]
    assert abs(scales.mean() - 0.8) < 0.03
    assert set(QUALITIES) <= set(qualities.tolist())
    assert qualities.min() == 70
    assert qualities.max() == 95


def test_the_result_has_the_planned_size_and_keeps_the_aspect() -> None:
    picture = scene(3)
    (height, width), _ = plan(picture)
    result = launder(picture)
    assert result.shape == (height, width, 3)
    assert result.dtype == np.uint8
    assert abs(width / height - 1.5) < 0.02


@pytest.mark.parametrize("shape", [(64, 64), (70, 500), (500, 66), (90, 90)])
def test_no_side_falls_under_64_pixels(shape: tuple[int, int]) -> None:
    for seed in range(5):
        (height, width), _ = plan(scene(seed, *shape))
        assert min(height, width) >= 64
        assert height <= shape[0]
        assert width <= shape[1]


def test_a_picture_that_is_small_already_is_compressed_but_not_scaled() -> None:
    picture = scene(4, 50, 200)
    assert launder(picture).shape == picture.shape
    assert not np.array_equal(launder(picture), picture)


def test_laundering_keeps_the_scene_and_changes_the_pixels() -> None:
    picture = scene(5)
    result = launder(picture)
    resized = np.asarray(Image.fromarray(result).resize((240, 160)))
    difference = np.abs(resized.astype(int) - picture.astype(int)).mean()
    assert 0.1 < difference < 8
