"""The forensic encoder reads pixels, nothing else, and says the same of the same pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from scipy import ndimage

from daemon.encoders.forensic import ForensicEncoder
from daemon.encoders.forensic.encoder import GROUPS, windows
from daemon.encoders.forensic.window import Window
from daemon.errors import ImageRejected

ENCODER = ForensicEncoder()
Picture = NDArray[np.uint8]


def textured(seed: int, height: int = 128, width: int = 128) -> Picture:
    """Smooth coloured noise with a little grain, as uint8 (height, width, 3)."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (3, 3, 0))
    return np.asarray(np.clip(128 + 40 * smooth / smooth.std() + 2 * noise, 0, 255).astype(np.uint8))


def decoded(encoded: bytes) -> Picture:
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("RGB"))


def saved(picture: Picture, **options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(picture).save(target, **options)
    return target.getvalue()


def test_groups_tile_the_vector_and_give_the_sizes_they_declare() -> None:
    stops = [0, *(columns.stop for _, columns in ENCODER.feature_groups)]
    assert [columns.start for _, columns in ENCODER.feature_groups] == stops[:-1]
    assert stops[-1] == ENCODER.dimension
    assert len({name for name, _ in ENCODER.feature_groups}) == len(GROUPS)
    window = Window(textured(1))
    assert [len(group.function(window)) for group in GROUPS] == [group.size for group in GROUPS]


def test_every_group_names_its_literature() -> None:
    assert all("Source:" in (group.function.__doc__ or "") for group in GROUPS)


def test_every_group_is_described_in_a_line_of_its_own() -> None:
    described = ENCODER.describe()
    assert list(described) == [name for name, _ in ENCODER.feature_groups]
    assert len(set(described.values())) == len(described)
    assert all(10 < len(line) < 90 and "\n" not in line for line in described.values())


def test_the_size_in_a_groups_docstring_is_its_size() -> None:
    assert all(f"({group.size})" in (group.function.__doc__ or "").split("\n")[0] for group in GROUPS)


def test_the_fingerprint_is_a_sha256_shared_by_all_instances() -> None:
    assert len(ENCODER.fingerprint) == 64
    assert int(ENCODER.fingerprint, 16) >= 0
    assert ForensicEncoder().fingerprint == ENCODER.fingerprint


def test_the_fingerprint_moves_with_the_feature_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.encoders.forensic.encoder.FEATURES_VERSION", 10_000)
    assert ForensicEncoder().fingerprint != ENCODER.fingerprint


def test_the_same_pixels_as_png_or_with_other_metadata_give_bit_equal_vectors() -> None:
    original = decoded(saved(textured(2, 200, 144), format="JPEG", quality=85))
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Software", "another camera")
    exif = Image.Exif()
    exif[0x0110] = "a camera model"
    expected = ENCODER.encode(original)
    variants: list[dict[str, Any]] = [
        {"format": "PNG", "compress_level": 1},
        {"format": "PNG", "pnginfo": notes, "exif": exif, "dpi": (300, 300)},
        {"format": "WEBP", "lossless": True, "exif": exif},
    ]
    for options in variants:
        assert ENCODER.encode(decoded(saved(original, **options))).tobytes() == expected.tobytes()


def test_a_view_at_any_memory_offset_gives_the_bits_of_its_copy() -> None:
    large = textured(3, 150, 171)
    view = large[7:140, 5:160]
    assert ENCODER.encode(view).tobytes() == ENCODER.encode(view.copy()).tobytes()
    assert ENCODER.encode(np.asfortranarray(view)).tobytes() == ENCODER.encode(view).tobytes()


def test_encoding_leaves_the_picture_as_it_was_and_repeats_itself() -> None:
    picture = textured(4)
    before = picture.copy()
    first = ENCODER.encode(picture)
    assert np.array_equal(picture, before)
    assert ENCODER.encode(picture).tobytes() == first.tobytes()


EXTREMES = {
    "black": np.zeros((64, 64, 3), np.uint8),
    "white": np.full((100, 64, 3), 255, np.uint8),
    "one colour": np.tile(np.array([255, 0, 37], np.uint8), (65, 97, 1)),
    "noise": np.random.default_rng(0).integers(0, 256, (128, 131, 3), dtype=np.uint8),
    "checkerboard": np.repeat((np.indices((66, 64)).sum(0) % 2 * 255).astype(np.uint8)[:, :, None], 3, axis=2),
    "stripes": np.repeat(np.tile(np.array([0, 255], np.uint8), (64, 40))[:, :, None], 3, axis=2),
    "one bright pixel": np.pad(np.full((1, 1, 3), 255, np.uint8), ((40, 40), (31, 50), (0, 0))),
    "odd": textured(5, 71, 203),
    "long": textured(6, 64, 700),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_every_vector_is_finite_of_order_one_and_survives_float16(name: str) -> None:
    vector = ENCODER.encode(EXTREMES[name])
    assert vector.dtype == np.float32
    assert vector.shape == (ENCODER.dimension,)
    assert np.isfinite(vector.astype(np.float16)).all()
    assert np.abs(vector).max() < 30


def test_a_picture_with_a_side_under_64_pixels_is_rejected_as_too_small() -> None:
    with pytest.raises(ImageRejected, match="too_small") as caught:
        ENCODER.encode(np.zeros((63, 300, 3), np.uint8))
    assert caught.value.reason == "too_small"


@pytest.mark.parametrize(
    ("shape", "count"),
    [((64, 64), 1), ((512, 512), 1), ((600, 767), 1), ((768, 512), 2), ((1024, 1024), 4), ((3000, 5000), 4)],
)
def test_a_large_picture_is_read_through_at_most_four_windows(shape: tuple[int, int], count: int) -> None:
    found = windows(np.zeros((*shape, 3), np.uint8))
    assert len(found) == count
    assert all(window.shape[:2] == (min(512, shape[0]), min(512, shape[1])) for window in found)


@pytest.mark.parametrize("side", [513, 640, 768, 1000, 1024, 4001])
def test_windows_keep_the_jpeg_grid_in_phase_lie_inside_and_stay_apart(side: int) -> None:
    rows = np.arange(side)
    column = np.zeros((side, 64, 3), np.int64)
    column += rows[:, None, None]
    starts = [int(window[0, 0, 0]) for window in windows(column)]  # type: ignore[arg-type]
    assert all(start % 16 == 0 and start + 512 <= side for start in starts)
    assert len(set(starts)) == len(starts)


def test_a_large_picture_is_the_mean_of_its_windows() -> None:
    picture = textured(7, 768, 200)
    parts = [ENCODER.encode(part) for part in windows(picture)]
    assert len(parts) == 2
    assert np.allclose(ENCODER.encode(picture), np.mean(parts, axis=0), atol=1e-5)


def upsampled(seed: int, how: str) -> Picture:
    """A 64 px scene at 128 px: repeated, interpolated, through zero insertion and a 2x2 filter, or native."""
    if how == "native":
        return textured(seed)
    small = textured(seed, 64, 64).astype(np.float64)
    if how == "nearest":
        large = small.repeat(2, axis=0).repeat(2, axis=1)
    elif how == "bilinear":
        large = ndimage.zoom(small, (2, 2, 1), order=1)
    else:
        large = np.zeros((128, 128, 3))
        large[::2, ::2] = small * 4
        large = ndimage.convolve(large, np.array([[1.2, 0.8], [1.1, 0.9]])[:, :, None] / 4)
    grain = np.random.default_rng(seed + 1000).normal(0, 2, large.shape)
    return np.clip(large + grain, 0, 255).astype(np.uint8)


def test_simple_upsamplings_give_separable_vectors() -> None:
    kinds = ("native", "nearest", "bilinear", "transposed")
    known = {kind: np.array([ENCODER.encode(upsampled(seed, kind)) for seed in range(12)]) for kind in kinds}
    spread = np.concatenate([rows - rows.mean(axis=0) for rows in known.values()]).std(axis=0) + 0.05
    right = 0
    for kind in kinds:
        for seed in range(100, 106):
            vector = ENCODER.encode(upsampled(seed, kind))
            distances = {other: np.abs((vector - rows.mean(axis=0)) / spread).mean() for other, rows in known.items()}
            right += min(distances, key=lambda other: distances[other]) == kind
    assert right == 24


def test_a_two_pixel_grid_shows_in_the_grid_group_at_frequency_one_half() -> None:
    columns = dict(ENCODER.feature_groups)["grids"]
    plain = textured(8)
    gridded = plain.copy()
    gridded[::2, ::2] -= 3
    difference = (ENCODER.encode(gridded) - ENCODER.encode(plain))[columns]
    signed = difference[13:26]  # the signed green residual, after its size; one column per frequency
    mosaic = 10  # (1/2, 1/2)
    assert signed[mosaic] > 3.0
    assert np.abs(np.delete(signed, mosaic)).max() < 1.0


def of_group(picture: Picture, name: str) -> NDArray[np.float32]:
    return ENCODER.encode(picture)[dict(ENCODER.feature_groups)[name]]


def test_textures_stay_when_a_picture_is_turned_or_mirrored() -> None:
    picture = textured(9)
    expected = of_group(picture, "textures")
    for other in (np.rot90(picture), picture[::-1], picture[:, ::-1], picture.transpose(1, 0, 2)):
        assert np.abs(of_group(other, "textures") - expected).max() < 0.02
    assert np.abs(of_group(textured(10), "textures") - expected).max() > 0.1


def test_half_the_contrast_moves_the_level_of_a_coarse_spectrum_and_hardly_its_shape() -> None:
    picture = textured(11, 256, 256)
    weaker = np.rint(64 + picture / 2.0).astype(np.uint8)
    moved = of_group(weaker, "coarse_spectra") - of_group(picture, "coarse_spectra")
    luma = moved[:28]  # level, 12 rings, 9 sectors, 6 spreads of the half-size luminance
    assert abs(luma[0] - np.log(0.25) / 2) < 0.1
    assert np.abs(luma[1:13]).max() < 0.25


def test_scales_see_whether_the_channels_share_their_noise() -> None:
    random = np.random.default_rng(12)
    own = np.clip(128 + random.normal(0, 20, (128, 128, 3)), 0, 255).astype(np.uint8)
    shared = np.repeat(own[:, :, :1], 3, axis=2)
    together = slice(3, 6)  # red with green, blue with green, red with blue at half size
    assert of_group(shared, "scales")[together].min() > 0.95
    assert np.abs(of_group(own, "scales")[together]).max() < 0.15
