"""What a program that scores elsewhere needs of the champion, as JSON with an entity tag."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from daemon.champion import LoadedVersion
from daemon.ports import Registry
from daemon.registry.exporting import script_of

MEDIA_TYPES = {
    "manifest.json": "application/json",
    "tensors.safetensors": "application/octet-stream",
    "score.py": "text/x-python; charset=utf-8",
}
FILES = tuple(MEDIA_TYPES)


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes to be served, and what to call them until they change."""

    content: bytes
    media_type: str

    @property
    def etag(self) -> str:
        """A strong entity tag: the same bytes, the same tag."""
        return f'"{sha256(self.content).hexdigest()}"'


def file_of(loaded: LoadedVersion, registry: Registry, name: str) -> Document:
    """One of FILES. Raises CorruptArtifact when it is not as recorded."""
    if name == "score.py":
        return Document(script_of(loaded.artifact.head), MEDIA_TYPES[name])
    tensors, manifest = registry.artifact(loaded.record.id)
    return Document(manifest if name == "manifest.json" else tensors, MEDIA_TYPES[name])


def champion_document(loaded: LoadedVersion) -> Document:
    """Which version is in force, how to decide by it, and where its files are; equal champions, equal bytes."""
    record, artifact = loaded.record, loaded.artifact
    digests = (record.manifest_sha256, record.tensors_sha256, sha256(script_of(artifact.head)).hexdigest())
    body: dict[str, Any] = {
        "version": record.id,
        "parent": record.parent,
        "learner": record.learner,
        "encoder_fingerprint": record.fingerprint,
        "head": artifact.head.kind,
        "dimension": artifact.head.dimension,
        # JSON has no infinity; nothing is called synthetic then
        "thresholds": {p: None if t.value == float("inf") else t.value for p, t in artifact.thresholds.items()},
        "calibration": {"a": artifact.calibration.a, "b": artifact.calibration.b},
        "families": sorted({subject.name for subject in loaded.known if subject.kind == "family"}),
        "real_sources": sorted({subject.name for subject in loaded.known if subject.kind == "source"}),
        "files": [
            {"name": name, "sha256": digest, "href": f"/v1/models/{record.id}/files/{name}"}
            for name, digest in zip(FILES, digests, strict=True)
        ],
    }
    return Document((json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode(), "application/json")
