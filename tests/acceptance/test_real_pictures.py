"""The service does its main job on real pictures, with the shipped configuration.

Three stages on one state: a first champion from the families released before 2021 and the real collections; the
eleven families of 2021-2023 delivered at once; then everything there is.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from daemon.app import open_for
from daemon.champion import load_version
from daemon.model import PROFILES, EvaluationRow, Profile, ScoredRow
from daemon.settings import load
from daemon.shipped import shipped
from tests.acceptance.command import sidwatch
from tests.acceptance.conftest import Report

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1200)]

MAY_DIFFER = {"store.directory", "encoder.name", "adapters", "clock.kind", "clock.start", "clock.step"}


@dataclass(frozen=True)
class Pictures:
    """What the manifest says, read past the service's own code."""

    path: Path
    families: Mapping[str, int]  # family -> pictures
    sources: Mapping[str, int]  # photo collection -> pictures
    gans: tuple[str, ...]  # released before 2021
    new: tuple[str, ...]  # released in 2021, 2022 or 2023


@dataclass(frozen=True)
class First:
    """After stage 1."""

    folder: Path
    status: dict[str, Any]

    @property
    def champion(self) -> str:
        version: str = self.status["champion"]["id"]
        return version


@dataclass(frozen=True)
class Second:
    """After stage 2."""

    status: dict[str, Any]
    before: Mapping[tuple[str, Profile], EvaluationRow]  # (family, profile) -> as the first champion saw it
    scored: tuple[ScoredRow, ...]  # by the first champion, raw
    threshold: float  # of the first champion, raw

    def after(self, family: str, profile: str = "raw") -> dict[str, Any]:
        figures: dict[str, Any] = _families(self.status)[family]["profiles"][profile]
        return figures


@pytest.fixture(scope="module")
def pictures(test_data: Path) -> Pictures:
    path = test_data / "images" / "manifest.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    released = {row["family"]: row["released"][:4] for row in rows if row["label"] == "synthetic"}
    return Pictures(
        path,
        Counter(row["family"] for row in rows if row["label"] == "synthetic"),
        Counter(row["source"] for row in rows if row["label"] == "real"),
        tuple(sorted(family for family, year in released.items() if year < "2021")),
        tuple(sorted(family for family, year in released.items() if "2021" <= year < "2024")),
    )


