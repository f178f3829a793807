"""Releases: how a newly released generator becomes a family."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from daemon.model import Release
from daemon.slug import LONGEST, is_slug, suggest


def family_for(release: Release, taken: Mapping[str, str]) -> str:
    """Return the family's name: the proposed one, or with the owner in front when another model has it.

    taken: family -> the model that it was registered for.

    >>> family_for(Release("b/flux", "1", "flux", "2030"), {"flux": "a/flux"})
    'b_flux'
    >>> family_for(Release("a/flux", "2", "flux", "2030"), {"flux": "a/flux"})
    'flux'
    """
    owner = suggest(release.model.rpartition("/")[0])
    mark = hashlib.sha256(release.model.encode("utf-8")).hexdigest()[:8]
    for name in (release.family, suggest(f"{owner}_{release.family}"), f"{release.family[: LONGEST - 9]}_{mark}"):
        if is_slug(name) and taken.get(name, release.model) == release.model:
            return name
    raise AssertionError(f"two models have the mark {mark}")  # 32 bits and the same name
