"""Training happens in a child: the same heads, a deadline, a memory limit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from daemon.errors import BadInputError, ChildFailed
from daemon.heads.gradient import GradientSettings, TrainedHead
from daemon.heads.probe import ProbeSettings
from daemon.heads.training import Recipe, TrainingRows, Without, is_validation, train_heads
from daemon.learn.trainer import Trainer

GRADIENT = GradientSettings(units=3, max_epochs=4, standardise=True)


def rows_of(n: int = 240, dimension: int = 10) -> TrainingRows:
    rng = np.random.default_rng(4)
    synthetic = np.arange(n) % 3 == 0
    vectors = (rng.normal(size=(n, dimension)) + 2.0 * synthetic[:, None] * np.eye(dimension)[0]).astype(np.float16)
    sources = np.where(synthetic, -1, np.arange(n) % 4).astype(np.int32)
    validation = np.array([is_validation(f"g{i}", 0.2) for i in range(n)])
    return TrainingRows(vectors, synthetic, (np.arange(n) % 5).astype(np.int8), sources, validation)


def started(recipe: Recipe, rows: TrainingRows, *, deadline: float = 120.0, memory_limit: int = 0) -> Trainer:
    learner = "gradient" if isinstance(recipe, GradientSettings) else "probe"
    return Trainer(rows, learner, recipe, deadline=deadline, memory_limit=memory_limit)


def here(rows: TrainingRows, recipe: Recipe, without: Without | None = None) -> TrainedHead:
    (head,) = train_heads(rows, recipe, [without or Without()])
    return head


@pytest.fixture(scope="module", params=["gradient", "probe"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return GRADIENT if request.param == "gradient" else ProbeSettings()


@pytest.fixture(scope="module")
def trainer(recipe: Recipe) -> Iterator[Trainer]:
    with started(recipe, rows_of()) as trainer:
        yield trainer


def test_the_child_trains_the_heads_that_this_process_would(trainer: Trainer, recipe: Recipe) -> None:
    wanted = [Without(), Without(fold=2), Without(source=1)]
    for there, own in zip(trainer.train(wanted), train_heads(rows_of(), recipe, wanted), strict=True):
        assert there.head.weights == pytest.approx(own.head.weights, rel=1e-4, abs=1e-6)
        assert (there.epochs, there.best_epoch, there.converged) == (own.epochs, own.best_epoch, own.converged)
        assert there.losses == pytest.approx(own.losses)


def test_a_training_repeated_in_another_child_gives_the_same_bytes(trainer: Trainer, recipe: Recipe) -> None:
    with started(recipe, rows_of()) as other:
        again = other.train([Without(fold=1)])[0].head
    for name, array in trainer.train([Without(fold=1)])[0].head.to_tensors().items():
        assert array.tobytes() == again.to_tensors()[name].tobytes()


def test_rows_of_what_is_left_out_change_no_byte(recipe: Recipe) -> None:
    rows = rows_of()
    spoiled_vectors = rows.vectors.copy()
    spoiled_vectors[(rows.folds == 3) | (rows.sources == 2)] = 9.0
    spoiled = TrainingRows(spoiled_vectors, rows.synthetic, rows.folds, rows.sources, rows.validation)
    kept = TrainingRows(
        *(getattr(rows, name)[rows.sources != 2] for name in ("vectors", "synthetic", "folds", "sources", "validation"))
    )
    fold = here(spoiled, recipe, Without(fold=3, source=2)).head.weights
    assert fold.tobytes() == here(kept, recipe, Without(fold=3)).head.weights.tobytes()
    assert fold.tobytes() != here(rows, recipe).head.weights.tobytes()


def test_what_is_done_of_all_heads_is_told_as_it_passes(trainer: Trainer, recipe: Recipe) -> None:
    told: list[tuple[int, int]] = []
    heads = trainer.train([Without(), Without(fold=0)], progress=lambda done, total: told.append((done, total)))
    if isinstance(recipe, GradientSettings):  # side by side, until the last one stops
        assert told == [(i, 4) for i in range(1, max(head.epochs for head in heads) + 1)]
    else:
        assert told == [(1, 2), (2, 2)]


def test_rows_larger_than_a_frame_arrive_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.learn.trainer._FRAME", 999)
    rows = rows_of()
    with started(ProbeSettings(), rows) as trainer:
        weights = trainer.train([Without()])[0].head.weights
    assert weights == pytest.approx(here(rows, ProbeSettings()).head.weights, rel=1e-4)


def test_the_deadline_is_for_all_heads_together() -> None:
    endless = GradientSettings(max_epochs=1_000_000, patience=1_000_000)
    with (
        pytest.raises(ChildFailed, match=r"over its deadline of 8 s: raise learn\.deadline"),
        started(endless, rows_of(), deadline=8.0) as trainer,
    ):
        trainer.train([Without()])


def test_a_training_that_grows_too_large_is_stopped() -> None:
    with (
        pytest.raises(ChildFailed, match=r"memory limit of 20MiB.*raise learn\.memory_limit"),
        started(GRADIENT, rows_of(), memory_limit=20 * 2**20) as trainer,
    ):
        for _ in range(10_000):
            trainer.train([Without()])


def test_too_little_to_learn_from_is_said_in_one_line() -> None:
    rows = rows_of()
    only_reals = TrainingRows(
        rows.vectors, np.zeros_like(rows.synthetic), rows.folds, np.zeros_like(rows.sources), rows.validation
    )
    with started(GRADIENT, only_reals) as trainer, pytest.raises(BadInputError, match="real and synthetic pictures"):
        trainer.train([Without()])


def test_the_validation_share_is_of_groups_and_stable() -> None:
    chosen = [is_validation(f"group-{i}", 0.15) for i in range(4000)]
    assert 0.13 < np.mean(chosen) < 0.17
    assert chosen == [is_validation(f"group-{i}", 0.15) for i in range(4000)]
    assert not any(chosen[i] and not is_validation(f"group-{i}", 0.5) for i in range(4000))


def test_the_digest_names_the_rows() -> None:
    rows = rows_of()
    other = TrainingRows(rows.vectors, ~rows.synthetic, rows.folds, rows.sources, rows.validation)
    assert rows.digest == rows_of().digest != other.digest
