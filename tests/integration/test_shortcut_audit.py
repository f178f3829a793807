"""A batch whose files give its label away: told, stored, shown, and learned in its laundered form only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from daemon.app import sources_of
from daemon.champion import load_version
from daemon.cli import app
from daemon.evaluate.measuring import differing_figures
from daemon.heads import read
from daemon.model import Candidate, FileFacts, Inspected, Subject
from daemon.registry.card import card
from daemon.registry.facts import facts_of
from daemon.settings import ShortcutAuditSettings
from daemon.shortcuts.auditing import audit_shortcuts
from daemon.status.snapshot import snapshot
from daemon.telemetry.metrics import Telemetry
from store.verify import verify
from tests.integration.world import FINGERPRINT, KNOWN, SOURCES, World, beginning, candidate

PNG = FileFacts("RGB", None, None, None, None, False, False, False)
GAN = "third_gan"


def jpeg(content: bytes) -> tuple[int, int, FileFacts]:
    """Width, height and facts of a JPEG, drawn alike for every subject."""
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(b"file" + content).digest()[:8]))
    coarse = int(random.integers(2, 12))
    facts = FileFacts("RGB", float(coarse), 1.5 * coarse, f"{coarse:016x}", "4:2:0", False, False, False)
    return int(random.integers(300, 900)), int(random.integers(300, 900)), facts


@dataclass
class Files:
    """An inspector: what is a PNG, by the name in the bytes; everything else is a JPEG of one common history."""

    is_png: Callable[[str, int], bool]

    def inspect(self, content: bytes) -> Inspected:
        name, _, index = content.decode().partition(":")
        width, height, facts = jpeg(content)
        if self.is_png(name, int(index)):
            return Inspected(width, height, "PNG", "0" * 16, PNG)
        return Inspected(width, height, "JPEG", "0" * 16, facts)


def world_of(root: Path, is_png: Callable[[str, int], bool], **settings: Any) -> World:
    world = World(root)
    audit = ShortcutAuditSettings.model_validate({"action": "laundered_only", **settings})
    world.settings = world.settings.model_copy(update={"shortcut_audit": audit})
    reopen(world, is_png)
    return world


def reopen(world: World, is_png: Callable[[str, int], bool]) -> None:
    """As a fresh process would."""
    world.open()
    world.context = replace(world.context, inspector=Files(is_png))


def only_the_gan(name: str, index: int) -> bool:
    return name == GAN


def counts(world: World) -> dict[tuple[str, str], int]:
    """(name, profile) -> learned pictures, as the champion's manifest says."""
    champion = world.store.registry.champion()
    assert champion is not None
    about = load_version(world.store.registry, champion).artifact.about
    return {(group["name"], group["profile"]): group["n"] for group in about["statistics"]["groups"]}


def assert_whole(world: World) -> None:
    def check(tensors: bytes, manifest: bytes) -> None:
        read(tensors, manifest)

    found = verify(
        world.store,
        now=world.clock.now(),
        started_at=0.0,
        check_artifact=check,
        recompute=lambda: differing_figures(world.context),
        deep=True,
    )
    assert [(c.number, c.detail) for c in found if not c.ok] == []


def news(world: World) -> list[tuple[str, object, object]]:
    events = [event for event in world.store.samples.events(1000) if event.kind.startswith("shortcut_")]
    return sorted((event.kind, str(event.data["subject"]), str(event.data["source"])) for event in events)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = world_of(tmp_path_factory.mktemp("shortcut") / "state", only_the_gan)
    world.inbox.put(beginning())
    world.until_idle()
    return world


def test_only_the_laundered_form_of_the_batch_enters_the_statistics(audited: World) -> None:
    learned = counts(audited)
    assert (GAN, "raw") not in learned
    assert learned[GAN, "laundered"] > 0
    others = (set(KNOWN) - {GAN}) | set(SOURCES)
    assert all(learned[name, "raw"] == learned[name, "laundered"] > 0 for name in others)
    assert_whole(audited)


def test_the_audit_is_stored_with_its_figures_and_told_once(audited: World) -> None:
    audits = {audit.batch.subject.name: audit for audit in audited.store.samples.shortcut_audits()}
    assert set(audits) == {*KNOWN, *SOURCES}
    found = audits[GAN]
    assert (found.state, found.unknown, found.number) == ("shortcut", 0, 1)
    assert found.n == 60 and found.others > 300
    assert found.auroc is not None and found.lower is not None
    assert found.auroc > 0.99 and found.lower > 0.9
    assert {audit.state for name, audit in audits.items() if name != GAN} == {"clean"}
    assert news(audited) == [("shortcut_found", str(["family", GAN]), "world")]
    assert [event.kind for event in audited.told].count("shortcut_found") == 1


def test_nothing_is_audited_twice(audited: World) -> None:
    before = audited.store.samples.shortcut_audits()
    audited.clock.after_cycle()
    assert audit_shortcuts(audited.context) == 0
    assert audited.store.samples.shortcut_audits() == before  # the time of the audit too


def test_the_exclusion_is_in_the_manifest_with_its_reason_and_on_the_card(audited: World) -> None:
    registry = audited.store.registry
    champion = registry.champion()
    assert champion is not None
    (left_out,) = load_version(registry, champion).artifact.about["exclusions"]
    assert (left_out["kind"], left_out["name"], left_out["source"], left_out["profile"]) == (
        "family",
        GAN,
        "world",
        "raw",
    )
    assert left_out["reason"] == "metadata_shortcut"
    assert left_out["samples"] == counts(audited)[GAN, "laundered"]
    text = card(facts_of(registry, audited.store.samples, champion))
    assert f"| family | {GAN} | world | raw | {left_out['samples']} | file metadata alone" in text


