"""Import: a published checkpoint becomes a version of this store, with a threshold from the store's own photographs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon import __version__
from daemon.children import Child
from daemon.context import Context
from daemon.encoders.projection import load_projection
from daemon.errors import BadInputError, ChildFailed, WeightsMissing
from daemon.heads import Head, VersionArtifact, write
from daemon.heads.artifact import Anchors
from daemon.heads.checkpoint import check, head_of
from daemon.heads.learner import assemble, threshold_rows
from daemon.heads.tensors import load_tensors
from daemon.heads.threshold import rows_to_place_by, thresholds_without
from daemon.learn.checkpoint_child import MAX_BYTES
from daemon.learn.learning import evidence
from daemon.model import PROFILES, VersionRecord
from daemon.settings import Settings

DEADLINE = 600.0  # seconds to open one file; most of them import torch, on a busy machine for minutes
MEMORY_LIMIT = 2 * 2**30  # bytes
_ANCHORS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A head from a file, and which file."""

    head: Head
    name: str  # of the file, without its folder
    sha256: str  # hex
    model_type: str


def read_head(path: Path, settings: Settings) -> Imported:
    """Open a checkpoint in a child of its own and make a head of it.

    Raises BadInputError (not a file of the published kinds; one line that begins with the path), ChildFailed (opening
    it took too long or too much memory), WeightsMissing (a concept model without CLIP's weights).
    """
    content = _content(path)
    try:
        model_type, tensors = _open(content)
        check(model_type, tensors)
        projection = load_projection(settings.encoder.open_clip) if model_type == "concept" else None
        head = head_of(model_type, tensors, projection)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error
    except ChildFailed as error:
        raise ChildFailed(f"{path}: {error}") from error
    except WeightsMissing as error:
        raise WeightsMissing(
            f"{path} is a concept model, which needs the projection matrix out of CLIP's weights: {error}"
        ) from error
    return Imported(head, path.name, sha256(content).hexdigest(), model_type)


def encoder_of(imported: Imported, context: Context, stated: str | None) -> str:
    """The fingerprint of the encoder that the head belongs to: the stated one, or that of the store; "" when unknown.

    Raises BadInputError when the store's vectors have another length than the head takes.
    """
    lengths = context.samples.dimensions()
    if stated is not None:
        if re.fullmatch(r"[0-9a-f]{64}", stated) is None:
            raise BadInputError(
                "an encoder's fingerprint is 64 digits 0-9a-f; `sidwatch models list --json` shows the store's"
            )
        if lengths.get(stated, imported.head.dimension) != imported.head.dimension:
            raise BadInputError(
                f"{imported.name} takes {imported.head.dimension} features, the vectors of encoder {stated[:12]} "
                f"have {lengths[stated]}"
            )
        return stated
    champion = context.registry.champion()
    fitting = sorted(f for f, length in lengths.items() if length == imported.head.dimension)
    if champion is not None and champion.fingerprint in fitting:
        return champion.fingerprint
    if len(fitting) > 1:
        raise BadInputError(
            f"{len(fitting)} encoders of this store give {imported.head.dimension} features: state one of "
            f"{', '.join(fitting)} with --encoder-fingerprint"
        )
    return fitting[0] if fitting else ""


def add_version(imported: Imported, context: Context, fingerprint: str) -> VersionRecord:
    """Make the head a version, state `challenger`; the same file again is the same version while the store is."""
    artifact = _artifact(imported, context, fingerprint)
    tensors, manifest = write(artifact)
    return context.registry.add_version(
        parent=None,
        fingerprint=fingerprint,
        learner="import",
        statistics_revision=0,  # it has learned nothing of this store
        manifest=manifest,
        tensors=tensors,
        at=context.clock.now(),
    )


def _artifact(imported: Imported, context: Context, fingerprint: str) -> VersionArtifact:
    """Every real source is left out by nature: nothing was learned from any."""
    head, alpha = imported.head, context.settings.threshold.alpha
    rows = {profile: own for profile, own in evidence(context, fingerprint).items() if len(own)}
    placing = rows_to_place_by(threshold_rows(rows), min_rows=context.settings.head.min_group)
    thresholds = thresholds_without(placing, lambda source: head, alpha)
    about = {
        "encoder_fingerprint": fingerprint,
        "parent": None,
        "learner": "import",
        "code_version": __version__,
        "settings": {},
        "source": {"file": imported.name, "sha256": imported.sha256, "model_type": imported.model_type},
    }
    return assemble(head, (), thresholds, PROFILES, rows, 0, alpha, _anchors(head), about)


def _anchors(head: Head) -> Anchors:
    """Arbitrary vectors, the same for every head: there may be no picture yet."""
    vectors = np.random.default_rng(0).normal(size=(_ANCHORS, head.dimension)).astype(np.float16)
    return Anchors(vectors, head.scores(vectors))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # not the size that is stated: a device or a pipe states none
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise BadInputError(f"{path}: it is larger than {MAX_BYTES // 2**20} MiB, hence no head")
    return content


def _open(content: bytes) -> tuple[str, dict[str, NDArray[np.float32]]]:
    child = Child("checkpoint", {}, deadline=DEADLINE, memory_limit=MEMORY_LIMIT)
    try:
        frame = child.request({}, [content])
    finally:
        child.close(grace=0.5)
    return str(frame.header.get("model_type")), load_tensors(frame.part(0), "the checkpoint's tensors")
