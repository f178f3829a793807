"""Statistics of a family by the form that its pictures come in, each a group of its own when there is enough of it.

One generator's pictures reach people along several ways: as its own program saved them, or compressed and scaled by a
site. One mean between the two describes neither. The file format tells the ways apart well enough, is a fact of the
file that never changes, and is asked when a head is solved alone: no head and no feature sees it. (On real pictures two
means that k-means found in a family's vectors were those of its two formats, to the picture.)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

from numpy.typing import NDArray

from daemon.errors import CorruptArtifact
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.heads.tensors import load_tensors, save_tensors
from daemon.model import Profile, Subject

Forms = Mapping[str, GroupStatistics]  # form -> statistics of what came in it; "": the form is not known
Named = tuple[Subject, Profile]


def to_bytes(forms: Forms) -> bytes:
    """The statistics of one subject under one profile as safetensors, empty forms left out."""
    tensors: dict[str, NDArray[Any]] = {}
    for form, statistics in forms.items():
        if statistics.n:
            place = f"{form}/" if form else ""
            tensors |= {place + name: array for name, array in statistics.to_tensors().items()}
    return save_tensors(tensors)


def from_bytes(data: bytes) -> dict[str, GroupStatistics]:
    """Read what `to_bytes` wrote.

    Raises:
        CorruptArtifact: the bytes are not group statistics, whole and consistent.
    """
    parts: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in load_tensors(data, "group statistics").items():
        form, _, own = name.rpartition("/")
        parts.setdefault(form, {})[own] = array
    forms = {form: GroupStatistics.from_tensors(parts[form]) for form in sorted(parts)}
    if len({statistics.dimension for statistics in forms.values()}) != 1:
        raise CorruptArtifact("group statistics: the forms' vectors differ in length, or there are none")
    return forms


def count(forms: Forms) -> int:
    """Vectors in all forms together."""
    return sum(statistics.n for statistics in forms.values())


def together(forms: Forms) -> GroupStatistics:
    """The statistics of all forms in one."""
    return reduce(add, (forms[form] for form in sorted(forms)))


def modelled_apart(statistics: Mapping[Named, Forms], min_form: int) -> dict[GroupKey, GroupStatistics]:
    """The groups that a head is solved from.

    A form with `min_form` vectors under every profile of its subject is a group; what comes in a rarer one is counted
    with the commonest. Where fewer than two are that common, the subject is one group, whatever the form.
    """
    groups: dict[GroupKey, GroupStatistics] = {}
    for (subject, profile), forms in statistics.items():
        own = [found for (other, _), found in statistics.items() if other == subject] if len(forms) > 1 else []
        common = [form for form in sorted(forms) if own and all(_n(found, form) >= min_form for found in own)]
        if len(common) < 2:
            groups[GroupKey(subject, profile)] = together(forms)
            continue
        largest = max(common, key=lambda form: (sum(_n(found, form) for found in own), form))
        for form in common:
            rest = {other: forms[other] for other in forms if other not in common} if form == largest else {}
            groups[GroupKey(subject, profile, form)] = together({form: forms[form], **rest})
    return groups


def spread(digests: Mapping[Named, str], groups: Mapping[GroupKey, GroupStatistics]) -> dict[GroupKey, str]:
    """The digest of the file that each group was made from."""
    return {key: digests[key.subject, key.profile] for key in groups if (key.subject, key.profile) in digests}


def _n(forms: Forms, form: str) -> int:
    return forms[form].n if form in forms else 0
