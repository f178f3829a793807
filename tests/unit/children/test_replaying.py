"""A replay in a child: what it is given, what it says, and what is left when it ends otherwise than it should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from daemon.app import kept_in
from daemon.backtest.calendar import Entry
from daemon.backtest.policies import POLICIES
from daemon.backtest.progress import Progress, progress_file, save_progress
from daemon.backtest.replaying import Ground, replay_all
from daemon.errors import BadInputError, StateLocked
from daemon.settings import HttpSettings, Settings

ENTRIES = (
    Entry("photo.png", "0" * 64, "real", None, "camera", "a", None, None),
    Entry("old.png", "1" * 64, "synthetic", "old", "maker", "b", "2020-01", None),
    Entry("new.png", "2" * 64, "synthetic", "new", "maker", "c", "2021-01", None),
)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A collection of three pictures, none of which is kept."""
    settings = Settings(http=HttpSettings(write_token=SecretStr("a secret of the service")))
    return Ground(settings, ENTRIES, 1, 4, tmp_path / "manifest.csv", tmp_path, "f" * 64, tmp_path / "runs")


def untold(what: str, done: int, of: int) -> None: ...


def test_the_error_of_a_replay_is_the_commands_and_names_what_to_do(ground: Ground) -> None:
    told: list[tuple[str, int, int]] = []
    with pytest.raises(
        BadInputError, match=r"copy of picture 0{12} is gone or damaged: remove the state folder's cache"
    ):
        replay_all(ground, [POLICIES["static"], POLICIES["mixture"]], lambda *progress: told.append(progress))
    assert {done for _, done, _ in told} == {0}


def test_a_state_that_somebody_else_holds_is_said_as_such(ground: Ground) -> None:
    with kept_in(ground.folder / "static" / "state"), pytest.raises(StateLocked, match="is in use by process"):
        replay_all(ground, [POLICIES["static"]], untold)


def test_a_collection_that_cannot_be_laid_out_is_said_by_the_child(ground: Ground) -> None:
    with pytest.raises(BadInputError, match="has no real pictures"):
        replay_all(replace(ground, entries=ENTRIES[1:]), [POLICIES["static"]], untold)


def test_a_replay_that_is_over_is_only_read(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    over = Progress.model_validate({"delivered": 2, "outcome": {"incidents": [], "decisions": [], "false_alarms": []}})
    (ground.folder / "static").mkdir(parents=True)
    save_progress(progress_file(ground.folder / "static"), over)
    monkeypatch.setattr("daemon.backtest.replaying.Child", None)
    assert replay_all(ground, [POLICIES["static"]], untold) == {"static": over}


def test_no_secret_of_the_service_is_given_to_a_replay(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def child(role: str, arguments: object, **how: object) -> None:
        given.append(repr((role, arguments, how)))
        raise BadInputError("that is enough")

    monkeypatch.setattr("daemon.backtest.replaying.Child", child)
    with pytest.raises(BadInputError, match="that is enough"):
        replay_all(ground, [POLICIES["static"]], untold)
    (text,) = given
    assert "'policy': 'static'" in text
    assert "token" not in text
