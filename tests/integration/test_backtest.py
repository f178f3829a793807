"""`sidwatch backtest` on a small simulated collection: the real command, killed for real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemon.backtest.replaying import processors
from tests.acceptance.command import environment, program, sidwatch
from tests.integration.released import RELEASED, write_collection

FAMILY = 40  # pictures of each: enough after the alarm to tell that it recovered
pytestmark = pytest.mark.accept  # whole runs of the real command

ARGUMENTS = ("backtest", "manifest.csv", "--period", "3", "--json", "--policy", "static", "--policy", "mixture")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("collection")
    write_collection(made, per_family=FAMILY)
    # So few pictures lose some laundered AP with every new family: a wider margin lets the story go on.
    (made / "config.yaml").write_text("encoder: {name: forensic}\ngate: {mean_margin: 0.05}\n", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = sidwatch(*ARGUMENTS, "--policy", "oracle", "--html", "page.html", folder=folder).json
    return found


def test_the_periods_are_those_of_the_release_dates(report: dict[str, Any]) -> None:
    assert [period["families"] for period in report["calendar"]] == [
        ["sim_transposed", "sim_nearest", "sim_pixelshuffle"],
        ["sim_diffusion", "sim_pixelshuffle_xl"],
    ]
    assert report["pictures"] == 6 * 30 + 5 * FAMILY


def test_it_says_under_both_profiles_what_was_promised(report: dict[str, Any]) -> None:
    promised = {"next_period_map", "next_period_auroc", "past_map", "whole_map", "final_map", "final_worst"}
    of_families = {"zero_shot_ap", "zero_shot_recall", "samples_to_alarm", "final_ap", "n"}
    assert set(report["profiles"]) == {"raw", "laundered"}
    for found in report["profiles"].values():
        assert set(found["policies"]) == {"static", "mixture", "oracle"}
        for own in found["policies"].values():
            assert promised | {"false_alarms"} <= set(own)
            assert all(0.0 < own[name] <= 1.0 for name in promised)
            assert set(own["families"]) == set(RELEASED)
            assert all(of_families <= set(family) and family["n"] == FAMILY for family in own["families"].values())


def test_a_family_that_evades_is_alarmed_learned_and_recovers_and_the_static_detector_stays_blind(
    report: dict[str, Any],
) -> None:
    policies = report["profiles"]["raw"]["policies"]
    met = {name: own for name, own in policies["mixture"]["families"].items() if own["zero_shot_recall"] is not None}
    assert set(met) == {"sim_diffusion", "sim_pixelshuffle_xl"}
    assert met["sim_diffusion"]["zero_shot_recall"] < 0.5 < met["sim_pixelshuffle_xl"]["zero_shot_recall"]
    evading = [name for name, own in met.items() if own["samples_to_alarm"] is not None]
    assert evading == ["sim_diffusion"]
    for name in evading:
        learned, static = policies["mixture"]["families"][name], policies["static"]["families"][name]
        assert 0 < learned["samples_to_alarm"] <= FAMILY
        assert learned["days_to_recovery"] > 0
        assert learned["final_ap"] > 0.95
        assert static["samples_to_alarm"] == learned["samples_to_alarm"]
        assert static["final_ap"] == pytest.approx(static["zero_shot_ap"])
    assert policies["static"]["promotions"] == 1
    assert policies["mixture"]["promotions"] > 1
    assert policies["mixture"]["whole_map"] > policies["static"]["whole_map"]
    assert policies["oracle"]["final_map"] - policies["mixture"]["final_map"] < 0.02


def test_what_was_done_is_not_done_again_and_a_page_is_written(folder: Path, report: dict[str, Any]) -> None:
    began = time.monotonic()
    again = sidwatch(*ARGUMENTS, "--policy", "oracle", folder=folder)
    assert again.json == report
    assert time.monotonic() - began < 30
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "sim_pixelshuffle_xl" in page
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_killed_again_and_again_it_ends_with_the_same_report(folder: Path, report: dict[str, Any]) -> None:
    state = folder / "killed"
    moments = [
        lambda: any(state.glob("derived/vectors-*/*")),  # while it encodes
        lambda: delivered(state, "static") >= 2,
        lambda: any(state.glob("runs/*/mixture/state/sidwatch.db")),  # in the first cycle
        lambda: delivered(state, "mixture") >= 3,
        lambda: delivered(state, "mixture") >= 6,
    ]
    for moment in moments:
        run_until(folder, state, moment)
    found = sidwatch(*ARGUMENTS, "--state", "killed", folder=folder).json
    for profile in ("raw", "laundered"):
        for policy in ("static", "mixture"):
            assert found["profiles"][profile]["policies"][policy] == report["profiles"][profile]["policies"][policy]
    for policy in ("static", "mixture"):
        assert found["decisions"][policy] == report["decisions"][policy]
        config = folder / f"{policy}.yaml"
        config.write_text(f"store: {{directory: {found['states'][policy]}}}\n", encoding="utf-8")
        checks = sidwatch("verify", "--deep", "--json", "--config", config, folder=folder).json["checks"]
        assert [check["number"] for check in checks if not check["ok"]] == []


def test_killed_alone_it_takes_its_replays_with_it_and_the_same_command_goes_on(
    folder: Path, report: dict[str, Any]
) -> None:
    state = folder / "alone"
    with started(folder, state) as process:
        wait_for(process, lambda: delivered(state, "static") >= 1 and delivered(state, "mixture") >= 1)
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        process.kill()
        assert psutil.wait_procs(below, timeout=60)[1] == []
    found = sidwatch(*ARGUMENTS, "--state", "alone", folder=folder).json
    assert found["decisions"] == {policy: report["decisions"][policy] for policy in ("static", "mixture")}


def test_a_replay_that_dies_ends_the_command_with_one_line(folder: Path) -> None:
    state = folder / "dying"
    with started(folder, state) as process:
        wait_for(process, lambda: delivered(state, "mixture") >= 1)
        below = psutil.Process(process.pid).children(recursive=True)
        replays = [child for child in below if child.cmdline()[-1] == "replay"]
        assert len(replays) == min(2, processors())
        # Either may have been started first: that of `mixture` is the one at its files.
        (mixture,) = [child for child in replays if any("/mixture/" in opened.path for opened in child.open_files())]
        mixture.kill()
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == 75
        assert psutil.wait_procs(below, timeout=60)[1] == []
    assert complaint.decode() == (
        "sidwatch: the replay of mixture: the replay child died with signal 9 (SIGKILL); "
        "the same command goes on from there\n"
    )


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so does what that starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_ctrl_c_ends_everything(folder: Path) -> None:
    state = folder / "interrupted"
    with started(folder, state) as process:
        wait_for(process, lambda: delivered(state, "mixture") >= 1)
        below = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the children too
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == 130
        assert psutil.wait_procs(below, timeout=60)[1] == []
    assert b"Traceback" not in complaint


def test_a_page_that_cannot_be_written_is_refused_before_the_work(folder: Path) -> None:
    refused = sidwatch(*ARGUMENTS, "--state", "never", "--html", "nowhere/page.html", folder=folder, status=65)
    assert "nowhere/page.html cannot be written" in refused.complaint
    assert not (folder / "never").exists()


def test_damaged_progress_is_said_not_begun_anew(folder: Path, report: dict[str, Any]) -> None:
    shutil.copytree(folder / "sidwatch-backtest", folder / "damaged")
    (path,) = (folder / "damaged").glob("runs/*/mixture/progress.json")
    path.write_text("{", encoding="utf-8")
    refused = sidwatch(*ARGUMENTS, "--state", "damaged", folder=folder, status=65)
    assert "is damaged; delete the folder" in refused.complaint


def test_two_at_once_in_one_folder_are_told_apart(folder: Path, report: dict[str, Any]) -> None:
    with started(folder, folder / "twice") as process:
        wait_for(process, lambda: (folder / "twice" / "derived").is_dir())
        refused = sidwatch(*ARGUMENTS, "--state", "twice", folder=folder, status=75)
    assert "is in use by" in refused.complaint
    shutil.rmtree(folder / "twice")


def run_until(folder: Path, state: Path, moment: Any) -> None:
    """Start it and SIGKILL its process group as soon as the moment has come."""
    with started(folder, state) as process:
        wait_for(process, moment)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


@contextmanager
def started(folder: Path, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process group of its own, which does not outlive the block."""
    with subprocess.Popen(
        [*program(), *ARGUMENTS, "--state", state.name], cwd=folder, env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(process: subprocess.Popen[bytes], moment: Any) -> None:
    until = time.monotonic() + 600
    while not moment():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < until
        time.sleep(0.02)


def delivered(state: Path, policy: str) -> int:
    """How many deliveries a replay has dealt with."""
    for path in state.glob(f"runs/*/{policy}/progress.json"):
        return int(json.loads(path.read_text(encoding="utf-8"))["delivered"])
    return 0
