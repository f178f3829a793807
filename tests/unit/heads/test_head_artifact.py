"""A version's files: the same bytes for the same evidence, and refused when anything is off."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import daemon
from daemon.errors import BadInputError, CorruptArtifact
from daemon.heads.artifact import Anchors, read, version_digest, write
from daemon.heads.learner import fit_version
from daemon.heads.said import check_said
from daemon.heads.settings import HeadSettings
from daemon.heads.tensors import load_tensors, save_tensors
from daemon.model import Dataset, Exclusion

SETTINGS = HeadSettings()


@pytest.fixture
def artifact(world, learn, origin):
    return fit_version(learn(world), world, world, SETTINGS, 0.05, origin)


def resigned(tensors: bytes, manifest: bytes, **changes) -> bytes:
    """The manifest with changes and with all digests made to fit: what a forger would write."""
    body = json.loads(manifest)
    body.pop("manifest_sha256")
    body.update(changes, tensors_sha256=sha256(tensors).hexdigest())

    def canonical(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    return canonical({**body, "manifest_sha256": sha256(canonical(body)).hexdigest()})


def test_a_version_survives_the_round_trip(artifact, world):
    tensors, manifest = write(artifact)
    again = read(tensors, manifest)
    vectors = world["laundered"].vectors
    assert again.head.scores(vectors).tobytes() == artifact.head.scores(vectors).tobytes()
    assert again.head.keys == artifact.head.keys
    for mine, theirs in zip(again.fold_heads, artifact.fold_heads, strict=True):
        assert mine.scores(vectors).tobytes() == theirs.scores(vectors).tobytes()
    assert again.thresholds == artifact.thresholds
    assert again.calibration == artifact.calibration
    assert again.about == json.loads(json.dumps(artifact.about))
    assert write(again) == (tensors, manifest)


def test_equal_evidence_gives_equal_bytes(world, learn, origin, artifact):
    again = fit_version(learn(world), world, world, SETTINGS, 0.05, origin)
    assert write(again) == write(artifact)
    shuffled = dict(reversed(learn(world).items()))
    assert write(fit_version(shuffled, world, world, SETTINGS, 0.05, origin)) == write(artifact)


def test_labels_and_vectors_of_holdout_rows_change_no_byte(world, learn, origin, artifact):
    spoiled = {}
    for profile, rows in world.items():
        unseen = np.array([split in ("holdout", "reference") for split in rows.splits])
        assert unseen.any()
        vectors = rows.vectors.copy()
        vectors[unseen] = 0.0
        spoiled[profile] = replace(rows, vectors=vectors, synthetic=rows.synthetic ^ unseen)
    again = fit_version(learn(world), spoiled, spoiled, SETTINGS, 0.05, origin)
    assert write(again) == write(artifact)


def test_labels_of_learned_rows_do_matter(world, learn, origin, artifact):
    spoiled = {
        profile: replace(rows, synthetic=rows.synthetic ^ np.array([s == "calibration" for s in rows.splits]))
        for profile, rows in world.items()
    }
    again = fit_version(learn(world), spoiled, spoiled, SETTINGS, 0.05, origin)
    assert again.calibration != artifact.calibration


def test_the_manifest_says_where_the_version_comes_from(world, learn, origin):
    statistics = learn(world)
    digests = {key: sha256(group.to_bytes()).hexdigest() for key, group in statistics.items()}
    origin = replace(origin, statistics_digests=digests, parent="v0")
    _, manifest = write(fit_version(statistics, world, world, SETTINGS, 0.05, origin))
    body = json.loads(manifest)
    about = body["about"]
    assert (about["encoder_fingerprint"], about["parent"], about["learner"]) == ("encoder-1", "v0", "update")
    assert about["settings"]["ridge"] == 0.01
    first = about["statistics"]["groups"][0]
    assert (first["kind"], first["name"], first["profile"]) == ("family", "family_0", "laundered")
    assert (first["n"], first["modelled"]) == (24, True)
    assert first["sha256"] in digests.values()
    assert set(body["thresholds"]) == {"raw", "laundered"}
    assert version_digest(manifest) == sha256(manifest).hexdigest()


def test_the_decision_is_a_score_above_the_threshold_of_the_profile(artifact):
    value = artifact.thresholds["raw"].value
    logits = np.array([np.nextafter(value, -np.inf), value, np.nextafter(value, np.inf)])
    assert artifact.synthetic(logits, "raw").tolist() == [False, False, True]


def test_an_infinite_threshold_survives(world_of, learn, origin):
    world = world_of(sources=2, n=20)  # 2 sources x 4 calibration pictures: too few for alpha .05
    artifact = fit_version(learn(world), world, world, SETTINGS, 0.05, origin)
    assert artifact.thresholds["raw"].method == "split_conformal"
    again = read(*write(artifact))
    assert again.thresholds["raw"].value == float("inf")
    assert "too few" in again.thresholds["raw"].note
    assert not again.synthetic(np.array([1e300]), "raw").any()


@pytest.mark.parametrize("sources", [2, 8])  # too few for a threshold, and enough
def test_what_is_written_here_says_what_a_version_must_say(world_of, learn, origin, sources):
    rows = world_of(sources=sources, n=20)
    origin = replace(
        origin,
        dataset=Dataset(40, "d" * 64),
        exclusions=(Exclusion("family", "flux", "a", "raw", 3, "clip", "implausible"),),
    )
    settings = replace(SETTINGS, log_priors=(("family_0", -0.5),))
    _, manifest = write(fit_version(learn(rows), rows, rows, settings, 0.05, origin))
    check_said(manifest)


def test_no_picture_is_kept_among_the_anchors(artifact, world):
    stored = {row.tobytes() for rows in world.values() for row in rows.vectors}
    assert len(artifact.anchors.vectors) == 20  # one for each modelled group
    assert not stored & {row.tobytes() for row in artifact.anchors.vectors}


@pytest.mark.parametrize("file", [0, 1])
def test_any_flipped_bit_is_refused(artifact, file):
    files = [bytearray(part) for part in write(artifact)]
    rng = np.random.default_rng(1)
    for position in rng.integers(0, len(files[file]), 60):
        files[file][position] ^= 1 << int(rng.integers(0, 8))
        with pytest.raises(CorruptArtifact):
            read(bytes(files[0]), bytes(files[1]))
        files = [bytearray(part) for part in write(artifact)]


def test_truncated_files_are_refused(artifact):
    tensors, manifest = write(artifact)
    for cut in (0, 1, 1000):
        with pytest.raises(CorruptArtifact):
            read(tensors[: len(tensors) - cut - 1], manifest)
        with pytest.raises(CorruptArtifact):
            read(tensors, manifest[: len(manifest) - cut - 1])
    with pytest.raises(CorruptArtifact, match="not readable as safetensors"):
        read(tensors[:-1], resigned(tensors[:-1], manifest))


def test_the_tensors_of_another_version_are_refused(artifact, world_of, learn, origin):
    other = world_of(seed=9)
    tensors, _ = write(fit_version(learn(other), other, other, SETTINGS, 0.05, origin))
    _, manifest = write(artifact)
    with pytest.raises(CorruptArtifact, match="not those of the manifest"):
        read(tensors, manifest)
    with pytest.raises(CorruptArtifact, match="altered"):
        read(tensors, manifest.replace(b'"parent":null', b'"parent":"v7"'))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("head.units", lambda a: a * np.nan, "head.units holds a value that is not finite"),
        ("fold2.means", lambda a: a[:-1], "fold2.means is float64"),
        ("head.centre", lambda a: a.astype(np.float32), "head.centre is float32"),
        ("head.units", lambda a: a[:, :0], "no units"),
        ("head.units", lambda a: a[0], "no units"),
        ("head.units", lambda a: a[:, ::-1], "anchors do not score as recorded"),
        ("head.half_norms", lambda a: a + np.linspace(0, 1e-6, len(a)), "anchors do not score as recorded"),
        ("anchors.vectors", lambda a: a[:0], "anchors.vectors is float16"),
        ("stranger", lambda a: a, "not those of a version"),
    ],
)
def test_forged_tensors_with_fitting_digests_are_refused(artifact, name, change, message):
    tensors, manifest = write(artifact)
    arrays = load_tensors(tensors, "test")
    arrays[name] = change(arrays.get(name, np.zeros(1)))
    forged = save_tensors(arrays)
    with pytest.raises(CorruptArtifact, match=message):
        read(forged, resigned(forged, manifest))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "sidwatch-version-0"},
        {"thresholds": {}},
        {"thresholds": {"raw": {"value": "nan"}}},
        {"calibration": {"a": -1.0, "b": 0.0, "method": "platt", "pictures": 3}},
        {"calibration": {"c": 1.0}},
        {"heads": {}},
        {"heads": {"head": {"kind": "unheard_of"}}},
        {"heads": {"head": {"kind": "closed_form", "read_out": "mixture", "tau": 0.25, "groups": [[1], [2]]}}},
        {"about": None},
        {"copies": {"fold0.units": "nowhere"}},
        {"copies": {"fold0.units": "head.units"}},  # there already
        {"copies": {"stranger": "head.units"}},
        {"copies": {"stranger": []}},
        {"copies": ["head.units"]},
    ],
)
def test_forged_manifests_with_fitting_digests_are_refused(artifact, changes):
    tensors, manifest = write(artifact)
    assert read(tensors, resigned(tensors, manifest)).about == json.loads(manifest)["about"]
    with pytest.raises(CorruptArtifact, match=r"^version: "):
        read(tensors, resigned(tensors, manifest, **changes))


def test_a_version_of_the_first_format_reads_as_before(artifact, world):
    tensors, manifest = write(artifact)
    heads = {name: {k: v for k, v in own.items() if k != "kind"} for name, own in json.loads(manifest)["heads"].items()}
    before = read(tensors, resigned(tensors, manifest, format="sidwatch-version-1", heads=heads))
    vectors = world["raw"].vectors
    assert before.head.scores(vectors).tobytes() == artifact.head.scores(vectors).tobytes()
    assert write(before) == (tensors, manifest)


def test_swapping_two_groups_of_the_manifest_is_refused(artifact):
    tensors, manifest = write(artifact)
    heads = json.loads(manifest)["heads"]
    heads["head"]["groups"][0], heads["head"]["groups"][1] = heads["head"]["groups"][1::-1]
    with pytest.raises(CorruptArtifact, match="in order"):
        read(tensors, resigned(tensors, manifest, heads=heads))


def test_a_version_without_anchors_is_refused(artifact):
    empty = Anchors(np.zeros((0, 24), np.float16), np.zeros(0))
    with pytest.raises(CorruptArtifact, match="0 anchors"):
        read(*write(replace(artifact, anchors=empty)))


def test_a_version_needs_reals_for_its_threshold(world, learn, origin):
    with pytest.raises(BadInputError, match="threshold"):
        fit_version(learn(world), {}, world, SETTINGS, 0.05, origin)


def test_a_row_counts_as_learned_only_from_the_revision_that_took_it_in(world, learn, origin):
    def calibrated(revision: int):
        marked = {
            profile: replace(rows, learned_revision=np.full(len(rows), revision, np.int64))
            for profile, rows in world.items()
        }
        return fit_version(learn(world), world, marked, SETTINGS, 0.05, origin).calibration

    assert origin.statistics_revision == 1
    assert calibrated(2) == calibrated(0)  # taken in after these statistics were made
    assert calibrated(1) != calibrated(0)


def test_heads_are_solved_and_scored_without_torch():
    code = "import sys, daemon.heads; sys.exit('torch' in sys.modules)"
    root = Path(daemon.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
