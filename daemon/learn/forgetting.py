"""What the statistics may hold: decided anew every time from what the deliveries say by now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from daemon.errors import CorruptArtifact
from daemon.heads import GroupStatistics, forms
from daemon.heads.statistics import Rows
from daemon.model import PROFILES, LabelledSamples, LearnedRow, LeftOutReason, Profile
from daemon.ports import StatisticsKey

ReadRows = Callable[[Profile, Sequence[LearnedRow]], Rows]


def learnable(rows: LabelledSamples, barred: Collection[int]) -> LabelledSamples:
    """The rows that a head may learn from: of the train split; barred are samples of untrusted sources and anchors."""
    return rows.take(
        [
            i
            for i, (sample, split) in enumerate(zip(rows.sample_ids.tolist(), rows.splits, strict=True))
            if split == "train" and sample not in barred
        ]
    )


def to_take_out(
    learned: Sequence[LearnedRow],
    may_learn: LabelledSamples,
    raw_left_out: Mapping[int, LeftOutReason],
    form_of: Mapping[int, str],
) -> set[int]:
    """Ids of the samples that the statistics hold as something that they would not be learned as now.

    They were forgotten, put in quarantine or relabelled since, their source is no longer trusted, their family is an
    anchor, the shortcut audit of their batch came out otherwise, or they were counted with another form.

    Parameters:
        learned: what the statistics hold.
        may_learn: see `learnable`.
        raw_left_out: of which samples only the laundered form may be learned, and why.
        form_of: in which form the pictures of families come, where that is known.
    """
    subjects = dict(zip(may_learn.sample_ids.tolist(), may_learn.subjects, strict=True))
    return {
        row.sample_id
        for row in learned
        if subjects.get(row.sample_id) != row.subject
        or raw_left_out.get(row.sample_id) != row.raw_left_out
        or form_of.get(row.sample_id, "") != row.form
    }


def in_profile(learned: Sequence[LearnedRow], profile: Profile) -> list[LearnedRow]:
    """The rows whose form under the profile the statistics hold."""
    return [row for row in learned if profile != "raw" or row.raw_left_out is None]


def subtracted(
    files: dict[StatisticsKey, bytes], learned: Sequence[LearnedRow], gone: Collection[int], read: ReadRows
) -> dict[StatisticsKey, dict[str, GroupStatistics]]:
    """The groups that change when these samples are taken out, as they are then; a group may be left empty.

    Parameters:
        files: every group's statistics, as stored.
        learned: what they hold, in the order in which it was learned.
        gone: sample ids.
        read: the vectors and folds of learned rows under a profile.

    Raises:
        CorruptArtifact: a group that must hold one of them is not there.
        BadInputError: the statistics do not hold the vectors that they must.

    Source: method section 4, "forgetting subtracts".
    """
    changed: dict[StatisticsKey, dict[str, GroupStatistics]] = {}
    for subject in sorted({row.subject for row in learned if row.sample_id in gone}):
        every = [row for row in learned if row.subject == subject]
        for profile in PROFILES:
            own = in_profile(every, profile)
            touched = sorted({row.form for row in own if row.sample_id in gone})
            if not touched:
                continue
            if (subject, profile) not in files:
                raise CorruptArtifact(f"the {profile} statistics of {subject.kind} {subject.name} are missing")
            held = forms.from_bytes(files[subject, profile])
            for form in touched:
                if form not in held:
                    raise CorruptArtifact(
                        f"the {profile} statistics of {subject.kind} {subject.name} hold nothing in the form {form!r}"
                    )
                alike = [row for row in own if row.form == form]
                out = [row for row in alike if row.sample_id in gone]
                left = [row for row in alike if row.sample_id not in gone]
                held[form] = _without(held[form], profile, out, left, read)
            changed[subject, profile] = held
    return changed


def _without(
    before: GroupStatistics, profile: Profile, out: list[LearnedRow], left: list[LearnedRow], read: ReadRows
) -> GroupStatistics:
    if not left:
        return GroupStatistics.empty(before.dimension)
    return before.subtract(*read(profile, out), lambda: read(profile, left))
