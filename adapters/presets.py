"""Published datasets: which of their columns is which of ours, and what their words mean.

The words of `source` are those of the authors' own table of names (reproduction/config/mappings.yaml in their
repository at commit ba3ff65, read on 2026-11-29). CNNSpot files a photograph under the generator that it is paired
with, so that there `source` names no maker of a real picture: its collection is named by the same table, or, where that
says nothing, after the pair. Release months are from general knowledge.

`synthclic` follows the published predictions of arXiv 2602.12381 (columns image_id, source, label): a photograph and
its four fakes share an image_id, which is the group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SYNTHBUSTER_PLUS = {
    "dalle2": ("dalle_2", "2022-04"),
    "dalle3": ("dalle_3", "2023-10"),
    "firefly": ("firefly_1", "2023-03"),
    "glide": ("glide", "2021-12"),
    "midjourney-v5": ("midjourney_v5", "2023-03"),
    "stable-diffusion-1-3": ("sd_1_3", "2022-08"),
    "stable-diffusion-1-4": ("sd_1_4", "2022-08"),
    "stable-diffusion-2": ("sd_2", "2022-11"),
    "stable-diffusion-xl": ("sdxl_base", "2023-07"),
    "FLUX.1-dev": ("flux_1_dev", "2024-08"),
    "FLUX.1-schnell": ("flux_1_schnell", "2024-08"),
    "SD3-medium": ("sd_3_medium", "2024-06"),
    "imagen3": ("imagen_3", "2024-08"),
}
_CNNSPOT = {  # their word: (family, collection of the photographs beside it)
    "progan": ("progan", "cnnspot_lsun"),
    "progran": ("progan", "cnnspot_lsun"),
    "stylegan": ("stylegan1", "cnnspot_lsun"),
    "stylegan2": ("stylegan2", "cnnspot_lsun"),
    "biggan": ("biggan", "cnnspot_imagenet"),
    "cyclegan": ("cyclegan", "cnnspot_cyclegan"),
    "stargan": ("stargan", "cnnspot_celeba"),
    "gaugan": ("gaugan", "cnnspot_coco"),
    "crn": ("crn", "cnnspot_gta"),
    "imle": ("imle", "cnnspot_gta"),
    "seeingdark": ("seeing_dark", "cnnspot_sitd"),
    "san": ("san", "cnnspot_super_resolution"),
    "deepfake": ("deepfake", "cnnspot_faceforensics"),
    "whichfaceisreal": ("whichfaceisreal", "cnnspot_whichfaceisreal"),
    "dalle": ("dalle_mini", "cnnspot_dalle"),
    "glide_100_10": ("glide", "cnnspot_glide"),
    "glide_100_27": ("glide", "cnnspot_glide"),
    "glide_50_27": ("glide", "cnnspot_glide"),
    "guided": ("guided_diffusion", "cnnspot_guided"),
    "ldm_100": ("latent_diffusion", "cnnspot_ldm"),
    "ldm_200": ("latent_diffusion", "cnnspot_ldm"),
    "ldm_200_cfg": ("latent_diffusion", "cnnspot_ldm"),
    "imagenet": ("", "cnnspot_imagenet"),
    "laion": ("", "cnnspot_laion"),
}
_LABELS = {"0": "real", "1": "synthetic", "fake": "synthetic"}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "synthclic": {
        "path": "marco-willi/synthclic",
        "columns": {"group": "image_id", "label": "label", "family": "source", "released": "source"},
        "words": {
            "label": _LABELS,
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
    "synthbuster_plus": {
        "path": "marco-willi/synthbuster-plus",
        "columns": {"group": "image_id", "label": "label", "family": "source", "released": "source"},
        "words": {
            "label": _LABELS,
            "family": {"raise1k": "", **{word: family for word, (family, _) in _SYNTHBUSTER_PLUS.items()}},
            "released": {"raise1k": "", **{word: released for word, (_, released) in _SYNTHBUSTER_PLUS.items()}},
        },
    },
    "cnnspot_small": {
        "path": "marco-willi/cnnspot-small",
        "columns": {"group": "image_id", "label": "label", "family": "source"},
        "words": {
            "label": _LABELS,
            "family": {word: family for word, (family, _) in _CNNSPOT.items()},
            "source": {word: collection for word, (_, collection) in _CNNSPOT.items()},
        },
        "family_of_real": False,
    },
}
