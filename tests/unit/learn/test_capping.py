"""No known source brings more of a family than its share."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daemon.learn.capping import over_cap
from daemon.model import BatchKey, LabelledSamples, Subject

FAMILY, OTHER = Subject("family", "flux"), Subject("family", "gan")
CAMERA = Subject("source", "camera")
KNOWN = {"known", "also_known"}


def delivered(*batches: BatchKey) -> tuple[LabelledSamples, dict[int, BatchKey]]:
    """One sample of each batch named, in this order."""
    count = len(batches)
    samples = LabelledSamples(
        sample_ids=np.arange(count),
        synthetic=np.array([batch.subject.kind == "family" for batch in batches], np.bool_),
        subjects=tuple(batch.subject for batch in batches),
        groups=tuple(f"g{i}" for i in range(count)),
        splits=("train",) * count,
        folds=np.zeros(count, np.int8),
        learned_revision=np.zeros(count, np.int64),
        delivered_at=(datetime(2030, 1, 1, tzinfo=UTC),) * count,
    )
    return samples, dict(enumerate(batches))


def test_a_known_source_alone_brings_so_many_pictures_and_those_that_came_first() -> None:
    batch = BatchKey(FAMILY, "known")
    assert over_cap(*delivered(*[batch] * 7), KNOWN, 5, 0.8) == {5: batch, 6: batch}


def test_with_every_picture_of_the_others_there_is_room_for_more() -> None:
    mine, others = [BatchKey(FAMILY, "known")] * 20, [BatchKey(FAMILY, "trusted")] * 3
    assert len(over_cap(*delivered(*mine, *others), KNOWN, 5, 0.8)) == 20 - 12
    assert len(over_cap(*delivered(*mine, *others, *others), KNOWN, 5, 0.8)) == 0


def test_pictures_of_another_family_make_no_room() -> None:
    mine, others = [BatchKey(FAMILY, "known")] * 7, [BatchKey(OTHER, "trusted")] * 90
    assert len(over_cap(*delivered(*mine, *others), KNOWN, 5, 0.8)) == 2


def test_trusted_sources_and_photographs_have_no_cap() -> None:
    samples, batches = delivered(*[BatchKey(FAMILY, "trusted")] * 9, *[BatchKey(CAMERA, "known")] * 9)
    assert over_cap(samples, batches, KNOWN, 2, 0.5) == {}


@given(
    st.lists(st.sampled_from(["known", "also_known", "trusted"]), max_size=60),
    st.integers(1, 20),
    st.floats(0.1, 0.9),
)
def test_what_is_learned_never_shrinks_when_more_comes(sources: list[str], most: int, share: float) -> None:
    batches = [BatchKey(FAMILY, source) for source in sources]
    before = set(range(len(batches))) - over_cap(*delivered(*batches), KNOWN, most, share).keys()
    for more in ("known", "trusted"):
        grown = [*batches, BatchKey(FAMILY, more)]
        after = set(range(len(grown))) - over_cap(*delivered(*grown), KNOWN, most, share).keys()
        assert before <= after
