"""What `status` says before there is a champion."""

from __future__ import annotations

import pytest

from daemon.commands.looking import print_status
from daemon.settings import LearnSettings
from daemon.views import FamilyView, SourceView, Status
from daemon.web import examples

SETTINGS = LearnSettings(first_families=1, first_sources=1, first_samples=30)


def said(samples: int, capsys: pytest.CaptureFixture[str]) -> str:
    status = Status.model_validate(examples.STATUS).model_copy(
        update={
            "champion": None,
            "families": [FamilyView.model_validate({**examples.FAMILY, "samples": samples})],
            "real_sources": [
                SourceView.model_validate({**examples.SOURCE, "name": name, "samples": 30}) for name in ("one", "two")
            ],
        }
    )
    print_status(status, SETTINGS)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("no champion yet")]
    return line


def test_what_a_first_champion_lacks_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(29, capsys) == (
        "no champion yet: a first one needs 1 families and 1 real sources of 30 pictures or more each; "
        "there are 0 and 2"
    )


def test_when_nothing_lacks_the_side_that_may_be_learned_from_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(30, capsys)
    assert "there are 1 and 2. Only about half of all pictures may be learned from" in line
