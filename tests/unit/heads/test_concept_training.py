from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.errors import BadInputError, ConfigurationError
from daemon.heads.concept_head import ConceptHead
from daemon.heads.concept_training import ConceptRecipe, Concepts, train_concepts
from daemon.heads.gradient import TrainedHead
from daemon.heads.training import TrainingRows, Without, train_heads
from daemon.learn.trainer import Trainer

D, E, C = 12, 8, 5
SHORT = ConceptRecipe(learning_rate=0.05, batch_size=64, max_epochs=3)  # later, rounding is amplified
QUICK = ConceptRecipe(learning_rate=0.05, batch_size=64, max_epochs=20)


def concepts(seed: int = 0) -> Concepts:
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.normal(size=(E, C)))[0].T
    return Concepts(tuple(f"c{i}" for i in range(C)), directions, random.normal(size=(D, E)))


def rows(n: int = 400, seed: int = 1) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Pictures whose label is written in the third concept alone."""
    random = np.random.default_rng(seed)
    synthetic = random.random(n) < 0.5
    embedded = random.normal(size=(n, E)) + 2.0 * np.where(synthetic, 1.0, -1.0)[:, None] * concepts().directions[2]
    vectors = embedded @ np.linalg.pinv(concepts().projection)
    return vectors.astype(np.float16), synthetic


def trained(recipe: ConceptRecipe = QUICK, known: Concepts | None = None) -> TrainedHead:
    return train_concepts(*rows(), *rows(200, 2), known or concepts(), recipe)


def test_it_learns_and_the_concept_that_tells_is_the_one_it_uses() -> None:
    head = trained().head
    assert isinstance(head, ConceptHead)
    vectors, synthetic = rows(300, 3)
    scores = head.scores(vectors)
    assert (scores[synthetic] > scores[~synthetic].mean()).mean() > 0.95
    pushed = np.abs(head.contributions(vectors)).mean(axis=0)
    assert head.concepts[int(pushed.argmax())] == "c2"
    head.validate("head")


def test_the_same_rows_and_recipe_give_the_same_bytes_and_another_seed_others() -> None:
    one, again, other = trained(SHORT), trained(SHORT), trained(replace(SHORT, seed=5))
    for name, array in one.head.to_tensors().items():
        assert array.tobytes() == again.head.to_tensors()[name].tobytes()
    assert one.head.weights.tobytes() != other.head.weights.tobytes()


def test_the_best_epoch_is_restored_and_training_stops_when_it_gets_no_better() -> None:
    found = trained(replace(QUICK, max_epochs=500, patience=3))
    assert found.epochs < 500
    assert found.converged
    assert found.best_epoch == int(np.argmin(found.losses)) + 1 == found.epochs - 3
    cut = trained(replace(QUICK, max_epochs=found.best_epoch))
    assert cut.head.weights.tobytes() == found.head.weights.tobytes()
    assert not cut.converged


def test_the_validation_loss_is_that_of_the_paper() -> None:
    """By an independent computation: BCE of the open gates, plus the weighted divergence summed over concepts."""
    found, (vectors, synthetic) = trained(replace(QUICK, max_epochs=1, sparsity_weight=0.3)), rows(200, 2)
    head = found.head
    assert isinstance(head, ConceptHead)
    embedded = vectors.astype(np.float64) @ head.projection
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    gates = torch.sigmoid(torch.from_numpy(embedded @ head.gate_weights.T + head.gate_biases))
    targets = torch.from_numpy(synthetic.astype(np.float64))
    likelihood = torch.nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(head.scores(vectors)), targets)
    divergence = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(gates), torch.distributions.Bernoulli(torch.tensor(1e-4, dtype=torch.float64))
    )
    expected = float(likelihood + 0.3 * divergence.sum(dim=1).mean())
    assert found.losses[0] == pytest.approx(expected, rel=1e-4)


def test_a_heavier_sparsity_shuts_gates() -> None:
    def open_share(weight: float) -> float:
        head = trained(replace(QUICK, sparsity_weight=weight)).head
        assert isinstance(head, ConceptHead)
        vectors, _ = rows(200, 3)
        embedded = vectors.astype(np.float64) @ head.projection
        embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
        return float((1 / (1 + np.exp(-(embedded @ head.gate_weights.T + head.gate_biases)))).mean())

    assert open_share(0.1) < 0.5 * open_share(0.0)


def test_columns_that_are_not_clips_count_for_nothing() -> None:
    known = concepts()
    padded = Concepts(known.names, known.directions, np.concatenate([known.projection, np.zeros((4, E))]))
    vectors, synthetic = rows()
    wide = np.concatenate([vectors, np.full((len(vectors), 4), 7.0)], axis=1).astype(np.float16)
    head = train_concepts(wide, synthetic, wide, synthetic, padded, SHORT).head
    narrow = train_concepts(vectors, synthetic, vectors, synthetic, known, SHORT).head
    assert head.dimension == D + 4
    assert head.scores(wide) == pytest.approx(narrow.scores(vectors), abs=1e-3)


def test_what_does_not_fit_together_is_said() -> None:
    vectors, synthetic = rows()
    ok = (vectors, synthetic)
    with pytest.raises(BadInputError, match="real and synthetic pictures to learn from"):
        train_concepts(vectors, np.ones(len(vectors), np.bool_), *ok, concepts(), QUICK)
    with pytest.raises(BadInputError, match="to validate by"):
        train_concepts(*ok, vectors, np.zeros(len(vectors), np.bool_), concepts(), QUICK)
    with pytest.raises(BadInputError, match="takes vectors of 12 features"):
        train_concepts(vectors[:, :5], synthetic, *ok, concepts(), QUICK)
    with pytest.raises(BadInputError, match="5 concepts and 4 names"):
        train_concepts(*ok, *ok, replace(concepts(), names=("a", "b", "c", "d")), QUICK)
    with pytest.raises(BadInputError, match="different models"):
        train_concepts(*ok, *ok, replace(concepts(), projection=np.zeros((D, 3))), QUICK)


@pytest.mark.parametrize(
    "values", [{"learning_rate": 0.0}, {"temperature": -1.0}, {"sparsity": 1.0}, {"sparsity_weight": -1.0}]
)
def test_a_recipe_out_of_range_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(values))):
        ConceptRecipe(**values)  # type: ignore[arg-type]


def training_rows() -> TrainingRows:
    vectors, synthetic = rows()
    n = np.arange(len(vectors))
    sources = np.where(synthetic, -1, n % 4).astype(np.int32)
    return TrainingRows(vectors, synthetic, (n % 5).astype(np.int8), sources, n % 6 == 0)


@pytest.fixture(scope="module")
def trainer() -> Iterator[Trainer]:
    with Trainer(training_rows(), "concept", SHORT, deadline=240.0, memory_limit=0, concepts=concepts()) as trainer:
        yield trainer


def test_the_child_trains_the_head_that_this_process_would_and_tells_its_epochs(trainer: Trainer) -> None:
    told: list[tuple[int, int]] = []
    wanted = [Without(source=1), Without(fold=0)]
    there, other = trainer.train(wanted, progress=lambda *done: told.append(done))
    here, _ = train_heads(training_rows(), SHORT, wanted, concepts=concepts())
    assert isinstance(there.head, ConceptHead)
    assert there.head.concepts == concepts().names
    assert there.head.scores(rows()[0]) == pytest.approx(here.head.scores(rows()[0]), rel=1e-3, abs=1e-3)
    assert told == [(i, 6) for i in range(1, there.epochs + 1)] + [(3 + i, 6) for i in range(1, other.epochs + 1)]
    assert there.head.weights.tobytes() == trainer.train(wanted)[0].head.weights.tobytes()
