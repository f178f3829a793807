"""One version as two files: tensors as safetensors, everything else as a canonical JSON manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from daemon.errors import CorruptArtifact
from daemon.heads.calibration import Calibration
from daemon.heads.closed_form import ClosedFormHead
from daemon.heads.concept_head import ConceptHead
from daemon.heads.head import Head
from daemon.heads.linear_head import LinearHead
from daemon.heads.tensors import expect, load_tensors, save_tensors
from daemon.heads.threshold import Threshold
from daemon.model import FOLDS, PROFILES, Profile

FORMAT = "sidwatch-version-2"
_BEFORE = "sidwatch-version-1"  # its heads are all `closed_form` and do not say so
Verdict = Literal["real", "synthetic", "outside"]
ANCHORS = 64  # most anchor vectors in an artifact
_KINDS: Mapping[str, type[Head]] = {head.kind: head for head in (ClosedFormHead, LinearHead, ConceptHead)}
_FOLD_NAMES = tuple(f"fold{f}" for f in range(FOLDS))
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
    fold_heads: tuple[Head, ...]  # FOLDS heads, head f solved without fold f; none: nothing here was learned from
    thresholds: Mapping[Profile, Threshold]
    calibration: Calibration
    anchors: Anchors
    about: Mapping[str, Any]  # JSON values: encoder fingerprint, parent, learner, settings, statistics ...

    def synthetic(self, logits: NDArray[np.float64], profile: Profile) -> NDArray[np.bool_]:
        """Which logits are called synthetic at the profile's threshold, bool (n,)."""
        return logits > self.thresholds[profile].value

    def verdict(self, logit: float, profile: Profile, outside: bool | None) -> Verdict:
        """What one picture is called.

        A logit above the threshold is synthetic, even far from every group: the threshold is what the false-positive
        rate is promised for, and a new generator is far from every group too. Below it `real` is only said of what
        resembles something known.
        """
        if logit > self.thresholds[profile].value:
            return "synthetic"
        return "outside" if outside else "real"


def write(artifact: VersionArtifact) -> tuple[bytes, bytes]:
    """The artifact as (safetensors bytes, canonical JSON manifest bytes); equal artifacts, equal bytes.

    The manifest carries the sha256 of the tensors and its own; name the version by `version_digest`.
    """
    tensors: dict[str, NDArray[Any]] = {
        "anchors.vectors": artifact.anchors.vectors,
        "anchors.logits": artifact.anchors.logits,
    }
    heads = _named(artifact)
    for name, head in heads.items():
        tensors.update({f"{name}.{array}": values for array, values in head.to_tensors().items()})
    kept, copies = _once(tensors)
    data = save_tensors(kept)
    body = {
        "format": FORMAT,
        "about": dict(artifact.about),
        "heads": {name: {"kind": head.kind, **head.to_json()} for name, head in heads.items()},
        "thresholds": {profile: _threshold_to_json(t) for profile, t in artifact.thresholds.items()},
        "calibration": asdict(artifact.calibration),
        "tensors_sha256": sha256(data).hexdigest(),
        **({"copies": copies} if copies else {}),
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
    try:
        arrays |= {name: arrays[of] for name, of in _copies(body, arrays).items()}
        heads = _read_heads(body["heads"], arrays, body["format"])
        thresholds = {profile: _threshold_from_json(body["thresholds"][profile]) for profile in body["thresholds"]}
        calibration = Calibration(**body["calibration"])
        artifact = VersionArtifact(
            heads["head"],
            tuple(heads[name] for name in _FOLD_NAMES if name in heads),
            thresholds,
            calibration,
            Anchors(arrays["anchors.vectors"], arrays["anchors.logits"]),
            dict(body["about"]),
        )
        _validate(artifact)
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"version: the manifest is malformed ({error!r})") from error
    return artifact


