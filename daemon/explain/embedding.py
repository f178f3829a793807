"""Text embeddings of a vocabulary: computed once in a child, kept in the state directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.children.child import Child
from daemon.children.frames import Frame
from daemon.children.frames import Limits as FrameLimits
from daemon.children.host import Host
from daemon.encoders.weights import locate_weights
from daemon.errors import ChildFailed, CorruptArtifact
from daemon.explain.concepts import ConceptSpace, concept_directions
from daemon.explain.vocabulary import Vocabulary
from daemon.heads.tensors import load_tensors, save_tensors
from daemon.ports import DerivedFiles
from daemon.settings import EncoderSettings, OpenClipSettings

KIND = "concepts"  # the folder of the derived files
_DEADLINE = 1800.0  # seconds: a few hundred short texts through a text tower, on a slow machine
_NAMES = ("positive", "negative", "projection")


def concept_space(
    vocabulary: Vocabulary, encoder: EncoderSettings, fingerprint: str, columns: slice, derived: DerivedFiles
) -> ConceptSpace:
    """The vocabulary in the space of an encoder with that fingerprint.

    encoder: its section of the configuration; `encoder.open_clip` names the weights. columns: of the stored
    vector that hold CLIP's pooled feature. derived: where embeddings are kept; a changed vocabulary or encoder
    has another key. Raises WeightsMissing, ConfigurationError, ChildFailed.
    """
    key = key_of(vocabulary, fingerprint)
    kept = derived.get(KIND, key)
    arrays = _read(kept, len(vocabulary)) if kept is not None else None
    if arrays is None:
        arrays = _compute(vocabulary, encoder)
        derived.put(KIND, key, save_tensors(arrays))
    directions = concept_directions(arrays["positive"], arrays["negative"])
    return ConceptSpace(vocabulary.concepts, directions, arrays["projection"].astype(np.float64), columns)


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """The child: embed, answer once, end."""
    from daemon.encoders.projection import load_projection
    from daemon.encoders.texts import encode_texts

    settings = OpenClipSettings.model_validate(arguments["settings"])
    projection = load_projection(settings)
    texts: list[str] = arguments["texts"]
    embedded = encode_texts(settings, texts)
    host.send(
        {"embedded": list(embedded.shape), "projection": list(projection.shape)},
        [np.ascontiguousarray(part, "<f4").tobytes() for part in (embedded, projection)],
    )


def key_of(vocabulary: Vocabulary, fingerprint: str) -> str:
    """Under what the embeddings of a vocabulary by an encoder are kept."""
    parts = {"format": 1, "vocabulary": vocabulary.digest, "encoder": fingerprint}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _compute(vocabulary: Vocabulary, encoder: EncoderSettings) -> dict[str, NDArray[np.float32]]:
    locate_weights(encoder.open_clip)  # says in seconds what the child would say after importing torch
    prompts = [c.positive_prompt for c in vocabulary.concepts] + [c.negative_prompt for c in vocabulary.concepts]
    child = Child(
        "concepts",
        {"settings": encoder.open_clip.model_dump(mode="json"), "texts": prompts},
        deadline=_DEADLINE,
        memory_limit=encoder.memory_limit,
        limits=FrameLimits(header=65_536, parts=2, total=256 * 2**20),
    )
    try:
        answer = child.receive()
    finally:
        child.close()
    embedded, projection = _array(answer, 0, "embedded"), _array(answer, 1, "projection")
    if len(embedded) != len(prompts) or embedded.shape[1] != projection.shape[1]:
        raise ChildFailed("the concepts child answered with arrays of the wrong shape")
    half = len(vocabulary)
    return {"positive": embedded[:half], "negative": embedded[half:], "projection": projection}


def _array(answer: Frame, part: int, name: str) -> NDArray[np.float32]:
    shape = answer.header.get(name)
    content = answer.part(part)
    if not isinstance(shape, list) or len(shape) != 2 or any(type(side) is not int or side < 1 for side in shape):
        raise ChildFailed(f"the concepts child sent no shape of {name}")
    if len(content) != 4 * shape[0] * shape[1]:
        raise ChildFailed(f"the concepts child sent {len(content)} bytes of {name} {shape}")
    array = np.frombuffer(content, "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(array).all():
        raise ChildFailed(f"the concepts child sent {name} that is not finite")
    return array


def _read(content: bytes, pairs: int) -> dict[str, NDArray[np.float32]] | None:
    """The kept arrays; None when they are not usable, for they can be computed again."""
    try:
        arrays = load_tensors(content, "kept concepts")
    except CorruptArtifact:
        return None
    if set(arrays) != set(_NAMES) or any(a.dtype != np.float32 or a.ndim != 2 for a in arrays.values()):
        return None
    width = arrays["projection"].shape[1]
    shapes = {arrays["positive"].shape, arrays["negative"].shape}
    return arrays if shapes == {(pairs, width)} and all(np.isfinite(a).all() for a in arrays.values()) else None
