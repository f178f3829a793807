"""What people report on the real store: learned, shown as a source of its own, and evidence of nothing else."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from daemon.champion import load_version
from daemon.cli import run
from daemon.intake.reporting import report_known, report_picture
from daemon.learn.learning import update
from daemon.model import FEEDBACK, PROFILES, Report, Subject
from daemon.promote.judging import judge
from daemon.views import FamilyView
from store.lock import StateLock
from store.state import open_store
from tests.integration.test_alarms import kinds, status
from tests.integration.test_service import Service
from tests.integration.test_story import assert_whole
from tests.integration.world import KNOWN, NEW, World, candidate

REAL = Report("real", note="ours")
OWN = Subject("source", FEEDBACK)


def begun(root: Path) -> World:
    return World.settled(root)


def report_many(world: World, looks_like: str, numbers: range, report: Report = REAL) -> None:
    for i in numbers:
        content = f"{looks_like}:reported-{i}".encode()
        assert report_picture(world.context, content, report, "ada").outcome == "stored"


def figures(world: World) -> dict[str, Any]:
    """What reports must not move: every family's figures, and the mean over the real sources."""
    shown = status(world)
    return {
        "families": {family.name: (family.profiles, family.votes) for family in shown.families},
        "rate": shown.real_false_positive_rate,
        "sources": {source.name: source.profiles for source in shown.real_sources if source.name != FEEDBACK},
        "mean": shown.mean_ap,
    }


def test_reported_photographs_are_a_source_that_says_nothing_about_the_others(tmp_path: Path) -> None:
    world = begun(tmp_path / "state")
    before = figures(world)
    report_many(world, KNOWN[0], range(40))
    world.until_idle()
    assert figures(world) == before
    (own,) = [source for source in status(world).real_sources if source.name == FEEDBACK]
    assert (own.trust, own.samples, own.state) == ("known", 40, "ok")
    assert {p: f.false_positive_rate for p, f in own.profiles.items()} == dict.fromkeys(PROFILES, 1.0)
    assert own.evidence_log10 is None, "it is under no test"
    assert kinds(world) == []
    assert_whole(world)


def test_they_are_learned_without_moving_the_threshold_or_the_gate(tmp_path: Path) -> None:
    plain, other = begun(tmp_path / "plain"), begun(tmp_path / "other")
    report_many(other, "third_kind", range(40))
    made = []
    for world in (plain, other):
        world.inbox.put(candidate(name, i) for name in KNOWN for i in range(100, 110))
        world.until_idle()
        challenge = update(world.context)
        assert challenge is not None
        made.append((challenge, judge(world.context, challenge)))
    (_, without), (challenge, verdict) = made
    artifact = challenge.version.artifact
    assert OWN in artifact.head.subjects
    for threshold in artifact.thresholds.values():
        assert FEEDBACK not in threshold.left_out
    counted = [{(c.name, c.profile, c.subject): c.n for c in one.checks} for one in (without, verdict)]
    assert counted[0] == counted[1]


def test_missed_pictures_count_as_their_family_and_prove_nothing_beside_a_random_stream(tmp_path: Path) -> None:
    world = begun(tmp_path / "state")
    report_many(world, NEW, range(30), Report("synthetic", KNOWN[0]))
    world.until_idle()
    (family,) = families(world, KNOWN[0])
    assert family.samples == 90 and family.state == "detected"
    assert family.profiles["raw"].n == 60
    assert kinds(world) == []


def test_a_family_that_only_people_report_is_alarmed_and_waits_for_a_second_source(tmp_path: Path) -> None:
    world = begun(tmp_path / "state")
    report_many(world, NEW, range(30), Report("synthetic", NEW))
    world.until_idle()
    (family,) = families(world, NEW)
    assert family.state in ("evading", "inverted") and family.profiles["raw"].n == 30
    assert len(world.store.registry.versions()) == 1, "known alone triggers nothing"


def families(world: World, name: str) -> list[FamilyView]:
    return [family for family in status(world).families if family.name == name]


def test_a_verdict_of_ours_never_becomes_a_label(tmp_path: Path) -> None:
    world = begun(tmp_path / "state")
    world.inbox.put(candidate(KNOWN[0], i, label=None, family=None, group=None) for i in range(200, 220))
    world.until_idle()
    rows = world.store.samples.labelled_vectors("f" * 64, "raw")
    assert len(rows) == 9 * 60, "scored, and still nobody's"
    champion = world.store.registry.champion()
    assert champion is not None
    scores = load_version(world.store.registry, champion).artifact.head.scores(rows.vectors)
    assert np.isfinite(scores).all()
    unlabelled = world.store.samples.unlabelled("f" * 64)
    assert len(unlabelled) == 20
    sha = candidate_digest(KNOWN[0], 200)
    assert report_known(world.context, sha, REAL, "ada").outcome == "stored"
    assert len(world.store.samples.unlabelled("f" * 64)) == 19


