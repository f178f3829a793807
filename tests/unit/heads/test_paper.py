"""The twelve published files: their heads give the published logits, their predictions the published figures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from daemon.evaluate.average_precision import auroc, average_precision
from daemon.heads import ConceptHead, LinearHead
from daemon.heads.checkpoint import check, head_of
from daemon.learn.checkpoint_child import read_checkpoint

CORPORA = ("cnnspot", "combined", "synthbuster", "synthclic")
FILES = [f"{kind}_{corpus}.ckpt" for kind in ("clip_orthogonal", "linear_probe", "cm_antonyms") for corpus in CORPORA]


def pooled_vectors(n: int = 64) -> np.ndarray:
    """As CLIP gives them: norm about 33."""
    rng = np.random.default_rng(12)
    return (rng.normal(size=(n, 1024)) * 33.0 / 32.0).astype(np.float16)


def stand_in_projection() -> np.ndarray:
    return np.random.default_rng(6).normal(0.0, 0.03, size=(1024, 768)).astype(np.float32)


def reference(path: Path, vectors: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Logits by plain torch from the file's own tensors."""
    import torch

    file = torch.load(path, weights_only=True)
    state = {key: tensor.double() for key, tensor in file["state_dict"].items()}
    x = torch.from_numpy(vectors).double()
    linear = torch.nn.functional.linear
    if file["model_type"] == "linear":
        head = "model.classification_head.fc"
        return linear(x, state[f"{head}.weight"], state[f"{head}.bias"])[:, 0].numpy()
    if file["model_type"] == "clip":
        first, second = "model.classification_head.layers.0", "model.classification_head.to_logits"
        units = linear(x, state[f"{first}.weight"], state[f"{first}.bias"])
        return linear(units, state[f"{second}.weight"], state[f"{second}.bias"])[:, 0].numpy()
    image = torch.nn.functional.normalize(x @ torch.from_numpy(projection).double(), dim=1)
    gate = torch.sigmoid(linear(image, state["model.W_concepts.weight"], state["model.W_concepts.bias"]))
    gated = gate * torch.nn.functional.cosine_similarity(image[:, None], state["model.text_embeddings"][None], dim=2)
    return linear(gated, state["model.W_classifier.weight"], state["model.W_classifier.bias"])[:, 0].numpy()


@pytest.mark.parametrize("name", FILES)
def test_an_imported_head_gives_the_published_logits(paper: Path, name: str) -> None:
    path = paper / name
    model_type, tensors = read_checkpoint(path.read_bytes())
    check(model_type, tensors)
    projection = stand_in_projection()
    head = head_of(model_type, tensors, projection if model_type == "concept" else None)
    vectors = pooled_vectors()
    expected = reference(path, vectors, projection)
    assert np.abs(head.scores(vectors) - expected).max() <= 1e-5
    assert expected.std() > 0.05
    if isinstance(head, ConceptHead):
        assert head.contributions(vectors).shape == (len(vectors), 168)
        assert head.contributions(vectors).sum(axis=1) + head.offset[0] == pytest.approx(expected, abs=1e-5)
    else:
        assert isinstance(head, LinearHead)
        assert head.activations(vectors).shape == (len(vectors), 8 if "orthogonal" in name else 1)


def predictions(paper: Path, name: str) -> dict[str, np.ndarray]:
    """source -> probabilities; the reals are those of label 0. Real and fakes share ids: the id alone joins nothing."""
    found: dict[tuple[str, str], list[float]] = {}
    seen = set()
    with (paper / f"{name}_predictions.csv").open() as file:
        for row in csv.DictReader(file):
            assert (row["image_id"], row["source"]) not in seen
            seen.add((row["image_id"], row["source"]))
            key = ("real" if row["label"] == "0" else row["source"], row["source"])
            found.setdefault(key, []).append(float(row["label_prob"]))
    assert len(seen) == 2140 > len({image for image, _ in seen})
    return {kind: np.array(values) for (kind, _), values in found.items()}


@pytest.mark.parametrize(
    ("name", "mean"), [("synthclic_clip_orthogonal_synthclic", 0.9209), ("synthclic_linear_probe_combined", 0.8812)]
)
def test_our_metric_gives_the_published_figures(paper: Path, name: str, mean: float) -> None:
    scores = predictions(paper, name)
    reals = scores.pop("real")
    with (paper / f"{name}_metrics.csv").open() as file:
        published = {(row["source"], row["metric"]): float(row["value"]) for row in csv.DictReader(file)}
    assert {source for source, _ in published} == set(scores) and len(scores) == 4
    found = []
    for source, fakes in scores.items():
        assert len(fakes) == len(reals) == 428  # as many of each: the prevalence of the published AP is .5
        found.append(average_precision(reals, fakes))
        assert found[-1] == pytest.approx(published[source, "ap"], abs=1e-9)
        assert auroc(reals, fakes) == pytest.approx(published[source, "auc"], abs=1e-9)
    assert np.mean(found) == pytest.approx(mean, abs=5e-5)


def test_half_of_the_photographs_lie_above_a_probability_of_one_half(paper: Path) -> None:
    shares = [
        float((predictions(paper, name)["real"] > 0.5).mean())
        for name in ("synthclic_clip_orthogonal_synthclic", "synthclic_linear_probe_combined")
    ]
    assert shares == pytest.approx([0.495, 0.614], abs=5e-4)
