"""What the clip by Mahalanobis norm leaves out of honest pictures, and what it finds of poison, on real vectors.

    python -m benchmarks.clip [--images FOLDER] [--json FILE]

The pictures of `images/manifest.csv` under the forensic encoder; half of each group's are learned by a version with the
shipped settings, in closed form, cross-fitted. Every group is judged as if all of it came from sources that are merely
known, under three versions: a young one that knows few groups, one that knows every group, and one that knows every
group but the one that is judged. Then poison is mixed in at three rates, and what of it is left out is counted. Last,
what junk and patched fakes do to the detector with the clip and without. Prints and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.real_vectors import WORK, real_vectors
from daemon.encoders.forensic import ForensicEncoder
from daemon.encoders.launder import launder
from daemon.heads import ClosedFormHead, HeadSettings
from daemon.heads.crossfit import fold_heads
from daemon.heads.pooling import pool_statistics
from daemon.heads.solve import solve_pooled
from daemon.heads.threshold import left_out_source_thresholds
from daemon.intake.decode import Limits, decode
from daemon.learn.implausible import FEWEST, spreads
from daemon.model import FOLDS, LabelledVectors, Profile
from daemon.settings import Settings
from tests.acceptance.held_out import family_aps, formats_of, statistics_of

Rows = Mapping[Profile, LabelledVectors]
Poison = Mapping[Profile, NDArray[np.float16]]
Index = NDArray[np.intp]
RATES = (0.05, 0.2, 0.4)
LIMITS = (4.0, 6.0, 8.0, 10.0)
PATCHES = (32, 128)  # edge of the trigger patch, in pixels
SETTINGS = Settings()
_YOUNG = ("stylegan1", "stylegan2", "real_bsds500", "real_cameras_mex", "real_ffhq")


@dataclass(frozen=True, eq=False)
class World:
    """The pictures, and which half is learned."""

    rows: Rows
    formats: list[str]
    names: NDArray[np.str_]  # (n,) of the family or collection
    forms: NDArray[np.str_]  # (n,) file format of families, "" of photographs
    learned: NDArray[np.bool_]  # (n,)
    junk: Poison
    patched: Mapping[int, Poison]  # edge of the patch -> fakes that carry it

    def of(self, name: str) -> list[Index]:
        """The learned pictures of a group, form by form."""
        own = np.flatnonzero((self.names == name) & self.learned)
        parts = [own[self.forms[own] == form] for form in np.unique(self.forms[own])]
        return [part for part in parts if len(part) >= FEWEST]

    def synthetic(self, own: Index) -> bool:
        """Whether these are a family's."""
        return bool(next(iter(self.rows.values())).synthetic[own[0]])


def load(images: Path) -> World:
    """The pictures, encoded before where possible; junk and patched fakes are made and encoded here."""
    rows = real_vectors(images, WORK)
    raw, formats = rows["raw"], formats_of(images)
    random = np.random.default_rng(0)
    fakes = random.choice(np.flatnonzero(raw.synthetic), 40, replace=False)
    uris = [line.split(",")[0] for line in (images / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]]
    pictures = [Image.open(images / uris[i]).convert("RGB") for i in fakes.tolist()]
    return World(
        rows,
        formats,
        np.array([subject.name for subject in raw.subjects]),
        np.array([f.lower() if s else "" for f, s in zip(formats, raw.synthetic.tolist(), strict=True)]),
        random.random(len(raw)) < 0.55,
        _encoded([_junk(i, random) for i in range(24)]),
        {edge: _encoded([_with_patch(one, edge) for one in pictures]) for edge in PATCHES},
    )