def _read_manifest(manifest: bytes) -> dict[str, Any]:
    try:
        body = json.loads(manifest)
    except ValueError as error:
        raise CorruptArtifact(f"version: the manifest is not JSON ({error})") from error
    if not isinstance(body, dict) or body.get("format") not in (_BEFORE, FORMAT) or "tensors_sha256" not in body:
        raise CorruptArtifact(f"version: the manifest is not of format {FORMAT}")
    recorded = body.pop("manifest_sha256", None)
    try:
        canonical, whole = _canonical(body), _canonical({**body, "manifest_sha256": recorded})
    except ValueError as error:  # NaN, or half a surrogate pair: Python reads it and can never have written it
        raise CorruptArtifact("version: the manifest has a number or a text that no version has") from error
    if recorded != sha256(canonical).hexdigest():
        raise CorruptArtifact("version: the manifest was altered (sha256 differs)")
    if manifest != whole:
        raise CorruptArtifact("version: the manifest is not in canonical form")
    return body


def _validate(artifact: VersionArtifact) -> None:
    dimension = artifact.head.dimension
    for name, head in _named(artifact).items():
        head.validate(name)
        if head.kind != artifact.head.kind or head.dimension != dimension:
            raise CorruptArtifact(f"version: {name} is not of the same kind and dimension as the head")
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
    expect(anchors.vectors, np.float16, (rows, dimension), "anchors.vectors")
    expect(anchors.logits, np.float64, (rows,), "anchors.logits")
    if not 1 <= rows <= ANCHORS:
        raise CorruptArtifact(f"version: {rows} anchors instead of 1 to {ANCHORS}")
    scores = artifact.head.scores(anchors.vectors)
    if not np.allclose(scores, anchors.logits, rtol=_TOLERANCE, atol=_TOLERANCE):
        worst = float(np.abs(scores - anchors.logits).max())
        raise CorruptArtifact(f"version: the anchors do not score as recorded (off by up to {worst:.3g})")


def _named(artifact: VersionArtifact) -> dict[str, Head]:
    return {"head": artifact.head, **dict(zip(_FOLD_NAMES, artifact.fold_heads, strict=False))}


def _once(tensors: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays without those equal to an earlier one, and which one each of these is a copy of.

    The heads of a concept model share CLIP's projection, which is by far their largest part.
    """
    first: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    kept, copies = {}, {}
    for name in sorted(tensors, key=lambda name: (not name.startswith("head."), name)):  # the head's own come first
        array = tensors[name]
        content = (array.dtype.str, array.shape, sha256(np.ascontiguousarray(array).tobytes()).digest())
        if content in first:
            copies[name] = first[content]
        else:
            first[content] = name
            kept[name] = array
    return kept, copies


def _copies(body: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    copies = body.get("copies", {})
    if not isinstance(copies, dict) or not set(copies.values()) <= set(arrays) or set(copies) & set(arrays):
        raise CorruptArtifact("version: the manifest refers to tensors that are not there, or twice to one that is")
    return copies


def _read_heads(
    values: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, NDArray[Any]], format_: str
) -> dict[str, Head]:
    if set(values) not in ({"head"}, {"head", *_FOLD_NAMES}):
        raise CorruptArtifact(f"version: {len(values) - 1} fold heads instead of none or {FOLDS}")
    heads: dict[str, Head] = {}
    for name, own in values.items():
        kind = "closed_form" if format_ == _BEFORE else own["kind"]
        if kind not in _KINDS:
            raise CorruptArtifact(f"version: {name} is of an unknown kind; a newer sidwatch may have written it")
        tensors = {array[len(name) + 1 :]: data for array, data in arrays.items() if array.startswith(f"{name}.")}
        heads[name] = _KINDS[kind].from_tensors(tensors, own)
    known = {f"{name}.{array}" for name, head in heads.items() for array in head.to_tensors()}
    if set(arrays) != known | {"anchors.vectors", "anchors.logits"}:
        raise CorruptArtifact("version: the tensors are not those of a version")
    return heads


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _threshold_to_json(threshold: Threshold) -> dict[str, Any]:
    # JSON has no infinity
    value = "inf" if threshold.value == np.inf else threshold.value
    return {**asdict(threshold), "left_out": dict(threshold.left_out), "value": value}


def _threshold_from_json(value: Mapping[str, Any]) -> Threshold:
    return Threshold(**{**value, "value": float(value["value"])})