def test_people_and_machines_see_it(audited: World, tmp_path: Path) -> None:
    status = snapshot(sources_of(audited.settings, audited.store), "ready", audited.clock.now())
    (shown,) = [view for view in status.shortcuts if view.state == "shortcut"]
    assert (shown.name, shown.laundered_only) == (GAN, True)
    telemetry = Telemetry("1")
    telemetry.publish(status)
    text = telemetry.exposition()[0].decode()
    assert 'sidwatch_shortcut_batches{state="shortcut"} 1.0' in text
    assert f'sidwatch_shortcut_auroc_ratio{{kind="family",name="{GAN}"}}' in text
    config = tmp_path / "config.yaml"
    acting = "shortcut_audit:\n  action: laundered_only\n"
    config.write_text(f"store:\n  directory: {audited.root}\nencoder:\n  name: forensic\n{acting}", encoding="utf-8")
    rows = json.loads(invoke("shortcuts", "--json", "--config", str(config)))
    assert {row["name"]: row["state"] for row in rows}[GAN] == "shortcut"
    assert "laundered only" in invoke("families", "show", GAN, "--config", str(config))
    assert "left out of what it learned" in invoke("models", "show", "champion", "--config", str(config))
    sample = next(row for row in audited.store.samples.learned_rows(FINGERPRINT) if row.subject.name == GAN)
    assert sample.raw_left_out == "metadata_shortcut"
    assert "sidwatch shortcuts" in invoke("status", "--config", str(config))


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_kill_before_the_statistics_were_written_changes_nothing(
    audited: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(tmp_path / "state", only_the_gan)
    world.inbox.put(beginning())

    def killed(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(world.store.samples), "commit_statistics", killed)
        with pytest.raises(KeyboardInterrupt):
            world.until_idle()
    assert world.store.registry.champion() is None
    reopen(world, only_the_gan)
    world.until_idle()
    assert counts(world) == counts(audited)
    assert news(world) == news(audited)
    found, expected = (
        [(a.batch, a.state, a.auroc, a.number) for a in one.store.samples.shortcut_audits()] for one in (world, audited)
    )
    assert found == expected
    assert_whole(world)


def test_when_every_family_is_a_shortcut_photographs_are_learned_laundered_too(tmp_path: Path) -> None:
    world = world_of(tmp_path / "state", lambda name, index: name in KNOWN)
    world.inbox.put(beginning())
    world.until_idle()
    learned = counts(world)
    assert {profile for _, profile in learned} == {"laundered"}
    assert {name for name, _ in learned} == {*KNOWN, *SOURCES}
    assert_whole(world)


def test_a_batch_that_is_no_shortcut_any_more_is_learned_raw_again(tmp_path: Path) -> None:
    def at_first(name: str, index: int) -> bool:
        return name == GAN and index < 60

    world = world_of(tmp_path / "state", at_first)
    world.inbox.put(beginning())
    world.until_idle()
    assert (GAN, "raw") not in counts(world)
    world.inbox.put(candidate(GAN, index) for index in range(60, 200))
    world.until_idle()
    groups = group_counts(world)
    assert groups[GAN, "raw"] == groups[GAN, "laundered"]
    assert [kind for kind, _, _ in news(world)] == ["shortcut_found", "shortcut_over"]
    assert not world.store.samples.raw_left_out(FINGERPRINT)
    assert_whole(world)


def group_counts(world: World) -> Mapping[tuple[str, str], int]:
    from daemon.heads import forms
    from daemon.learn.bookkeeping import bring_up_to_date

    bring_up_to_date(world.context)
    files = world.store.samples.statistics(FINGERPRINT)
    return {(s.name, profile): forms.count(forms.from_bytes(data)) for (s, profile), data in files.items()}


def test_a_renamed_family_stays_laundered_only(tmp_path: Path) -> None:
    world = world_of(tmp_path / "state", only_the_gan)
    world.inbox.put(beginning())
    world.until_idle()
    before = group_counts(world)[GAN, "laundered"]
    world.store.samples.rename_family(GAN, "gan_3", "its name", "anna", world.clock.now())
    world.until_idle()
    groups = group_counts(world)
    assert ("gan_3", "raw") not in groups
    assert groups["gan_3", "laundered"] == before
    audits = {a.batch.subject: a for a in world.store.samples.shortcut_audits()}
    assert {subject for subject, a in audits.items() if a.state == "shortcut"} == {Subject("family", "gan_3")}
    assert (audits[Subject("family", GAN)].known, audits[Subject("family", GAN)].unknown) == (0, 0)
    assert_whole(world)


def test_report_tells_and_learns_both_forms(tmp_path: Path) -> None:
    world = world_of(tmp_path / "state", only_the_gan, action="report")
    world.inbox.put(beginning())
    world.until_idle()
    learned = counts(world)
    assert learned[GAN, "raw"] == learned[GAN, "laundered"]
    assert news(world) == [("shortcut_found", str(["family", GAN]), "world")]


def test_pictures_without_file_facts_are_unknown_and_never_guessed(tmp_path: Path) -> None:
    world = World(tmp_path / "state")  # its inspector tells no facts, as stores of before have none
    world.inbox.put(beginning(12))
    world.cycle()
    audits = world.store.samples.shortcut_audits()
    assert {(a.state, a.auroc, a.n, a.unknown) for a in audits} == {("too_few", None, 0, 12)}
    again: list[Candidate] = [
        candidate(name, i, uri=f"again/{name}/{i}") for name in (*SOURCES, *KNOWN) for i in range(12)
    ]
    world.context = replace(world.context, inspector=Files(only_the_gan))
    world.inbox.put(again)
    world.cycle()
    assert {a.unknown for a in world.store.samples.shortcut_audits()} == {0}
