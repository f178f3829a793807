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


def space_of(context: Context, fingerprint: str, layout: Layout) -> ConceptSpace | None:
    """The configured vocabulary in the space of an encoder; None when that knows no texts."""
    if layout.pooled is None:
        return None
    settings = context.settings
    vocabulary = load_vocabulary(settings.explain.vocabulary)
    return concept_space(vocabulary, settings.encoder, fingerprint, layout.pooled, context.derived)


def trainable_concepts(context: Context, dimension: int) -> Concepts:
    """The configured vocabulary as a concept model on vectors of `dimension` features learns it.

    Raises ConfigurationError when the encoder knows no texts, and as `space_of`.
    """
    space = space_of(context, context.encoder.fingerprint, layout_of(context.settings.encoder, dimension))
    if space is None:
        raise ConfigurationError(
            f"encoder.name: {context.settings.encoder.name} knows no texts, so there are no concepts to learn; "
            "the concept model needs open_clip, alone or fused"
        )
    projection = np.zeros((dimension, space.projection.shape[1]))
    projection[space.columns] = space.projection
    return Concepts(tuple(concept.name for concept in space.concepts), space.directions, projection)
