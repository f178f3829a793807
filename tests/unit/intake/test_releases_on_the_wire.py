"""Releases and material between the service and the process of an adapter."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from daemon.children.frames import BadFrame, Frame
from daemon.intake.wire import from_frame, material_from_json, material_to_json, to_frame
from daemon.model import Batch, Material, Prompt, Release

RELEASE = Release("lab/Flux", "1" * 40, "flux", "2030-01-02", None, "mit")


def sent(batch: Batch) -> Batch:
    header, parts = to_frame(batch, 1000)
    return from_frame(Frame(json.loads(json.dumps(header)), tuple(parts)))


def test_releases_arrive_as_they_were_sent() -> None:
    batch = Batch((), "7", (RELEASE, replace(RELEASE, model="lab/Sun", family="sun", kind="diffusion")))
    assert sent(batch) == batch


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"family": "Flux 1"}, "lower snake case"),
        ({"family": "real"}, "reserved"),
        ({"released": "2030-13"}, "is not YYYY"),
        ({"model": ""}, "model of a release"),
        ({"revision": None}, "revision of a release"),
        ({"model": "a\0b"}, "model of a release"),
        ({"licence": 3}, "licence of a release"),
    ],
)
def test_a_malformed_release_is_the_adapter_s_fault(said: dict[str, Any], why: str) -> None:
    with pytest.raises(BadFrame, match=why):
        sent(Batch((), "7", (replace(RELEASE, **said),)))


def test_what_is_no_release_is_refused() -> None:
    with pytest.raises(BadFrame, match="releases that are no Release"):
        sent(Batch((), "7", ({"model": "x"},)))  # type: ignore[arg-type]


def test_material_arrives_as_it_was_given() -> None:
    material = Material((RELEASE,), (Prompt("a cat", "g"), Prompt("a dog")))
    assert material_from_json(json.loads(json.dumps(material_to_json(material)))) == material
