"""The main job on real pictures: GANs are known, the generators of 2021-2023 arrive, are noticed and learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest

from daemon.evaluate import average_precision
from daemon.model import PROFILES, EvaluationRow, Subject
from daemon.settings import load
from store.state import open_store
from tests.acceptance.command import answer, differing_keys, shipped_configuration, write_configuration

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1500)]

GANS = {"progan", "biggan", "stylegan1", "stylegan2"}
ELEVEN = {
    "dalle_mini",
    "latent_diffusion",
    "dalle_2",
    "glid_3_xl",
    "sd_beta_2022",
    "sd_1_x",
    "kandinsky_2_2",
    "sdxl_base",
    "pixart_alpha",
    "playground_v2",
    "segmind_vega",
}
ALLOWED = {"store.directory", "adapters", "encoder.name", "http.port"}


@dataclass(frozen=True)
class Story:
    folder: Path
    first: dict[str, Any]  # status after the GANs and the reals
    second: dict[str, Any]  # after the eleven families
    whole: dict[str, Any]  # after everything


def adapter(name: str, data: Path, **options: Any) -> dict[str, Any]:
    options = {"path": str(data / "images" / "manifest.csv"), **options}
    return {"name": name, "kind": "manifest", "trust": "trusted", "every": "1h", "options": options}


def configuration(folder: Path, adapters: list[dict[str, Any]]) -> dict[str, Any]:
    """The shipped configuration with other paths, adapters and encoder."""
    shipped = shipped_configuration()
    return {
        **shipped,
        "store": {**shipped["store"], "directory": str(folder / "state")},
        "encoder": {**shipped["encoder"], "name": "forensic"},
        "adapters": adapters,
    }


@pytest.fixture(scope="module")
def story(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("real")
    gans = adapter("gans_and_reals", test_data, released={"before": "2021"})
    eleven = adapter("of_2021_to_2023", test_data, labels=["synthetic"], released={"from": "2021", "before": "2024"})
    everything = adapter("everything", test_data)
    found = []
    for number, adapters in enumerate(([gans], [gans, eleven], [gans, eleven, everything])):
        file = write_configuration(folder / f"{number}.yaml", configuration(folder, adapters))
        found.append(answer("run", "--until-idle", "--config", str(file), cwd=folder, timeout=900))
    yield Story(folder, *found)


def families(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {family["name"]: family for family in status["families"]}


def raw(status: dict[str, Any], name: str) -> dict[str, Any]:
    figures: dict[str, Any] = families(status)[name]["profiles"]["raw"]
    return figures


def saved(story: Story, version: str) -> dict[tuple[str, str], EvaluationRow]:
    """What the service measured of a version while it was champion: (family, profile) -> row."""
    with open_store(story.folder / "state", read_only=True) as store:
        rows = store.samples.latest_evaluations(version)
    return {(r.subject.name, r.profile): r for r in rows if r.window == "held_out" and r.subject.kind == "family"}


def test_only_paths_adapters_and_encoder_differ_from_the_shipped_configuration(story: Story) -> None:
    for number in range(3):
        own = load(story.folder / f"{number}.yaml").model_dump(mode="json")
        shipped_file = write_configuration(story.folder / "shipped.yaml", shipped_configuration())
        shipped = load(shipped_file).model_dump(mode="json")
        assert differing_keys(shipped, own) <= ALLOWED


def test_the_first_champion_knows_the_gans_and_all_the_photographs(story: Story) -> None:
    assert set(families(story.first)) == GANS
    assert len(story.first["real_sources"]) == 13
    assert story.first["samples"] == {"active": 1887, "quarantined": 0, "total": 1887}
    assert story.first["champion"]["threshold_method"] == "left_out_source"


def test_the_eleven_are_scored_by_that_champion_before_anything_is_learned(story: Story) -> None:
    champion = story.first["champion"]["id"]
    with open_store(story.folder / "state", read_only=True) as store:
        for profile in PROFILES:
            rows = store.samples.scored_rows(champion, profile)
            scored = {family: [r for r in rows if r.subject == Subject("family", family)] for family in ELEVEN}
            assert {family: len(own) for family, own in scored.items()} == {
                family: families(story.second)[family]["samples"] for family in ELEVEN
            }
            assert not any(row.learned for own in scored.values() for row in own)


def test_every_family_of_thirty_that_walks_past_is_alarmed(story: Story) -> None:
    before = saved(story, story.first["champion"]["id"])
    evading = {f for f in ELEVEN if before[f, "raw"].n >= 30 and (before[f, "raw"].recall or 0) <= 0.1}
    alarmed = {episode["family"] for episode in story.second["episodes"]}
    assert evading
    assert evading <= alarmed


def test_after_learning_the_eleven_are_detected_and_the_gans_still_are(story: Story, figures: list[str]) -> None:
    before = saved(story, story.first["champion"]["id"])
    alarms = {episode["family"]: episode["samples_to_alarm"] for episode in story.second["episodes"]}
    figures.append(
        "family               AP / recall before  samples to alarm  AP / recall after  laundered AP before / after"
    )
    after = saved(story, story.second["champion"]["id"])
    for family in sorted(ELEVEN) + sorted(GANS):
        a, b, la, lb = (rows[family, p] for p in PROFILES for rows in (before, after))
        figures.append(
            f"{family:20s} {a.ap:.3f} / {a.recall:.3f}        {alarms.get(family, '-')!s:>5s}            "
            f"{b.ap:.3f} / {b.recall:.3f}     {la.ap:.3f} / {lb.ap:.3f}"
        )
    loss_before = mean(1 - (before[f, "raw"].ap or 0) for f in ELEVEN)
    loss_after = mean(1 - raw(story.second, f)["ap"] for f in ELEVEN)
    recall = mean(raw(story.second, f)["recall"] for f in ELEVEN)
    changes = {f: raw(story.second, f)["ap"] - raw(story.first, f)["ap"] for f in GANS}
    figures.append(
        f"eleven: raw mAP {1 - loss_before:.3f} -> {1 - loss_after:.3f}, loss fell {1 - loss_after / loss_before:.0%}, "
        f"mean recall {recall:.3f}; GANs: mean change {mean(changes.values()):+.4f}, worst {min(changes.values()):+.4f}"
    )
    assert 1 - loss_after / loss_before >= 0.70
    assert 1 - loss_after >= 0.95
    assert recall >= 0.75
    assert mean(changes.values()) >= -0.02
    assert all(change >= -0.05 for family, change in changes.items() if in_holdout(story, family) >= 15)


def in_holdout(story: Story, family: str) -> int:
    with open_store(story.folder / "state", read_only=True) as store:
        fingerprint = store.registry.versions()[0].fingerprint
        rows = store.samples.labelled_vectors(fingerprint, "raw")
    own = [i for i, subject in enumerate(rows.subjects) if subject == Subject("family", family)]
    return sum(rows.splits[i] == "holdout" for i in own)


def test_all_pictures_are_taken_in_and_everything_is_measured_under_both_profiles(
    story: Story, figures: list[str]
) -> None:
    assert story.whole["samples"]["total"] == 2767
    assert story.whole["quarantine"] == {}
    status = answer("status", "--config", str(story.folder / "2.yaml"), cwd=story.folder)
    assert len(status["families"]) == 33
    assert len(status["real_sources"]) == 13
    for profile in PROFILES:
        assert all(family["profiles"][profile]["ap"] is not None for family in status["families"])
        assert all(source["profiles"][profile]["false_positive_rate"] is not None for source in status["real_sources"])
    figures.append(f"33 families: mAP {status['mean_ap']}, worst {status['worst_family']} {status['worst_ap']}")
    for decision in reversed(status["decisions"]):
        figures.append(f"{decision['version']} {decision['decision']}: {decision['reason']}")


def test_the_figures_are_those_of_the_metric_on_held_out_scores(story: Story) -> None:
    """Of an eleven family before learning, recomputed from the scores that the service stored."""
    champion = story.first["champion"]["id"]
    with open_store(story.folder / "state", read_only=True) as store:
        rows = store.samples.scored_rows(champion, "raw")
    real = np.array([row.logit for row in rows if row.subject.kind == "source" and not row.learned])
    fake = np.array([row.logit for row in rows if row.subject.name == "dalle_2"])
    # The service adds the learned reals, scored by heads that have not learned them: close, not equal.
    assert average_precision(real, fake) == pytest.approx(saved(story, champion)["dalle_2", "raw"].ap, abs=0.05)


def test_the_store_verifies_to_the_last_byte(story: Story) -> None:
    found = answer("verify", "--deep", "--config", str(story.folder / "2.yaml"), cwd=story.folder)
    assert found["ok"], found["checks"]
    assert [check["number"] for check in found["checks"]] == list(range(1, 11))


def test_delivering_everything_again_changes_nothing(story: Story) -> None:
    file = story.folder / "2.yaml"
    again = answer("ingest", str(manifest_of(file)), "--trust", "trusted", "--config", str(file), cwd=story.folder)
    assert again["stored"] == 0
    status = answer("status", "--config", str(file), cwd=story.folder)
    assert status["samples"] == story.whole["samples"]
    assert status["champion"] == story.whole["champion"]


def manifest_of(file: Path) -> Path:
    return Path(load(file).adapters[-1].options["path"])
