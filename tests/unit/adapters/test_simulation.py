"""The simulated world: scenes, cameras, families, files."""

from __future__ import annotations

import io
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from adapters.simulation.calendar import RELEASE_DAYS, Plan, calendar, scene_key
from adapters.simulation.cameras import CAMERAS, camera_of, demosaic, photograph, shrink
from adapters.simulation.files import MARK, QUALITIES, save
from adapters.simulation.generators import FAMILIES, family_of, zero_insert
from adapters.simulation.picture import picture
from adapters.simulation.scenes import SUPERSAMPLING, radii, scene
from adapters.simulation.streams import stream

SEED = 1000
NAMES = [*CAMERAS, *FAMILIES]


def decode(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def tables(content: bytes) -> tuple[object, ...]:
    """What the file says of its own history: format, size, quantisation tables, chroma sampling, comment."""
    file = Image.open(io.BytesIO(content))
    assert file.format == "JPEG"
    layers = file.layer  # type: ignore[attr-defined]
    comment = file.info["comment"]
    return file.size, tuple(map(tuple, file.quantization.values())), tuple(map(tuple, layers)), comment  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_the_same_bytes_every_time(name: str) -> None:
    assert picture(SEED, name, 3, 256) == picture(SEED, name, 3, 256)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_or_index_is_another_picture(name: str) -> None:
    first, second, third = (decode(picture(*which, 128)[0]) for which in ((1, name, 0), (2, name, 0), (1, name, 1)))
    assert np.abs(first.astype(int) - second).mean() > 10
    assert np.abs(first.astype(int) - third).mean() > 10


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_is_256_pixels_and_says_that_it_is_a_simulation(name: str) -> None:
    content, caption = picture(SEED, name, 0, 256)
    pixels = decode(content)
    assert pixels.shape == (256, 256, 3)
    assert 40 < pixels.mean() < 190
    assert pixels.std() > 15
    assert Image.open(io.BytesIO(content)).info["comment"] == MARK
    assert MARK.startswith(b"simulation")
    assert caption.startswith("simulation: ")
    assert name.startswith("sim_")


def test_photographs_and_generated_pictures_have_the_same_file_history() -> None:
    flat = np.zeros((16, 16, 3), np.uint8)
    histories = {
        kind: {tables(save(flat, stream(SEED, "file", name, i))) for name in names for i in range(60)}
        for kind, names in (("real", CAMERAS), ("synthetic", FAMILIES))
    }
    assert histories["real"] == histories["synthetic"]
    assert len(histories["real"]) == 2 * (QUALITIES[1] - QUALITIES[0])


def test_files_of_both_sides_are_written_by_the_same_encoder() -> None:
    kinds = [tables(picture(SEED, name, 0, 64)[0]) for name in ("sim_camera_a", "sim_transposed")]
    assert kinds[0][0] == kinds[1][0]
    assert kinds[0][3] == kinds[1][3]


def test_scenes_have_the_power_spectrum_of_natural_images() -> None:
    side, power = 128, np.zeros((128, 128))
    window = np.hanning(side)[:, None] * np.hanning(side)
    for i in range(12):
        light = shrink(scene(SEED, f"spectrum-{i}", "test", side)[1], SUPERSAMPLING).mean(axis=-1)
        level = np.log(light + 0.01)
        power += np.abs(np.fft.fft2((level - level.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    edges = np.geomspace(0.03, 0.3, 9)
    rings = [(frequency >= low) & (frequency < high) for low, high in pairwise(edges)]
    slope = np.polyfit(
        [np.log(frequency[ring]).mean() for ring in rings], [np.log(power[ring].mean()) for ring in rings], 1
    )[0]
    assert -2.6 < slope < -1.6


def test_leaf_sizes_follow_the_third_power_law() -> None:
    drawn = radii(200_000, 1.0, 100.0, stream(SEED, "radii"))
    assert drawn.min() >= 1.0
    assert drawn.max() <= 100.0
    # P(r > x) is x^-2 far from the largest radius.
    assert (drawn > 2).mean() == pytest.approx(0.25, rel=0.02)
    assert (drawn > 10).mean() == pytest.approx(0.01, rel=0.1)


def test_a_photograph_and_the_picture_of_its_caption_share_the_theme_but_not_the_pixels() -> None:
    theme, light = scene(SEED, "s", "sim_camera_a", 64)
    other_theme, other_light = scene(SEED, "s", "sim_transposed", 64)
    assert theme == other_theme
    assert np.corrcoef(light.ravel(), other_light.ravel())[0, 1] < 0.6


@pytest.mark.parametrize("kind", ["bilinear", "gradient_corrected", "edge_directed"])
@pytest.mark.parametrize("phase", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_demosaicing_restores_a_flat_colour(kind: str, phase: tuple[int, int]) -> None:
    mosaic = np.full((16, 16), 0.3, np.float32)
    rows, columns = np.arange(16)[:, None] + phase[0], np.arange(16)[None, :] + phase[1]
    mosaic[(rows % 2 == 0) & (columns % 2 == 0)] = 0.7
    mosaic[(rows % 2 == 1) & (columns % 2 == 1)] = 0.1
    restored = demosaic(mosaic, phase, kind)  # type: ignore[arg-type]
    assert np.allclose(restored[3:-3, 3:-3], [0.7, 0.3, 0.1], atol=1e-5)


def test_less_light_means_more_noise() -> None:
    camera = camera_of(SEED, "sim_camera_a")

    def noise(level: float) -> float:
        light = np.full((128, 128, 3), level, np.float32)
        spread = [photograph(light, camera, stream(SEED, "noise", i)).std() / level for i in range(4)]
        return float(np.mean(spread))

    assert noise(0.02) > 1.5 * noise(0.3)


def test_uneven_taps_leave_a_checkerboard_and_even_taps_none() -> None:
    flat = np.full((8, 8, 3), 0.5, np.float32)
    assert np.ptp(zero_insert(flat, (0.5, 1.0, 0.5))) == pytest.approx(0.0, abs=1e-6)
    uneven = zero_insert(flat, (0.4, 1.2, 0.4))
    assert uneven[0, 0, 0] == pytest.approx(0.5 * 1.2**2)
    assert uneven[1, 1, 0] == pytest.approx(0.5 * 0.8**2)


def test_worlds_differ_moderately() -> None:
    for name in CAMERAS:
        ratio = camera_of(1, name).lens / camera_of(2, name).lens
        assert ratio != 1.0
        assert 0.5 < ratio < 2.0
    for name in FAMILIES:
        one, two = family_of(1, name), family_of(2, name)
        assert one.pipeline == two.pipeline
        assert one != two


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        picture(SEED, "sim_camera_z", 0, 64)


def test_the_calendar_tells_the_story_in_order() -> None:
    items = calendar(Plan())
    assert 700 <= len(items) <= 900
    assert len({(item.name, item.index) for item in items}) == len(items)
    assert [item.offset for item in items] == sorted(item.offset for item in items)
    first = {name: min(item.offset for item in items if item.name == name) for name in NAMES}
    for name in CAMERAS:
        assert first[name] == timedelta(0)
    for family, day in RELEASE_DAYS.items():
        assert first[family] == timedelta(days=max(day, 0))
    assert max(item.offset for item in items) < timedelta(days=Plan().days + 1)


def test_a_scene_is_met_by_at_most_one_camera_and_one_family() -> None:
    met: dict[str, list[str]] = {}
    for item in calendar(Plan()):
        met.setdefault(scene_key(item.name, item.index), []).append(item.name)
    for names in met.values():
        assert len([name for name in names if name in CAMERAS]) <= 1
        assert len([name for name in names if name in FAMILIES]) <= 1
    assert any(len(names) == 2 for names in met.values())
