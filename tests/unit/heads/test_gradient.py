"""The paper's recipe on stored vectors, its penalty, and the logistic baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daemon.errors import BadInputError
from daemon.evaluate.average_precision import average_precision
from daemon.heads.decorrelation import decorrelation_penalty, gram_matrix
from daemon.heads.gradient import GradientSettings, Split, train_gradient
from daemon.heads.gradient_stack import penalty as penalty_with_gradient
from daemon.heads.probe import ProbeSettings, train_probe
from daemon.heads.standardise import Standardisation

D = 12


def rows_of(seed: int, n: int = 200, scale: float = 1.0, shift: float = 1.5):
    rng = np.random.default_rng(seed)
    synthetic = np.arange(n) % 2 == 0
    x = rng.normal(size=(n, D)) + np.where(synthetic, shift, 0.0)[:, None] * np.eye(D)[0]
    return (x * scale + 3.0).astype(np.float16), synthetic


def train(vectors, synthetic, validation_vectors, validation_synthetic, settings, **more):
    """One head of the recipe."""
    split = Split(np.arange(len(vectors)), len(vectors) + np.arange(len(validation_vectors)))
    together = np.concatenate([vectors, validation_vectors]), np.concatenate([synthetic, validation_synthetic])
    (head,) = train_gradient(*together, [split], settings, **more)
    return head


def trained(settings=None, **more):
    return train(*rows_of(1), *rows_of(2, 80), settings or GradientSettings(), **more)


# --- the penalty ------------------------------------------------------------------------------------------


def test_orthogonal_activations_have_no_penalty_and_equal_ones_the_largest():
    assert decorrelation_penalty(np.eye(5)[:, :3] * [1.0, 7.0, 0.1]) == pytest.approx(0.0, abs=1e-12)
    same = np.repeat(np.arange(1.0, 6.0)[:, None], 3, axis=1)
    assert decorrelation_penalty(same) == pytest.approx(np.sqrt(6.0))


def test_the_penalty_is_not_centred():
    constant = np.ones((10, 2)) + np.array([[0.1, -0.1]] * 5 + [[-0.1, -0.1]] * 5)
    assert np.corrcoef(constant.T + np.random.default_rng(0).normal(0, 1e-6, (2, 10)))[0, 1] < 0.9
    assert gram_matrix(constant)[0, 1] > 0.98


@pytest.mark.parametrize(("seed", "k"), [(0, 1), (1, 2), (2, 6), (3, 6)])
def test_the_loss_of_the_training_is_the_penalty_of_the_metric(seed, k):
    import torch

    activations = np.random.default_rng(seed).normal(1.0, 2.0, size=(16, k))
    activations[:, 0] = 0.0  # a dead unit
    assert float(penalty_with_gradient(torch.from_numpy(activations).float())) == pytest.approx(
        decorrelation_penalty(activations), rel=1e-5, abs=1e-6
    )


# --- the recipe -------------------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_paper():
    assert GradientSettings() == GradientSettings(8, 0.1, 0.33, 1e-3, 0.01, 64, 200, 5, 123, False)


def test_it_learns_what_separates_the_labels():
    result = train(*rows_of(1, 4000, shift=3.0), *rows_of(2, 400, shift=3.0), GradientSettings(max_epochs=20))
    vectors, synthetic = rows_of(3, 400, shift=3.0)
    scores = result.head.scores(vectors)
    assert average_precision(scores[~synthetic], scores[synthetic]) > 0.85
    weights, _ = result.head.local_direction(vectors[0])
    assert np.abs(weights).argmax() == 0


def test_the_same_rows_give_the_same_bytes_and_leave_the_random_state_alone():
    import torch

    before = torch.random.get_rng_state()
    first, second = trained(GradientSettings(max_epochs=5)), trained(GradientSettings(max_epochs=5))
    assert torch.equal(before, torch.random.get_rng_state())
    for name, array in first.head.to_tensors().items():
        assert array.tobytes() == second.head.to_tensors()[name].tobytes()
    other = trained(GradientSettings(seed=124, max_epochs=5))
    assert other.head.weights.tobytes() != first.head.weights.tobytes()


def test_it_is_the_recipe_written_out_by_hand():
    """Two epochs of the published loss and optimiser, in plain torch."""
    import torch

    settings = GradientSettings(units=3, max_epochs=2, batch_size=32)
    vectors, synthetic = rows_of(1, 100)
    result = train(vectors, synthetic, *rows_of(2, 80), settings)
    torch.manual_seed(123)
    first, second = torch.nn.Linear(D, 3), torch.nn.Linear(3, 1)
    torch.nn.init.orthogonal_(first.weight)
    parameters = [first.weight, first.bias, second.weight, second.bias]
    x, y = torch.from_numpy(vectors).float(), torch.from_numpy(synthetic).float() * 0.8 + 0.1
    mean = [torch.zeros_like(p) for p in parameters]
    square = [torch.zeros_like(p) for p in parameters]
    order, step = torch.Generator().manual_seed(123), 0
    for _ in range(result.best_epoch):
        for batch in torch.randperm(100, generator=order).split(32):
            a = first(x[batch])
            p = torch.sigmoid(second(a)[:, 0])
            entropy = -(y[batch] * p.log() + (1 - y[batch]) * (1 - p).log()).mean()
            unit = a / (a**2).sum(dim=0).sqrt()
            loss = entropy + 0.33 * ((torch.eye(3) - unit.T @ unit) ** 2).sum().sqrt()
            step += 1
            for i, (p, g) in enumerate(zip(parameters, torch.autograd.grad(loss, parameters), strict=True)):
                g = g + 0.01 * p.detach()
                mean[i] = 0.9 * mean[i] + 0.1 * g
                square[i] = 0.999 * square[i] + 0.001 * g**2
                change = (mean[i] / (1 - 0.9**step)) / ((square[i] / (1 - 0.999**step)).sqrt() + 1e-8)
                with torch.no_grad():
                    p -= 1e-3 * change
    assert result.head.weights == pytest.approx(first.weight.detach().numpy(), abs=2e-5)
    assert result.head.read_out == pytest.approx(second.weight.detach().numpy()[0], abs=2e-5)


def test_it_stops_after_the_patience_and_keeps_its_best_epoch():
    vectors, synthetic = rows_of(1, 60)
    told = []
    # labels of the validation rows turned round: every step of learning makes them worse
    settings = GradientSettings(learning_rate=0.02, max_epochs=50, patience=4)
    result = train(
        vectors, synthetic, vectors, ~synthetic, settings, progress=lambda done, total: told.append((done, total))
    )
    assert result.epochs == result.best_epoch + 4 < 50
    assert min(result.losses) == result.losses[result.best_epoch - 1]
    assert told == [(i, 50) for i in range(1, result.epochs + 1)]
    kept = train(vectors, synthetic, vectors, ~synthetic, replace(settings, max_epochs=result.best_epoch))
    assert kept.head.weights.tobytes() == result.head.weights.tobytes()
    assert (result.converged, kept.converged) == (True, False)


def test_the_decorrelation_penalty_decorrelates():
    vectors, _ = rows_of(1)
    with_it = trained(GradientSettings(max_epochs=60, patience=60, weight_decay=0.0))
    without = trained(GradientSettings(max_epochs=60, patience=60, weight_decay=0.0, decorrelation=0.0))
    penalty = [decorrelation_penalty(result.head.activations(vectors)) for result in (with_it, without)]
    assert penalty[0] < 0.7 * penalty[1]


def test_one_unit_has_no_penalty_and_still_learns():
    result = trained(GradientSettings(units=1, max_epochs=3))
    assert np.isfinite(result.head.weights).all()


def test_standardising_is_folded_into_the_weights():
    settings = GradientSettings(standardise=True, max_epochs=5)
    small = train(*rows_of(1), *rows_of(2, 80), settings)
    large = train(*rows_of(1, scale=64.0), *rows_of(2, 80, scale=64.0), settings)
    vectors, _ = rows_of(3)
    assert large.head.scores(rows_of(3, scale=64.0)[0]) == pytest.approx(small.head.scores(vectors), abs=0.05)
    assert np.abs(large.head.weights).max() < np.abs(small.head.weights).max() / 16


def test_a_feature_that_does_not_vary_is_ignored_by_a_standardised_head():
    vectors, synthetic = rows_of(1)
    vectors[:, 4] = 7.0
    scale = Standardisation.of(vectors, True)
    assert scale.inverse_scale[4] == 0.0
    assert np.allclose(scale.apply(vectors)[:, :4].std(axis=0), 1.0)
    head = train_probe(vectors, synthetic, ProbeSettings()).head
    assert head.weights[0, 4] == 0.0


@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_both_labels_are_needed_on_both_sides(missing):
    parts = [*rows_of(1), *rows_of(2, 80)]
    which = 1 if missing < 2 else 3
    parts[which] = np.full_like(parts[which], missing % 2 == 0)
    with pytest.raises(BadInputError, match="real and synthetic"):
        train(*parts, GradientSettings())


def test_a_diverging_training_says_so():
    with pytest.raises(BadInputError, match="learning_rate"):
        trained(GradientSettings(learning_rate=1e30, max_epochs=3))


# --- side by side -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardise", [False, True])
def test_heads_trained_side_by_side_are_those_trained_one_by_one(standardise):
    """Splits of different sizes: they have different numbers of steps, smaller last batches, and other ends."""
    vectors, synthetic = rows_of(1, 300)
    rng = np.random.default_rng(5)
    splits = []
    for size in (110, 200, 128, 171):
        rows = rng.permutation(300)
        splits.append(Split(rows[:size], rows[size : size + 60]))
    settings = GradientSettings(units=3, learning_rate=0.05, patience=1, max_epochs=40, standardise=standardise)
    together = train_gradient(vectors, synthetic, splits, settings)
    alone = [train_gradient(vectors, synthetic, [split], settings)[0] for split in splits]
    assert len({head.epochs for head in alone}) > 1  # they did stop at different times
    for one, other in zip(together, alone, strict=True):
        assert (one.epochs, one.best_epoch, one.converged) == (other.epochs, other.best_epoch, other.converged)
        assert one.head.scores(vectors) == pytest.approx(other.head.scores(vectors), abs=1e-3)
        assert one.losses == pytest.approx(other.losses, abs=1e-5)


def test_a_head_that_lacks_a_label_is_said_among_others():
    vectors, synthetic = rows_of(1)
    half = np.arange(100)
    whole, lacking = Split(half, half + 100), Split(half, np.flatnonzero(synthetic))
    with pytest.raises(BadInputError, match="real and synthetic pictures to validate by"):
        train_gradient(vectors, synthetic, [whole, lacking], GradientSettings())


# --- the probe --------------------------------------------------------------------------------------------


def test_the_probe_is_a_balanced_logistic_regression():
    vectors, synthetic = rows_of(1)
    keep = np.flatnonzero(~synthetic | (np.arange(len(synthetic)) % 8 == 0))  # few synthetic ones
    vectors, synthetic = vectors[keep], synthetic[keep]
    settings = ProbeSettings(c=0.5, standardise=False)
    result = train_probe(vectors, synthetic, settings)
    assert result.converged
    weights, offset = result.head.weights[0], result.head.biases[0]
    # the gradient of the weighted loss is 0 at the optimum
    x = vectors.astype(np.float64)
    balance = np.where(synthetic, len(x) / 2 / synthetic.sum(), len(x) / 2 / (~synthetic).sum())
    error = balance * (1 / (1 + np.exp(-(x @ weights + offset))) - synthetic)
    assert np.abs(weights + 0.5 * (error @ x)).max() < 0.05
    assert abs(error.sum()) < 0.05


def test_a_probe_that_ran_out_of_iterations_says_so():
    assert not train_probe(*rows_of(1), ProbeSettings(max_iterations=1)).converged


def test_the_probe_is_the_same_twice():
    first, second = (train_probe(*rows_of(1), ProbeSettings()).head for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()


def test_the_probe_needs_both_labels():
    vectors, synthetic = rows_of(1)
    with pytest.raises(BadInputError, match="real and synthetic"):
        train_probe(vectors[synthetic], synthetic[synthetic], ProbeSettings())
