"""The concept model as a challenger, and its explanation; the texts' embeddings lie ready in the state directory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon.errors import ConfigurationError
from daemon.explain.embedding import KIND, key_of
from daemon.explain.family import explain_family
from daemon.explain.vocabulary import load_vocabulary
from daemon.heads import read
from daemon.heads.concept_head import ConceptHead
from daemon.heads.tensors import save_tensors
from daemon.promote.deciding import promote_by_hand
from daemon.service import Service
from daemon.settings import EncoderSettings
from daemon.supervisor import run_update
from store.derived import DerivedFiles
from tests.integration.world import DIMENSION, FINGERPRINT, SOURCES, World, beginning, candidate

EMBEDDED = 12


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world") / "state")
    world.inbox.put(beginning(40))
    world.until_idle()
    return world


def with_texts(world: World, root: Path) -> World:
    """The encoder is CLIP now: its texts are random directions of a random projection."""
    random = np.random.default_rng(0)
    vocabulary = load_vocabulary(None)
    poles = random.normal(size=(2, len(vocabulary), EMBEDDED))
    poles /= np.linalg.norm(poles, axis=2, keepdims=True)
    arrays = {"positive": poles[0], "negative": poles[1], "projection": random.normal(size=(DIMENSION, EMBEDDED))}
    derived = DerivedFiles(world.store.layout)
    derived.put(
        KIND, key_of(vocabulary, FINGERPRINT), save_tensors({k: v.astype(np.float32) for k, v in arrays.items()})
    )
    settings = world.context.settings
    concept = settings.learn.concept.model_copy(update={"max_epochs": 20, "learning_rate": 0.02})
    learn = settings.learn.model_copy(update={"concept": concept})
    update = {"encoder": EncoderSettings(name="open_clip"), "learn": learn}
    world.context = replace(world.context, settings=settings.model_copy(update=update), derived=derived)
    return world


def test_an_encoder_without_texts_has_no_concepts_to_learn(world: World) -> None:
    settings = world.context.settings.model_copy(
        update={"encoder": EncoderSettings.model_validate({"name": "external", "external": {"fingerprint": "x"}})}
    )
    with pytest.raises(ConfigurationError, match="external knows no texts"):
        run_update(replace(world.context, settings=settings), "retrain_concept")


def test_the_concept_model_goes_through_the_gate_and_explains_itself(world: World, tmp_path: Path) -> None:
    with_texts(world, tmp_path)
    outcome = run_update(world.context, "retrain_concept")
    assert outcome.version is not None and outcome.decision in ("promote", "hold", "reject")
    artifact = read(*world.store.registry.artifact(outcome.version))
    assert isinstance(artifact.head, ConceptHead)
    assert artifact.head.concepts == tuple(concept.name for concept in load_vocabulary(None).concepts)
    if outcome.decision != "promote":
        promote_by_hand(world.context, outcome.version, "tester", "to see it in force")
    answer = Service(world.context, None, False).explain(b"old_gan:3")  # type: ignore[arg-type]
    why = answer.explanation
    assert (answer.version, why.method) == (outcome.version, "concept_model")
    assert why.baseline + sum(one.value for one in why.contributions) == pytest.approx(answer.logit, abs=1e-9)
    assert {one.name for one in why.contributions} == set(artifact.head.concepts)
    assert why.notes == []


def test_a_closed_form_champion_on_clip_is_described_by_concepts(world: World, tmp_path: Path) -> None:
    with_texts(world, tmp_path)
    run_update(world.context, "retrain_linear")
    versions = [record for record in world.store.registry.versions() if record.learner != "concept"]
    if world.store.registry.champion() != versions[-1]:
        promote_by_hand(world.context, versions[-1].id, "tester", "to see it in force")
    service = Service(world.context, None, False)  # type: ignore[arg-type]
    answer = service.explain(b"old_gan:3")
    why = answer.explanation
    assert why.method == "integrated_gradients"
    assert {one.kind for one in why.contributions} == {"concept"}
    assert why.explained is not None
    total = why.baseline + sum(one.value for one in why.contributions) + why.remainder
    assert total == pytest.approx(answer.logit, abs=1e-9)
    assert answer.model_dump(exclude={"explanation"}) == service.score(b"old_gan:3").model_dump()
    champion = world.context.champion.get()
    assert champion is not None
    found = explain_family(world.context, champion, "old_gan")
    effects = found.profiles["raw"].comparisons[0].effects
    assert {effect.kind for effect in effects} == {"concept"}
    assert all(effect.towards for effect in effects)
    assert found.known is True


def test_the_reference_is_read_again_when_something_was_learned(world: World, tmp_path: Path) -> None:
    with_texts(world, tmp_path)
    service = Service(world.context, None, False)  # type: ignore[arg-type]
    first = service.explain(b"old_gan:3").explanation
    assert service.explain(b"old_gan:3").explanation == first
    world.inbox.put([candidate(SOURCES[0], i) for i in range(1000, 1080)])
    world.until_idle()
    run_update(world.context)
    again = service.explain(b"old_gan:3").explanation
    assert again.reference != first.reference
