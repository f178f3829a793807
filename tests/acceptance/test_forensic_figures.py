"""What the forensic encoder and the shipped head reach on real pictures; no scoring head has learned what it scores.

The shipped feature groups and head settings were chosen on these pictures, so the figures are optimistic: see
docs/measured.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pytest

from daemon.heads.settings import HeadSettings
from daemon.model import PROFILES, LabelledVectors, Profile
from daemon.settings import load
from daemon.shipped import shipped
from tests.acceptance.conftest import Report
from tests.acceptance.held_out import encode, family_aps, formats_of, held_out, recall, unseen_false_positives, worst

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

PROCESSES = 2


@dataclass(frozen=True)
class Figures:
    """Everything the table shows, per profile."""

    aps: Mapping[Profile, Mapping[str, float]]
    worst: Mapping[Profile, str]
    recall: Mapping[Profile, float]
    unseen: Mapping[Profile, Mapping[str, float]]  # real collection -> false-positive rate, never having seen it

    def mean_ap(self, profile: Profile) -> float:
        return fmean(self.aps[profile].values())

    def worst_ap(self, profile: Profile) -> float:
        return self.aps[profile][self.worst[profile]]


@pytest.fixture(scope="module")
def rows(test_data: Path) -> dict[Profile, LabelledVectors]:
    return encode(test_data / "images", PROCESSES)


@pytest.fixture(scope="module")
def figures(rows: dict[Profile, LabelledVectors], test_data: Path, report: Report) -> Figures:
    formats = formats_of(test_data / "images")
    settings = load(Path(str(shipped("config.yaml"))))
    head = HeadSettings(**settings.head.model_dump())
    alpha = settings.threshold.alpha
    measured = held_out(rows, formats, head, alpha)
    aps = {profile: family_aps(rows[profile], measured[profile].logits) for profile in PROFILES}
    found = Figures(
        aps,
        {profile: worst(rows[profile], aps[profile]) for profile in PROFILES},
        {profile: recall(rows[profile], measured[profile]) for profile in PROFILES},
        unseen_false_positives(rows, formats, head, alpha),
    )
    _table(found, report)
    return found


def test_no_group_lies_in_two_folds(rows: dict[Profile, LabelledVectors]) -> None:
    folds: dict[str, set[int]] = {}
    for group, fold in zip(rows["raw"].groups, rows["raw"].folds, strict=True):
        folds.setdefault(group, set()).add(int(fold))
    assert len(rows["raw"]) == 2767
    assert all(len(own) == 1 for own in folds.values())
    assert set.union(*folds.values()) == {0, 1, 2, 3, 4}


def test_raw_pictures_are_told_apart(figures: Figures) -> None:
    assert figures.mean_ap("raw") >= 0.985
    assert figures.worst_ap("raw") >= 0.92


def test_laundered_pictures_are_told_apart(figures: Figures) -> None:
    assert figures.mean_ap("laundered") >= 0.91


def test_no_family_is_lost_when_laundered(figures: Figures) -> None:
    assert figures.worst_ap("laundered") >= 0.65


@pytest.mark.parametrize("profile", PROFILES)
def test_a_collection_never_seen_is_rarely_accused(figures: Figures, profile: Profile) -> None:
    rates = figures.unseen[profile]
    assert len(rates) == 13
    assert fmean(rates.values()) <= 0.06
    assert max(rates.values()) <= 0.25


def test_most_fakes_are_caught_at_the_threshold_that_spares_unseen_collections(figures: Figures) -> None:
    assert figures.recall["raw"] >= 0.82
    assert figures.recall["laundered"] >= 0.55


def _table(figures: Figures, report: Report) -> None:
    report("", "forensic figures, 5 folds by group; then every real collection left out in turn, alpha .05")
    for profile in PROFILES:
        rates = figures.unseen[profile]
        unseen = max(rates, key=rates.__getitem__)
        report(
            f"{profile:9s} mAP {figures.mean_ap(profile):.4f}, worst {figures.worst_ap(profile):.4f} "
            f"({figures.worst[profile]}) | unseen collections: false positives {fmean(rates.values()):.4f}, "
            f"worst {rates[unseen]:.3f} ({unseen}), recall {figures.recall[profile]:.4f}"
        )
    for name, value in sorted(figures.aps["laundered"].items(), key=lambda item: item[1]):
        report(f"  {name:24s} raw {figures.aps['raw'][name]:.4f}  laundered {value:.4f}")
