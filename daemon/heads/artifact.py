"""One version as two files: tensors as safetensors, everything else as a canonical JSON manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.errors import CorruptArtifact
from daemon.heads.calibration import Calibration
from daemon.heads.head import Head
from daemon.heads.statistics import GroupKey
from daemon.heads.tensors import load_tensors, save_tensors
from daemon.heads.threshold import Threshold
from daemon.model import FOLDS, PROFILES, Profile, Subject

FORMAT = "sidwatch-version-1"
ANCHORS = 64  # most anchor vectors in an artifact
_ARRAYS = ("centre", "inverse_scale", "units", "means", "half_norms", "log_weights")
_TOLERANCE = 1e-9  # anchors must score as recorded up to this, absolute and relative


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Vectors with the logits the head gave them when it was solved, to be scored again on every load."""

    vectors: NDArray[np.float16]  # (m, d), 1 <= m <= ANCHORS
    logits: NDArray[np.float64]  # (m,)


@dataclass(frozen=True, slots=True, eq=False)
class VersionArtifact:
    """One immutable version: how it scores, decides and explains itself."""

    head: Head
    fold_heads: tuple[Head, ...]  # FOLDS heads, head f solved without fold f
    thresholds: Mapping[Profile, Threshold]
    calibration: Calibration
    anchors: Anchors
    about: Mapping[str, Any]  # JSON values: encoder fingerprint, parent, learner, settings, statistics ...

    def synthetic(self, logits: NDArray[np.float64], profile: Profile) -> NDArray[np.bool_]:
        """Which logits are called synthetic at the profile's threshold, bool (n,)."""
        return logits > self.thresholds[profile].value


def write(artifact: VersionArtifact) -> tuple[bytes, bytes]:
    """The artifact as (safetensors bytes, canonical JSON manifest bytes); equal artifacts, equal bytes.

    The manifest carries the sha256 of the tensors and its own; name the version by `version_digest`.
    """
    tensors: dict[str, NDArray[Any]] = {
        "anchors.vectors": artifact.anchors.vectors,
        "anchors.logits": artifact.anchors.logits,
    }
    heads = {"head": artifact.head, **{f"fold{f}": head for f, head in enumerate(artifact.fold_heads)}}
    for name, head in heads.items():
        tensors.update({f"{name}.{array}": getattr(head, array) for array in _ARRAYS})
    data = save_tensors(tensors)
    body = {
        "format": FORMAT,
        "about": dict(artifact.about),
        "heads": {name: _head_to_json(head) for name, head in heads.items()},
        "thresholds": {profile: _threshold_to_json(t) for profile, t in artifact.thresholds.items()},
        "calibration": asdict(artifact.calibration),
        "tensors_sha256": sha256(data).hexdigest(),
    }
    return data, _canonical({**body, "manifest_sha256": sha256(_canonical(body)).hexdigest()})


def version_digest(manifest: bytes) -> str:
    """The sha256 (hex) by which a registry knows a version: it covers the manifest, hence the tensors."""
    return sha256(manifest).hexdigest()


def read(tensors: bytes, manifest: bytes) -> VersionArtifact:
    """Read what `write` wrote, checking everything before anything is used.

    Raises:
        CorruptArtifact: a digest, key, dtype, shape or value is wrong, or an anchor vector does not score as
            recorded.
    """
    body = _read_manifest(manifest)
    if sha256(tensors).hexdigest() != body["tensors_sha256"]:
        raise CorruptArtifact("version: the tensors are not those of the manifest (sha256 differs)")
    arrays = load_tensors(tensors, "version")
    names = ("head", *(f"fold{f}" for f in range(FOLDS)))
    expected = {f"{name}.{array}" for name in names for array in _ARRAYS} | {
        "anchors.vectors",
        "anchors.logits",
    }
    if set(arrays) != expected:
        raise CorruptArtifact("version: the tensors are not those of a version")
    try:
        heads = {name: _head_from_json(body["heads"][name], arrays, name) for name in names}
        thresholds = {profile: _threshold_from_json(body["thresholds"][profile]) for profile in body["thresholds"]}
        calibration = Calibration(**body["calibration"])
        artifact = VersionArtifact(
            heads["head"],
            tuple(heads[name] for name in names[1:]),
            thresholds,
            calibration,
            Anchors(arrays["anchors.vectors"], arrays["anchors.logits"]),
            dict(body["about"]),
        )
        _validate(artifact)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"version: the manifest is malformed ({error!r})") from error
    return artifact


