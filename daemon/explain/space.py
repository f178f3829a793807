"""The configured vocabulary in the space of an encoder, where that knows texts."""

from __future__ import annotations

import numpy as np

from daemon.context import Context
from daemon.errors import ConfigurationError
from daemon.explain.concepts import ConceptSpace
from daemon.explain.embedding import concept_space
from daemon.explain.layout import Layout, layout_of
from daemon.explain.vocabulary import load_vocabulary
from daemon.heads.concept_training import Concepts
from daemon.reembed.recorded import settings_of


def space_of(context: Context, fingerprint: str, layout: Layout) -> ConceptSpace | None:
    """The configured vocabulary in the space of an encoder; None when that knows no texts."""
    if layout.pooled is None:
        return None
    vocabulary = load_vocabulary(context.settings.explain.vocabulary)
    return concept_space(vocabulary, settings_of(context, fingerprint), fingerprint, layout.pooled, context.derived)


def trainable_concepts(context: Context, dimension: int) -> Concepts:
    """The configured vocabulary as a concept model on vectors of `dimension` features learns it.

    Raises ConfigurationError when the encoder knows no texts, and as `space_of`.
    """
    fingerprint = context.encoder.fingerprint
    encoder = settings_of(context, fingerprint)
    space = space_of(context, fingerprint, layout_of(encoder, dimension))
    if space is None:
        raise ConfigurationError(
            f"encoder.name: {encoder.name} knows no texts, so there are no concepts to learn; "
            "the concept model needs open_clip, alone or fused"
        )
    projection = np.zeros((dimension, space.projection.shape[1]))
    projection[space.columns] = space.projection
    return Concepts(tuple(concept.name for concept in space.concepts), space.directions, projection)
