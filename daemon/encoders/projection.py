"""CLIP's projection: from the stored pooled feature to the space that images share with texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.weights import locate_weights
from daemon.encoders.weights_file import read_array
from daemon.errors import ConfigurationError
from daemon.settings import OpenClipSettings

_NAME = "visual.proj"


def load_projection(settings: OpenClipSettings) -> NDArray[np.float32]:
    """The projection matrix, read from the weights file alone: no model is built.

    settings: `encoder.open_clip`. Returns (d, e) float32, so that `pooled @ projection` is the image embedding
    (768-d for the paper's model), not normalised. Raises WeightsMissing, ConfigurationError when the file has none.

    Source: method.md, section 1 (the concept model works on the projected embedding).
    """
    path = locate_weights(settings)
    projection = read_array(path, _NAME)
    if projection is None or projection.ndim != 2 or not projection.size:
        raise ConfigurationError(
            f"encoder.open_clip: {path} holds no projection ({_NAME}), so concepts cannot be computed; "
            "give the weights of a whole CLIP model"
        )
    if not np.isfinite(projection).all():
        raise ConfigurationError(f"encoder.open_clip: {path} holds weights that are not finite; fetch the file again")
    return projection