def _read_manifest(manifest: bytes) -> dict[str, Any]:
    try:
        body = json.loads(manifest)
    except ValueError as error:
        raise CorruptArtifact(f"version: the manifest is not JSON ({error})") from error
    if not isinstance(body, dict) or body.get("format") != FORMAT or "tensors_sha256" not in body:
        raise CorruptArtifact(f"version: the manifest is not of format {FORMAT}")
    recorded = body.pop("manifest_sha256", None)
    canonical = _canonical(body)
    if recorded != sha256(canonical).hexdigest():
        raise CorruptArtifact("version: the manifest was altered (sha256 differs)")
    if manifest != _canonical({**body, "manifest_sha256": recorded}):
        raise CorruptArtifact("version: the manifest is not in canonical form")
    return body


def _validate(artifact: VersionArtifact) -> None:
    heads = {"head": artifact.head, **{f"fold{f}": head for f, head in enumerate(artifact.fold_heads)}}
    dimension = artifact.head.dimension
    for name, head in heads.items():
        _validate_head(head, name, dimension)
    if not artifact.thresholds or not set(artifact.thresholds) <= set(PROFILES):
        raise CorruptArtifact("version: there is no threshold, or one for an unknown profile")
    for profile, threshold in artifact.thresholds.items():
        if np.isnan(threshold.value) or threshold.value == -np.inf or not 0.0 < threshold.alpha < 1.0:
            raise CorruptArtifact(f"version: the {profile} threshold {threshold.value} is not usable")
    calibration = artifact.calibration
    if not (np.isfinite([calibration.a, calibration.b]).all() and calibration.a > 0.0):
        raise CorruptArtifact("version: the calibration is not an increasing sigmoid")
    anchors = artifact.anchors
    rows = len(anchors.logits) if anchors.logits.ndim == 1 else 0
    _expect(anchors.vectors, np.float16, (rows, dimension), "anchors.vectors")
    _expect(anchors.logits, np.float64, (rows,), "anchors.logits")
    if not 1 <= rows <= ANCHORS:
        raise CorruptArtifact(f"version: {rows} anchors instead of 1 to {ANCHORS}")
    scores = artifact.head.scores(anchors.vectors)
    if not np.allclose(scores, anchors.logits, rtol=_TOLERANCE, atol=_TOLERANCE):
        worst = float(np.abs(scores - anchors.logits).max())
        raise CorruptArtifact(f"version: the anchors do not score as recorded (off by up to {worst:.3g})")


def _validate_head(head: Head, name: str, dimension: int) -> None:
    groups = len(head.keys)
    units = head.units.shape[1] if head.units.ndim == 2 else 0
    if units < 1 or dimension < 1:
        raise CorruptArtifact(f"version: {name} has no units")
    shapes = {
        "centre": (dimension,),
        "inverse_scale": (dimension,),
        "units": (dimension, units),
        "means": (groups, units),
        "half_norms": (groups,),
        "log_weights": (groups,),
    }
    for array, shape in shapes.items():
        _expect(getattr(head, array), np.float64, shape, f"{name}.{array}")
    if head.read_out not in ("mixture", "linear") or not 0.0 < head.tau < np.inf:
        raise CorruptArtifact(f"version: {name} has an unknown read-out")
    kinds = {key.subject.kind for key in head.keys}
    if kinds != {"family", "source"} or tuple(sorted(set(head.keys))) != head.keys:
        raise CorruptArtifact(f"version: {name} does not list families and real sources in order")
    if not {key.profile for key in head.keys} <= set(PROFILES):
        raise CorruptArtifact(f"version: {name} has a group of an unknown profile")


def _expect(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...], name: str) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise CorruptArtifact(f"version: {name} is {array.dtype} {array.shape}, not {dtype.__name__} {shape}")
    if not np.isfinite(array).all():
        raise CorruptArtifact(f"version: {name} holds a value that is not finite")


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _head_to_json(head: Head) -> dict[str, Any]:
    groups = [[key.subject.kind, key.subject.name, key.profile] for key in head.keys]
    return {"read_out": head.read_out, "tau": head.tau, "groups": groups}


def _head_from_json(value: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], name: str) -> Head:
    return Head(
        read_out=value["read_out"],
        tau=float(value["tau"]),
        keys=tuple(GroupKey(Subject(kind, subject), profile) for kind, subject, profile in value["groups"]),
        **{array: arrays[f"{name}.{array}"] for array in _ARRAYS},
    )


def _threshold_to_json(threshold: Threshold) -> dict[str, Any]:
    # JSON has no infinity
    value = "inf" if threshold.value == np.inf else threshold.value
    return {**asdict(threshold), "left_out": dict(threshold.left_out), "value": value}


def _threshold_from_json(value: Mapping[str, Any]) -> Threshold:
    return Threshold(**{**value, "value": float(value["value"])})