@pytest.fixture(scope="module")
def configurations(pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One file per stage, made from the shipped one."""
    folder = tmp_path_factory.mktemp("real_pictures")
    manifest = str(pictures.path)
    adapters = [
        _adapter("before_2021", {"path": manifest, "released": {"before": "2021"}}),
        _adapter(
            "from_2021", {"path": manifest, "labels": ["synthetic"], "released": {"from": "2021", "before": "2024"}}
        ),
        _adapter("everything", {"path": manifest}),
    ]
    written = []
    for stage in (1, 2, 3):
        configuration = _shipped()
        configuration["store"]["directory"] = str(folder / "state")
        configuration["encoder"]["name"] = "forensic"
        configuration["adapters"] = adapters[:stage]
        path = folder / f"stage_{stage}.yaml"
        path.write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
        written.append(path)
    return written


@pytest.fixture(scope="module")
def first(configurations: list[Path]) -> First:
    return First(configurations[0].parent, _run(configurations[0]))


@pytest.fixture(scope="module")
def second(first: First, configurations: list[Path]) -> Second:
    status = _run(configurations[1])
    settings = load(configurations[1])
    with open_for(settings, read_only=True) as store:
        champion = load_version(store.registry, store.registry.version(first.champion))
        rows = store.samples.latest_evaluations(first.champion)
        scored = tuple(store.samples.scored_rows(first.champion, "raw"))
    before = {(r.subject.name, r.profile): r for r in rows if r.subject.kind == "family" and r.window == "held_out"}
    return Second(status, before, scored, champion.threshold("raw"))


@pytest.fixture(scope="module")
def third(second: Second, configurations: list[Path]) -> dict[str, Any]:
    return _run(configurations[2])


def test_the_configuration_is_the_shipped_one_but_for_paths_adapters_encoder_and_clock(
    configurations: list[Path], report: Report
) -> None:
    before = _flat(_shipped())
    for path in configurations:
        after = _flat(yaml.safe_load(path.read_text(encoding="utf-8")))
        differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert differing <= MAY_DIFFER
    report("", f"real pictures: the shipped configuration, but for {', '.join(sorted(differing))}")


def test_the_first_champion_comes_from_the_gans_and_the_real_collections(pictures: Pictures, first: First) -> None:
    assert first.status["champion"]["families"] == len(pictures.gans) == 4
    assert first.status["champion"]["sources"] == len(pictures.sources) == 13
    assert set(_families(first.status)) == set(pictures.gans)
    assert [d["decision"] for d in first.status["decisions"]] == ["promoted"]
    assert first.status["samples"]["active"] == sum(pictures.sources.values()) + sum(
        pictures.families[family] for family in pictures.gans
    )


def test_the_first_champion_scores_every_new_picture_before_any_head_learns_it(
    pictures: Pictures, second: Second
) -> None:
    assert len(pictures.new) == 11
    rows = [row for row in second.scored if row.subject.name in pictures.new]
    assert Counter(row.subject.name for row in rows) == {family: pictures.families[family] for family in pictures.new}
    assert not any(row.learned for row in rows)


def test_the_zero_shot_figures_are_those_of_the_prequential_scores(pictures: Pictures, second: Second) -> None:
    for family in pictures.new:
        flagged = [row.logit > second.threshold for row in second.scored if row.subject.name == family]
        assert second.before[family, "raw"].recall == pytest.approx(fmean(flagged))


def test_every_family_that_evades_the_first_champion_is_alarmed(
    pictures: Pictures, first: First, second: Second
) -> None:
    evading = {
        family
        for family in pictures.new
        if pictures.families[family] >= 30 and _known(second.before[family, "raw"].recall) <= 0.1
    }
    alarmed = {e["family"] for e in second.status["episodes"] if e["champion"] == first.champion}
    assert evading
    assert evading <= alarmed


def test_learning_the_new_families_takes_away_most_of_their_loss(
    pictures: Pictures, first: First, second: Second, report: Report
) -> None:
    _table(pictures, second, report)
    loss_before = 1 - fmean(_known(second.before[family, "raw"].ap) for family in pictures.new)
    after = [second.after(family) for family in pictures.new]
    mean_ap, mean_recall = fmean(row["ap"] for row in after), fmean(row["recall"] for row in after)
    report(
        f"eleven families, raw: loss {loss_before:.4f} -> {1 - mean_ap:.4f} "
        f"(fell by {1 - (1 - mean_ap) / loss_before:.1%}), mAP {mean_ap:.4f}, mean recall {mean_recall:.3f}"
    )
    assert second.status["champion"]["id"] != first.champion
    assert 1 - mean_ap <= 0.3 * loss_before
    assert mean_ap >= 0.95
    assert mean_recall >= 0.75


def test_learning_the_new_families_does_not_spoil_the_old_ones(
    pictures: Pictures, second: Second, report: Report
) -> None:
    falls = {f: _known(second.before[f, "raw"].ap) - second.after(f)["ap"] for f in pictures.gans}
    large = {f for f in pictures.gans if second.after(f)["n"] >= 15}
    report(
        f"GAN families, raw: AP falls by {fmean(falls.values()):+.4f} on average, "
        f"by {max(falls[f] for f in large):+.4f} at most"
    )
    assert second.status["champion"]["families"] == len(pictures.gans) + len(pictures.new)
    assert fmean(falls.values()) <= 0.02
    assert len(large) >= 3
    assert max(falls[family] for family in large) <= 0.05


def test_all_pictures_are_taken_in_and_measured_under_both_profiles(
    pictures: Pictures, third: dict[str, Any], configurations: list[Path], report: Report
) -> None:
    shown = sidwatch("status", "--json", "--config", configurations[2], folder=configurations[2].parent).json
    assert shown["samples"]["total"] == shown["samples"]["active"] == 2767
    assert shown["quarantine"] == {}
    assert [row["rejected"] for row in shown["adapters"]] == [{}, {}, {}]
    assert shown["champion"]["id"] == third["champion"]["id"]
    families, sources = _families(shown), {row["name"]: row for row in shown["real_sources"]}
    assert {name: row["samples"] for name, row in families.items()} == dict(pictures.families)
    assert {name: row["samples"] for name, row in sources.items()} == dict(pictures.sources)
    for profile in PROFILES:
        assert {name: row["profiles"][profile]["n"] for name, row in families.items()} == dict(pictures.families)
        assert all(0 < row["profiles"][profile]["ap"] <= 1 for row in families.values())
        assert all(0 <= row["profiles"][profile]["recall"] <= 1 for row in families.values())
        assert {name: row["profiles"][profile]["n"] for name, row in sources.items()} == dict(pictures.sources)
        assert all(0 <= row["profiles"][profile]["false_positive_rate"] <= 1 for row in sources.values())
        report(
            f"everything, {profile}: mAP {shown['mean_ap'][profile]:.4f}, worst {shown['worst_ap'][profile]:.4f} "
            f"({shown['worst_family'][profile]}), false positives {shown['real_false_positive_rate'][profile]:.4f}"
        )
    report(*(f"  {d['version']} {d['decision']}: {d['reason']}" for d in reversed(shown["decisions"])))


def test_the_store_verifies_deeply(third: dict[str, Any], configurations: list[Path]) -> None:
    config = configurations[2]
    found = sidwatch("verify", "--deep", "--json", "--config", config, folder=config.parent).json
    assert [check["number"] for check in found["checks"] if not check["ok"]] == []
    assert len(found["checks"]) == 10


def _adapter(name: str, options: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "kind": "manifest", "every": "1h", "trust": "trusted", "options": options}


def _shipped() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(str(shipped("config.yaml"))).read_text(encoding="utf-8"))
    return found


def _flat(section: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Dotted keys; lists, and with them the adapters, count as one value."""
    flat: dict[str, Any] = {}
    for key, value in section.items():
        flat.update(_flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value})
    return flat


def _run(config: Path) -> dict[str, Any]:
    done = sidwatch("run", "--until-idle", "--json", "--config", config, folder=config.parent, timeout=900)
    status: dict[str, Any] = done.json
    return status


def _families(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in status["families"]}


def _known(value: float | None) -> float:
    assert value is not None
    return value


def _table(pictures: Pictures, second: Second, report: Report) -> None:
    alarms = {episode["family"]: episode["samples_to_alarm"] for episode in second.status["episodes"]}
    report(
        "",
        "family                  n  alarm at | raw: zero-shot AP recall  after AP recall | laundered: the same",
    )
    for family in (*pictures.new, *pictures.gans):
        cells = []
        for profile in PROFILES:
            before, after = second.before[family, profile], second.after(family, profile)
            cells.append(
                f"{_known(before.ap):.3f}  {_known(before.recall):.2f}  {after['ap']:.3f}  {after['recall']:.2f}"
            )
        report(f"{family:20s} {pictures.families[family]:4d} {alarms.get(family, '-')!s:>9} | {' | '.join(cells)}")
    report(*(f"  {d['version']} {d['decision']}: {d['reason']}" for d in reversed(second.status["decisions"])))