def candidate_digest(name: str, index: int) -> str:
    import hashlib

    content = candidate(name, index).content
    assert content is not None
    return hashlib.sha256(content).hexdigest()


# --- as people meet it ------------------------------------------------------------------------------------


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (96, 96, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configuration = {"encoder": {"name": "forensic"}, "http": {"port": 0, "ingest_token": "bring"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    for i in range(2):
        (tmp_path / f"{i}.jpg").write_bytes(jpeg(i))
    (tmp_path / "broken.jpg").write_bytes(jpeg(3)[:500])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["feedback", *arguments, "--json"]) == code
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_the_command_works_alone_and_beside_a_service(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = asked(capsys, "0.jpg", "broken.jpg", "--real", "--note", "ours", code=65)
    assert [(row["outcome"], row["reason"]) for row in first] == [("stored", None), ("rejected", "corrupt")]
    with StateLock(folder / "state", datetime.now(UTC)):
        again = asked(capsys, "0.jpg", "1.jpg", "--real", "--note", "ours")
        assert [(row["outcome"], row["repeated"]) for row in again] == [("known", True), ("stored", False)]
        (conflict,) = asked(capsys, again[0]["sha256"], "--synthetic", "--family", "sdxl")
        assert (conflict["outcome"], conflict["reason"]) == ("quarantined", "label_conflict")
    with open_store(folder / "state", read_only=True) as store:
        assert [(row.subject.name, row.samples) for row in store.samples.subjects()] == [(FEEDBACK, 1)]
        assert "cycle" in {one.job for one in store.runs.latest() if one.state == "waiting"}
        assert all(row.actor and row.reason in ("ours", "") for row in store.registry.audit())
    assert run(["verify", "--deep"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["0.jpg"], 2, "give one of them"),
        (["0.jpg", "--real", "--synthetic"], 2, "give one of them"),
        (["0.jpg", "--real", "--family", "sdxl"], 2, "no generator family"),
        (["0.jpg", "--synthetic", "--family", "SDXL base"], 65, "lower snake case"),
        (["0.jpg", "--synthetic", "--family", "real"], 65, "reserved"),
        (["0.jpg", "--synthetic", "--family", "x" * 65], 65, "at most 64"),
        (["0.jpg", "--real", "--note", "x" * 2001], 65, "at most 2000"),
        (["0.jpg", "--real", "--note", "x\udcff"], 65, "no UTF-8 text"),
        (["nowhere.jpg", "--real"], 65, "cannot read nowhere.jpg"),
        (["a" * 64, "--real"], 65, "send the picture itself"),
    ],
)
def test_what_it_does_not_do(
    arguments: list[str], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["feedback", *arguments]) == code
    assert message in capsys.readouterr().err


def test_no_other_source_may_call_itself_feedback(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "manifest.csv").write_text("uri,label,source\n0.jpg,real,feedback\n1.jpg,real,kodak\n", encoding="utf-8")
    assert run(["ingest", "manifest.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejected"] == {"bad_record": 1}
    adapters = {"adapters": [{"name": FEEDBACK, "kind": "folder"}]}
    (folder / "config.yaml").write_text(yaml.safe_dump(adapters), encoding="utf-8")
    assert run(["check-config"]) == 78
    assert "kept for what people report" in capsys.readouterr().err


def test_a_running_service_takes_reports_over_http(folder: Path) -> None:
    service = Service(folder)
    try:
        assert post(service, {"verdict": "real", "sha256": "a" * 64}, token="wrong")[0] == 401
        code, told = post(service, {"verdict": "real", "sha256": "a" * 64})
        assert (code, "send the picture itself" in told["detail"]) == (422, True)
        done = service.command("feedback", "0.jpg", "--real", "--json")
        sha = json.loads(done.stdout)[0]["sha256"]
        code, told = post(service, {"verdict": "real", "sha256": sha}, key="7")
        assert (code, told["outcome"], told["repeated"]) == (202, "known", False)
        assert post(service, {"verdict": "real", "sha256": sha}, key="7")[1]["repeated"]
        service.wait_for_vectors(1)
        metrics = service.get("/metrics")[1]
        assert f'sidwatch_samples_rejected_total{{adapter="{FEEDBACK}",reason="corrupt"}} 0.0' in metrics
    finally:
        service.process.kill()
        service.process.wait()
        assert service.process.stderr is not None
        service.process.stderr.close()


def post(service: Service, report: dict[str, str], token: str = "bring", key: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    if key:
        headers["idempotency-key"] = key
    request = urllib.request.Request(service.url + "/v1/feedback", json.dumps(report).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
