from __future__ import annotations

import pytest

from daemon.encoders.forensic import ForensicEncoder
from daemon.errors import ConfigurationError
from daemon.explain.layout import layout_of
from daemon.settings import EncoderSettings

FORENSIC = ForensicEncoder()


def encoder(name: str, **more: object) -> EncoderSettings:
    return EncoderSettings.model_validate({"name": name, **more})


def test_the_forensic_encoder_has_its_groups_in_words() -> None:
    layout = layout_of(encoder("forensic"), FORENSIC.dimension)
    assert [(group.name, group.columns) for group in layout.groups] == list(FORENSIC.feature_groups)
    assert layout.pooled is None
    assert all(group.label for group in layout.groups)


def test_clip_has_no_groups_and_vectors_from_elsewhere_have_one() -> None:
    assert layout_of(encoder("open_clip"), 1024).pooled == slice(0, 1024)
    assert layout_of(encoder("open_clip"), 1024).groups == ()
    outside = layout_of(encoder("external", external={"fingerprint": "x", "dimension": 8}), 8)
    assert [(group.name, group.columns) for group in outside.groups] == [("vector", slice(0, 8))]


@pytest.mark.parametrize("order", [("open_clip", "forensic"), ("forensic", "open_clip")])
def test_a_fused_encoder_has_both_and_every_column_once(order: tuple[str, str]) -> None:
    dimension = 1024 + FORENSIC.dimension
    layout = layout_of(encoder("fused", fused={"encoders": order}), dimension)
    assert layout.pooled is not None
    columns = [
        *range(dimension)[layout.pooled],
        *(i for group in layout.groups for i in range(dimension)[group.columns]),
    ]
    assert sorted(columns) == list(range(dimension))
    assert layout.pooled.stop - layout.pooled.start == 1024


@pytest.mark.parametrize(("name", "dimension"), [("forensic", 8), ("fused", FORENSIC.dimension), ("fused", 3)])
def test_vectors_of_another_encoder_are_refused(name: str, dimension: int) -> None:
    with pytest.raises(ConfigurationError, match="configure the encoder that they were made with"):
        layout_of(encoder(name), dimension)
