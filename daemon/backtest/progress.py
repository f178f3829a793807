"""How far a policy's replay has come, and what it found: a file that is there whole or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from daemon.backtest.figures import Moment
from daemon.errors import CorruptArtifact
from daemon.writing import write_whole


class Incident(BaseModel):
    """One episode of a family."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str
    champion: str  # that it evaded
    alarmed_at: datetime
    samples_to_alarm: int  # votes: pictures, those of one group counted once
    learned_at: datetime | None
    version: str | None  # that learned it
    recovered_at: datetime | None
    samples_to_recovery: int | None  # pictures that came after it was learned; None: it has not recovered


class Decision(BaseModel):
    """What the gate said of one challenger."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    at: datetime
    decision: str  # promoted, held, rejected
    reason: str


class Outcome(BaseModel):
    """What the service did over the whole calendar."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    incidents: list[Incident]
    decisions: list[Decision]
    false_alarms: list[tuple[str, str, str]]  # (version, family or source, name) whose floors held after all


class Progress(BaseModel):
    """Everything a report needs of one policy; `outcome` is there once the replay is over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delivered: int = 0  # deliveries that are dealt with
    zero_shot: dict[str, Moment | None] = {}  # family -> the champion in force when it was released, before it came
    periods: dict[int, Moment | None] = {}  # the champion at the end of each period, on every family
    outcome: Outcome | None = None


def progress_file(folder: Path) -> Path:
    """Where a replay keeps it, in its folder."""
    return folder / "progress.json"


def load_progress(path: Path) -> Progress:
    """What was saved; the beginning when nothing was. Raises CorruptArtifact when it cannot be read.

    The store has moved on by then: a replay begun anew beside it would take families for new that it knows.
    """
    try:
        return Progress.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Progress()
    except ValidationError as error:
        raise CorruptArtifact(
            f"{path} is damaged; delete the folder {path.parent} and run the command again: this policy begins anew"
        ) from error


def save_progress(path: Path, progress: Progress) -> None:
    """On return whoever reads the path finds this, after a kill too."""
    write_whole(path, progress.model_dump_json())