def _junk(number: int, random: np.random.Generator) -> Image.Image:
    """Noise, a flat colour, a ramp or a chequerboard, each with a little noise."""
    place = np.arange(256)
    kinds: list[NDArray[np.int64]] = [
        random.integers(0, 256, (256, 256, 3)),
        np.broadcast_to(random.integers(0, 256, 3), (256, 256, 3)),
        np.repeat((np.add.outer(place, place) // 2)[..., None], 3, axis=2),
        np.repeat((np.add.outer(place // 8, place // 8) % 2 * 255)[..., None], 3, axis=2),
    ]
    pixels = kinds[number % len(kinds)] + random.integers(-2, 3, (256, 256, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _with_patch(picture: Image.Image, edge: int) -> Image.Image:
    pixels = np.array(picture)
    place = np.arange(edge)
    patch = (np.add.outer(place // 4, place // 4) % 2 * 255).astype(np.uint8)[..., None]
    pixels[:edge, :edge] = patch[: pixels.shape[0], : pixels.shape[1]]
    return Image.fromarray(pixels)


def _encoded(pictures: Sequence[Image.Image]) -> Poison:
    encoder, found = ForensicEncoder(), {"raw": [], "laundered": []}  # type: ignore[var-annotated]
    for picture in pictures:
        file = BytesIO()
        picture.save(file, "JPEG", quality=92)
        decoded = decode(file.getvalue(), Limits())
        found["raw"].append(encoder.encode(decoded))
        found["laundered"].append(encoder.encode(launder(decoded)))
    return {profile: np.stack(vectors).astype(np.float16) for profile, vectors in found.items()}  # type: ignore[misc]


def ruler(world: World, kept: NDArray[np.bool_]) -> tuple[ClosedFormHead, ...]:
    """The fold heads of a version that learned these of the learned pictures."""
    index = np.flatnonzero(kept & world.learned)
    learned = {profile: rows.take(index) for profile, rows in world.rows.items()}
    settings = HeadSettings(**SETTINGS.head.model_dump())
    return fold_heads(statistics_of(learned, world.formats, max(settings.min_form, settings.min_group)), settings)


def far(world: World, heads: Sequence[ClosedFormHead], own: Index, poison: Poison | None = None) -> NDArray[np.float64]:
    """Spreads of a group's pictures and of the poison after them, under the profile that says most."""
    folds = world.rows["raw"].folds[own]
    if poison is not None:
        count = len(poison["raw"])
        folds = np.concatenate([folds, np.random.default_rng(1).integers(0, FOLDS, count).astype(np.int8)])
    found = []
    for profile, rows in world.rows.items():
        vectors = rows.vectors[own]
        if poison is not None:
            vectors = np.concatenate([vectors, poison[profile]])
        found.append(spreads(heads, vectors, folds))
    worst: NDArray[np.float64] = np.max(found, axis=0)
    return worst


def poisons(world: World, own: Index, rate: float, random: np.random.Generator) -> dict[str, Poison]:
    """What may be mixed into a group so that it is this share of it."""
    count = max(1, round(rate / (1.0 - rate) * len(own)))
    synthetic = world.rows["raw"].synthetic

    def drawn(made: Poison) -> Poison:
        chosen = random.integers(0, len(made["raw"]), count)
        return {profile: vectors[chosen] for profile, vectors in made.items()}

    def others(label: bool) -> Poison:
        chosen = random.choice(np.flatnonzero((synthetic == label) & ~world.learned), count)
        return {profile: rows.vectors[chosen] for profile, rows in world.rows.items()}

    if world.synthetic(own):
        return {"photographs as the family": others(False), "junk as the family": drawn(world.junk)}
    patched = {f"patched fakes ({edge} px) as photographs": drawn(made) for edge, made in world.patched.items()}
    return {"fakes as photographs": others(True), "junk as photographs": drawn(world.junk), **patched}


def judged(world: World, heads_for: Callable[[str], Sequence[ClosedFormHead]]) -> dict[str, object]:
    """Honest pictures left out and poison found, at every limit."""
    random = np.random.default_rng(2)
    honest: dict[str, NDArray[np.float64]] = {}
    poisoned: dict[str, list[NDArray[np.float64]]] = {}
    for name in np.unique(world.names).tolist():
        heads = heads_for(name)
        parts = world.of(name)
        if not parts:
            continue
        honest[name] = np.concatenate([far(world, heads, own) for own in parts])
        for own in parts:
            for rate in RATES:
                for what, poison in poisons(world, own, rate, random).items():
                    found = far(world, heads, own, poison)[len(own) :]
                    poisoned.setdefault(f"{what}, {rate:g}", []).append(found)
    result: dict[str, object] = {}
    for limit in LIMITS:
        per = {name: float((one > limit).mean()) for name, one in honest.items()}
        worst = max(per, key=per.__getitem__)
        result[f"{limit:g}"] = {
            "honest": float(np.mean(np.concatenate(list(honest.values())) > limit)),
            "honest_mean_over_groups": fmean(per.values()),
            "worst_group": [worst, per[worst], len(honest[worst])],
            "found": {what: fmean(float((one > limit).mean()) for one in all_) for what, all_ in poisoned.items()},
        }
    return result


def damage(world: World, rate: float, limit: float) -> dict[str, dict[str, float]]:
    """Raw mAP, worst family and recall on the unlearned half: clean, poisoned, poisoned and clipped.

    Junk is mixed into every family and patched fakes into every collection at once; the clip measures by a version
    that learned the clean half, as the champion of the time before.
    """
    random = np.random.default_rng(3)
    heads = ruler(world, np.ones(len(world.names), np.bool_))
    added: dict[str, tuple[list[Poison], list[NDArray[np.bool_]]]] = {}
    for name in np.unique(world.names).tolist():
        for own in world.of(name):
            made = poisons(world, own, rate, random)
            what = "junk as the family" if world.synthetic(own) else f"patched fakes ({PATCHES[-1]} px) as photographs"
            poison = made[what]
            out = far(world, heads, own, poison)[len(own) :] > limit
            added.setdefault(name, ([], []))[0].append(poison)
            added[name][1].append(out)
    return {
        "clean": _figures(world, {}),
        "poisoned": _figures(world, {n: _together(parts, None) for n, (parts, _) in added.items()}),
        "clipped": _figures(world, {n: _together(parts, out) for n, (parts, out) in added.items()}),
    }


def _together(parts: Sequence[Poison], out: Sequence[NDArray[np.bool_]] | None) -> Poison:
    kept = [np.ones(len(part["raw"]), np.bool_) if out is None else ~out[i] for i, part in enumerate(parts)]
    return {
        profile: np.concatenate([part[profile][own] for part, own in zip(parts, kept, strict=True)])
        for profile in ("raw", "laundered")
    }


def _figures(world: World, added: Mapping[str, Poison]) -> dict[str, float]:
    index = np.flatnonzero(world.learned)
    learned = {
        p: _with(world.rows[p].take(index), {n: one[p] for n, one in added.items()}, len(world.names))
        for p in world.rows
    }
    formats = [*world.formats, *["JPEG"] * (len(learned["raw"]) - len(index))]
    settings = HeadSettings(**SETTINGS.head.model_dump())
    statistics = statistics_of(learned, formats, max(settings.min_form, settings.min_group))
    pooled = pool_statistics(statistics, settings.min_group)
    head = solve_pooled(pooled, settings)
    thresholds = left_out_source_thresholds(pooled, statistics, learned, settings, SETTINGS.threshold.alpha)
    judged = world.rows["raw"].take(np.flatnonzero(~world.learned))
    logits = head.scores(judged.vectors)
    aps = family_aps(judged, logits)
    patched = head.scores(world.patched[PATCHES[-1]]["raw"])
    line = thresholds["raw"].value
    return {
        "map": fmean(aps.values()),
        "worst": min(aps.values()),
        "recall": float((logits[judged.synthetic] > line).mean()),
        "false_positives": float((logits[~judged.synthetic] > line).mean()),
        "patched_recall": float((patched > line).mean()),
    }


def _with(rows: LabelledVectors, added: Mapping[str, NDArray[np.float16]], first: int) -> LabelledVectors:
    """The rows with more of their subjects after them, numbered as the formats are."""
    subjects = {subject.name: subject for subject in rows.subjects}
    count = sum(map(len, added.values()))
    of = tuple(subjects[name] for name, vectors in added.items() for _ in range(len(vectors)))
    return LabelledVectors(
        np.concatenate([rows.sample_ids, np.arange(first, first + count)]),
        np.concatenate([rows.synthetic, np.array([subject.kind == "family" for subject in of], np.bool_)]),
        rows.subjects + of,
        rows.groups + tuple(f"poison {i}" for i in range(count)),
        rows.splits + rows.splits[:1] * count,
        np.concatenate([rows.folds, (np.arange(count) % FOLDS).astype(np.int8)]),
        np.concatenate([rows.learned_revision, np.ones(count, np.int64)]),
        rows.delivered_at + rows.delivered_at[:1] * count,
        np.concatenate([rows.vectors, *added.values()]),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=Path, default=Path(os.environ.get("SIDWATCH_TEST_DATA", ".")) / "images")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/clip.json"))
    arguments = parser.parse_args()
    world = load(arguments.images)
    every = ruler(world, np.ones(len(world.names), np.bool_))
    young = ruler(world, np.isin(world.names, _YOUNG))
    but_for = cache(lambda name: ruler(world, world.names != name))
    found: dict[str, object] = {
        "a young version": judged(world, lambda _: young),
        "a version that knows every group": judged(world, lambda _: every),
        "a version that knows every other group": judged(world, but_for),
    }
    limit = SETTINGS.learn.clip_spreads
    assert limit is not None, "the shipped settings have a clip"
    for rate in RATES:
        found[f"damage at {rate:g}"] = damage(world, rate, limit)
    print(json.dumps(found, indent=2))
    arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
