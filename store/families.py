"""What people decide about families: names, mergers, splits, what is tested and what is never learned from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from daemon.corrections.model import Correction, FamilyFacts, FamilyPart, Relabel
from daemon.corrections.naming import Rule, ever_called, present_names
from daemon.errors import BadInputError, NotFoundError
from daemon.model import Subject
from store import tables as t
from store.corrections import (
    bump_revisions,
    carry_out,
    ensure_family,
    follow_labels,
    learned_of,
    note,
    sample_ids,
    write_relabels,
)
from store.database import chunks
from store.deciding import read_relabels, read_rules, subjects_by_id
from store.measurements import close_episodes
from store.near_duplicates import NEAR_DUPLICATE, beside_a_family, free_again
from store.parts import Part, is_gone
from store.quarantine import digests_of, let_in, set_apart
from store.renaming import rename_rows, take_over
from store.standings import blank_standing


@dataclass(frozen=True, slots=True)
class _Moved:
    """Samples that went into quarantine, or out of it, because a family became an anchor or is none any more."""

    ids: tuple[int, ...] = ()
    subjects: frozenset[Subject] = frozenset()
    set_apart: list[str] = field(default_factory=list)  # sha256
    let_in: list[str] = field(default_factory=list)


class Families(Part):
    """Each method that changes something is one audited transaction; see `daemon.ports.Corrections`."""

    def rename_family(self, old: str, new: str, reason: str, actor: str, at: datetime) -> Correction | None:
        """`old` is called `new` from now on; what deliveries call `old` goes on landing in it."""
        with self._database.write(durable=True) as connection:
            rules = read_rules(connection)
            if _is_done(connection, rules, old, new):
                return None
            row = _family(connection, old, rules)
            _check_free(connection, new, rules, unless=old)
            number = note(connection, "rename", reason, actor, at, {"family": old, "new": new})
            _add_rule(connection, Rule(old, new), number)
            rename_rows(connection, row.id, old, new)
            ids = _claiming(connection, (old, new))
            done = carry_out(connection, number, ids, at, note=f"renamed: {reason}")
            named = Subject("family", new)
            return replace(done, samples=_members(connection, row.id), subjects=tuple(sorted({*done.subjects, named})))

    def merge_families(self, name: str, into: str, reason: str, actor: str, at: datetime) -> Correction | None:
        """What was `name` is `into`, what deliveries call `name` later too."""
        with self._database.write(durable=True) as connection:
            rules = read_rules(connection)
            if _is_done(connection, rules, name, into):
                return None
            gone, kept = _family(connection, name, rules), _family(connection, into, rules)
            if gone.id == kept.id:
                raise BadInputError(f"{name} cannot be merged into itself; name two families")
            for what, field in (("retired", "retired_at"), ("an anchor", "anchored_at")):
                if (getattr(gone, field) is None) != (getattr(kept, field) is None):
                    one = name if getattr(gone, field) is not None else into
                    raise BadInputError(f"{one} is {what} and the other one is not; make them alike before they merge")
            number = note(connection, "merge", reason, actor, at, {"family": name, "into": into})
            _add_rule(connection, Rule(name, into), number)
            relabelled = t.relabelled
            connection.execute(update(relabelled).where(relabelled.c.family_id == gone.id).values(family_id=kept.id))
            why = f"merged into {into}: {reason}"
            take_over(connection, name, into, why)
            return carry_out(connection, number, _claiming(connection, (name, into)), at, note=why)

    def split_family(
        self, name: str, new: str, part: FamilyPart, sha256s: Sequence[str], reason: str, actor: str, at: datetime
    ) -> Correction | None:
        """A part of `name` is the family `new`: what meets the conditions, later deliveries too, or these samples."""
        with self._database.write(durable=True) as connection:
            rules = read_rules(connection)
            rule = Rule(name, new, part.source, part.released_after, part.delivered_after)
            if rule in rules and not sha256s and new not in present_names(rules):
                return None
            row = _family(connection, name, rules)
            if sha256s and _all_in(connection, sha256s, new):
                return None
            _check_free(connection, new, rules)
            said = {"samples": sorted(sha256s)} if sha256s else {**asdict(part), "delivered_after": _stated(part)}
            number = note(connection, "split", reason, actor, at, {"family": name, "new": new, **said})
            new_id = ensure_family(connection, new)
            flags = {column: getattr(row, column) for column in ("kind", "released", "retired_at", "anchored_at")}
            connection.execute(update(t.family).where(t.family.c.id == new_id).values(flags))
            if sha256s:
                ids = _relabelled_into(connection, row, new, sha256s, number)
            else:
                _add_rule(connection, rule, number)
                ids = _claiming(connection, (name, new))
            done = carry_out(connection, number, ids, at, note=f"split into {new}: {reason}")
            if not done.samples:
                raise BadInputError(f"no sample of {name} meets that, so there is nothing to split off")
            if is_gone(connection, Subject("family", name)):
                raise BadInputError(
                    f"every sample of {name} meets that; `sidwatch families rename` names all of it anew"
                )
            return done

    def retire_family(self, name: str, undo: bool, reason: str, actor: str, at: datetime) -> Correction | None:
        """Measure, test and gate the family no longer, or again; what was learned of it stays learned."""
        with self._database.write(durable=True) as connection:
            row = _family(connection, name, read_rules(connection))
            if (row.retired_at is None) == undo:
                return None
            action = "unretire" if undo else "retire"
            number = note(connection, action, reason, actor, at, {"family": name})
            f, test, family = t.family.c, t.test_state.c, Subject("family", name)
            connection.execute(update(t.family).where(f.id == row.id).values(retired_at=None if undo else at))
            follow_labels(connection, [family], f"retired: {reason}")
            of_it = (test.subject_kind == "family", test.subject_name == name)
            connection.execute(update(t.test_state).where(*of_it).values(alarmed_at=None))
            if not undo:
                close_episodes(connection, family, f"retired: {reason}")
                blank_standing(connection, family)
            return Correction(number, 0, 0, (family,))

    def anchor_family(self, name: str, undo: bool, reason: str, actor: str, at: datetime) -> Correction | None:
        """Let no head learn from the family, so that it shows what a new version breaks; undo: they may again."""
        with self._database.write(durable=True) as connection:
            row = _family(connection, name, read_rules(connection))
            if (row.anchored_at is None) == undo:
                return None
            action = "unanchor" if undo else "anchor"
            f, learned = t.family.c, t.learned.c
            connection.execute(update(t.family).where(f.id == row.id).values(anchored_at=None if undo else at))
            moved = self._look_beside(connection, row.id, undo, at)
            payload = {"family": name, "set_apart": moved.set_apart, "let_in": moved.let_in}
            number = note(connection, action, reason, actor, at, payload)
            follow_labels(connection, moved.subjects, f"{action} {name}: {reason}")
            bump_revisions(connection, at)
            held = select(func.count(learned.sample_id.distinct())).where(
                learned.subject_kind == "family", learned.subject_name == name
            )
            subjects = tuple(sorted({Subject("family", name), *moved.subjects}))
            return Correction(
                number,
                len(moved.ids),
                connection.execute(held).scalar_one() + learned_of(connection, moved.ids),
                subjects,
            )

    def _look_beside(self, connection: Connection, family_id: int, undo: bool, at: datetime) -> _Moved:
        """Set apart the near-duplicates that may not stay, and let in again those that may."""
        if self._hashes is None:
            return _Moved()
        free = free_again(connection, self._hashes, family_id) if undo else []
        let_in(connection, free)
        apart = beside_a_family(connection, self._hashes, family_id)
        subjects = subjects_by_id(connection, [*free, *apart])
        set_apart(connection, apart, NEAR_DUPLICATE, at)
        digests = digests_of(connection, [*free, *apart])
        return _Moved(
            ids=tuple(sorted({*free, *apart})),
            subjects=frozenset(subjects.values()),
            set_apart=sorted(digests[sample_id] for sample_id in apart),
            let_in=sorted(digests[sample_id] for sample_id in free if sample_id not in apart),
        )

    def anchored(self) -> set[int]:
        """Ids of the samples of anchored families."""
        s, f = t.sample.c, t.family.c
        query = select(s.id).join(t.family, f.id == s.family_id).where(f.anchored_at.is_not(None))
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def families(self) -> list[FamilyFacts]:
        """Every family that has a sample or is retired or an anchor, by name."""
        s, f = t.sample.c, t.family.c
        counted = func.count(s.id)
        query = (
            select(f.name, f.retired_at, f.anchored_at, counted.label("samples"))
            .outerjoin(t.sample, (s.family_id == f.id) & (s.state == "active"))
            .group_by(f.id, f.name, f.retired_at, f.anchored_at)
            .order_by(f.name)
        )
        with self._database.read() as connection:
            former = present_names(read_rules(connection))
            rows = connection.execute(query).all()
        aliases: dict[str, list[str]] = {}
        for alias, name in former.items():
            aliases.setdefault(name, []).append(alias)
        return [
            FamilyFacts(row.name, tuple(aliases.get(row.name, ())), row.samples, row.retired_at, row.anchored_at)
            for row in rows
            if row.name not in former and (row.samples or row.retired_at or row.anchored_at)
        ]


def _family(connection: Connection, name: str, rules: Sequence[Rule]) -> Any:
    """The row of a family that has a sample. Raises BadInputError when there is none, or it is called otherwise."""
    present = present_names(rules).get(name)
    if present is not None:
        raise BadInputError(f"{name} is called {present} by now; name that")
    f, s = t.family.c, t.sample.c
    row = connection.execute(select(t.family).where(f.name == name)).first()
    if row is None or connection.execute(select(s.id).where(s.family_id == row.id).limit(1)).first() is None:
        raise NotFoundError(f"there is no family {name!r}; `sidwatch families list` shows the names")
    return row


def _is_done(connection: Connection, rules: Sequence[Rule], old: str, new: str) -> bool:
    """Whether `old` has become `new` before, so that saying it again changes nothing."""
    return old != new and present_names(rules).get(old) == new


def _check_free(connection: Connection, new: str, rules: Sequence[Rule], unless: str | None = None) -> None:
    """Raises BadInputError when a family has that name, or deliveries of another one than `unless` still use it."""
    f, s, r = t.family.c, t.sample.c, t.relabelled.c
    present = present_names(rules).get(new, new)
    if present not in (new, unless):
        raise BadInputError(f"deliveries that say {new} belong to {present}; choose another name")
    taken = select(f.id).where(
        f.name == new,
        or_(select(s.id).where(s.family_id == f.id).exists(), select(r.sample_id).where(r.family_id == f.id).exists()),
    )
    if connection.execute(taken).first() is not None:
        raise BadInputError(f"there is a family {new} already; `sidwatch families merge` makes one of two")


def _add_rule(connection: Connection, rule: Rule, number: int) -> None:
    connection.execute(insert(t.family_rule).values(correction=number, **asdict(rule)))


def _claiming(connection: Connection, names: Collection[str]) -> list[int]:
    """Ids of the samples whose deliveries speak of one of these families, or that belong to it."""
    d, s, f = t.delivery.c, t.sample.c, t.family.c
    called = ever_called(names, read_rules(connection))
    ids: set[int] = set()
    for part in chunks(called):
        claimed = select(d.sample_id).where(d.family.in_(part), d.sample_id.is_not(None))
        ids.update(connection.execute(claimed.distinct()).scalars())
        members = select(s.id).join(t.family, f.id == s.family_id).where(f.name.in_(part))
        ids.update(connection.execute(members).scalars())
    return sorted(ids)


def _members(connection: Connection, family_id: int) -> int:
    s = t.sample.c
    query = select(func.count()).where(s.family_id == family_id, s.state == "active")
    return connection.execute(query).scalar_one()


def _stated(part: FamilyPart) -> str | None:
    return None if part.delivered_after is None else part.delivered_after.isoformat()


def _all_in(connection: Connection, sha256s: Sequence[str], name: str) -> bool:
    s, f = t.sample.c, t.family.c
    query = select(func.count()).select_from(t.sample.join(t.family, f.id == s.family_id)).where(f.name == name)
    found = sum(connection.execute(query.where(s.sha256.in_(part))).scalar_one() for part in chunks(sha256s))
    return found == len(sha256s)


def _relabelled_into(
    connection: Connection, row: Any, new: str, sha256s: Sequence[str], number: int
) -> Collection[int]:
    """Note that these samples of the family are of the new one; returns their ids."""
    s = t.sample.c
    ids = sample_ids(connection, sha256s)
    for part in chunks(sha256s):
        other = select(s.sha256).where(s.sha256.in_(part), or_(s.family_id != row.id, s.family_id.is_(None)))
        found = connection.execute(other.limit(1)).scalar()
        if found is not None:
            raise BadInputError(f"sample {found[:12]} is not of {row.name}; `sidwatch samples show` says what it is")
    said = read_relabels(connection, ids.values())
    for relabel in {said.get(sample_id, Relabel("synthetic")) for sample_id in ids.values()}:
        own = [i for i in ids.values() if said.get(i, Relabel("synthetic")) == relabel]
        write_relabels(connection, own, replace(relabel, family=new), number)
    return ids.values()
