"""Published datasets: which of their columns is which of ours, and what their words mean.

`synthclic` follows the published predictions of arXiv 2602.12381 (columns image_id, source, label): a photograph and
its four fakes share an image_id, which is the group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "synthclic": {
        "path": "marco-willi/synthclic",
        "columns": {"group": "image_id", "label": "label", "family": "source", "released": "source"},
        "words": {
            "label": {"0": "real", "1": "synthetic", "fake": "synthetic"},
            "family": {
                "clic2020": "",
                "FLUX.1-dev": "flux_1_dev",
                "FLUX.1-schnell": "flux_1_schnell",
                "SD3-medium": "sd_3_medium",
                "imagen3": "imagen_3",
            },
            "released": {
                "clic2020": "",
                "FLUX.1-dev": "2024-08",
                "FLUX.1-schnell": "2024-08",
                "SD3-medium": "2024-06",
                "imagen3": "2024-08",
            },
        },
    },
}
