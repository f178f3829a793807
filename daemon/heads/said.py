"""What the manifest of a version must say, strictly: for one that was written elsewhere and came in a folder.

`read` says whether a version scores as recorded. This says whether people can be told of it: the card, the status and
the gate rely on more than the scores. What is not there is not asked for, other keys are allowed: versions of all
releases pass.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.errors import CorruptArtifact
from daemon.heads.threshold import Method
from daemon.model import Profile, SubjectKind

_SHOWN = 120  # characters of a place in the manifest: keys may be of any length

Count = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Threshold(_Said):
    value: float | Literal["inf"]
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)]
    method: Method
    pictures: Count
    left_out: dict[str, Share]
    note: str = ""


class _Thresholds(_Said):
    raw: _Threshold
    laundered: _Threshold


class _Calibration(_Said):
    a: float = 1.0
    b: float = 0.0
    method: Literal["platt", "none"] = "none"
    pictures: Count = 0


class _Head(_Said):
    groups: list[list[str]] = []


class _Dataset(_Said):
    samples: Count
    sha256: str


class _Exclusion(_Said):
    kind: SubjectKind
    name: str
    source: str
    profile: Profile
    samples: Count
    why: str


class _Group(_Said):
    kind: SubjectKind
    name: str
    profile: Profile
    form: str | None = None
    n: Count
    modelled: bool
    sha256: str | None = None


class _Statistics(_Said):
    revision: Count = 0
    groups: list[_Group] = []


class _Settings(_Said):
    log_priors: list[tuple[str, float]] = []


class _About(_Said):
    encoder_fingerprint: str = ""
    parent: str | None = None
    learner: str = ""
    code_version: str = ""
    settings: _Settings = _Settings()
    dataset: _Dataset | None = None
    exclusions: list[_Exclusion] = []
    statistics: _Statistics = _Statistics()


class _Manifest(_Said):
    about: _About
    heads: dict[str, _Head]
    thresholds: _Thresholds
    calibration: _Calibration


def check_said(manifest: bytes) -> None:
    """Raises CorruptArtifact, one line, when the manifest leaves out what every version says, or says it otherwise."""
    try:
        _Manifest.model_validate_json(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "".join(one if one.isprintable() else "?" for one in ".".join(map(str, first["loc"])))[:_SHOWN]
        raise CorruptArtifact(f"version: the manifest's {place or 'content'} is wrong: {first['msg']}") from error
