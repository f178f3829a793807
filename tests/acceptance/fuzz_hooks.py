"""What schemathesis cannot know: pictures that can be decoded, and what is in the store. Loaded by it, by name.

SIDWATCH_FUZZED and SIDWATCH_FUZZ_TOKEN are the service's address and a token of all scopes.
"""

from __future__ import annotations

import io
import os
from typing import Any

import httpx
import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image

from daemon.registry.consumer import FILES

HEADERS = {"Authorization": f"Bearer {os.environ['SIDWATCH_FUZZ_TOKEN']}"}


def picture(seed: int, form: str) -> bytes:
    """A small picture that is no other one."""
    written = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (80, 96, 3), np.uint8)).save(written, form)
    return written.getvalue()


def pictures() -> st.SearchStrategy[bytes]:
    """Whole ones, cut ones, and bytes that are none."""
    whole = st.builds(picture, st.integers(0, 7), st.sampled_from(["PNG", "JPEG", "WEBP"]))
    cut = st.builds(lambda content, kept: content[:kept], whole, st.integers(1, 400))
    return st.one_of(whole, cut, st.binary(max_size=200))


def known() -> dict[str, list[Any]]:
    """Path parameter -> values that are in the store, the same in every run."""
    with httpx.Client(base_url=os.environ["SIDWATCH_FUZZED"], headers=HEADERS, trust_env=False, timeout=60) as asked:

        def of(path: str, key: str) -> list[Any]:
            return sorted(one[key] for one in asked.get(path).json())[:5]

        return {
            "/v1/families/": of("/v1/families", "name"),
            "/v1/versions/": of("/v1/versions", "id"),
            "/v1/models/": of("/v1/versions", "id"),
            "/v1/episodes/": of("/v1/episodes", "id"),
            "/v1/quarantine/": of("/v1/quarantine", "sha256"),
        }


KNOWN = known()


schemathesis.openapi.format("binary", pictures())
schemathesis.openapi.media_type("image/*", pictures())


@schemathesis.hook
def before_generate_path_parameters(context: Any, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Half of the time something that is there."""
    path = context.operation.path
    values = next((found for start, found in KNOWN.items() if path.startswith(start) and "{" in path), [])
    if not values:
        return strategy
    name = path.partition("{")[2].partition("}")[0]
    there: dict[str, st.SearchStrategy[Any]] = {name: st.sampled_from(values)}
    if "{name}" in path and name != "name":
        there["name"] = st.sampled_from(FILES)
    return st.one_of(st.fixed_dictionaries(there), strategy)
