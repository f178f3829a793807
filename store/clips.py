"""Which samples statistics leave out as implausible, and of which groups that was decided."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, and_, delete, insert, select

from daemon.model import Clipped, GroupClip, Subject
from store import tables as t
from store.database import columns
from store.parts import Part


class Clips(Part):
    """Reads the decisions; they are written with the statistics that follow them."""

    def clipped(self, fingerprint: str) -> list[Clipped]:
        """What that encoder's statistics leave out as implausible, by sample."""
        c = t.clipped.c
        query = select(c.sample_id, c.subject_kind, c.subject_name, c.version, c.spreads, c.revision)
        with self._database.read() as connection:
            found = columns(connection, query.where(c.fingerprint == fingerprint).order_by(c.sample_id))
        return [
            Clipped(sample, Subject(kind, name), version, spreads, revision)
            for sample, kind, name, version, spreads, revision in zip(*found, strict=True)
        ]

    def clips_judged(self, fingerprint: str) -> dict[Subject, str]:
        """The groups about which it was decided, each with the digest of what that was decided from."""
        j = t.clip_judged.c
        query = select(j.subject_kind, j.subject_name, j.judged).where(j.fingerprint == fingerprint)
        with self._database.read() as connection:
            return {Subject(kind, name): judged for kind, name, judged in connection.execute(query)}


def save_clips(
    connection: Connection, fingerprint: str, revision: int, clips: Mapping[Subject, GroupClip | None]
) -> None:
    """Put these decisions in the place of the groups' earlier ones.

    revision: of the statistics, from which on what was not left out before is.
    """
    c, j = t.clipped.c, t.clip_judged.c
    since: dict[int, int] = {}
    for subject in clips:
        mine = and_(c.fingerprint == fingerprint, c.subject_kind == subject.kind, c.subject_name == subject.name)
        since.update((row[0], row[1]) for row in connection.execute(select(c.sample_id, c.revision).where(mine)))
        connection.execute(delete(t.clipped).where(mine))
        connection.execute(
            delete(t.clip_judged).where(
                j.fingerprint == fingerprint, j.subject_kind == subject.kind, j.subject_name == subject.name
            )
        )
    for subject, clip in clips.items():  # after all of them are gone: a sample may move between two groups
        if clip is None:
            continue
        names = {"fingerprint": fingerprint, "subject_kind": subject.kind, "subject_name": subject.name}
        connection.execute(insert(t.clip_judged).values(**names, version=clip.version, judged=clip.judged))
        if clip.clipped:
            connection.execute(
                insert(t.clipped),
                [
                    {
                        **names,
                        "sample_id": sample_id,
                        "version": clip.version,
                        "spreads": spreads,
                        "revision": since.get(sample_id, revision),
                    }
                    for sample_id, spreads in clip.clipped.items()
                ],
            )


def drop_clips(connection: Connection, fingerprint: str) -> None:
    """Nothing is decided for that encoder any more."""
    for table in (t.clipped, t.clip_judged):
        connection.execute(delete(table).where(table.c.fingerprint == fingerprint))
