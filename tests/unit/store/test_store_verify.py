"""verify passes on a sound store and names each planted fault."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text, update
from store_testing import PRINT, T0, embed, fake, minutes, real

from daemon.errors import BadInputError, ConfigurationError
from daemon.model import ForgetTarget, Subject
from store import Store, audit
from store import tables as t
from store.splits import split_of
from store.verify import Check, verify


def checks(store: Store, *, deep: bool = True, gauges: list[str] | None = None, artifact: Any = None) -> list[Check]:
    return verify(
        store,
        now=minutes(10),
        started_at=1000.0,
        check_artifact=artifact or (lambda tensors, manifest: None),
        recompute=lambda: gauges or [],
        deep=deep,
    )


def broken(store: Store, **options: Any) -> dict[int, str]:
    return {check.number: check.detail for check in checks(store, **options) if not check.ok}


def promote(store: Store, name: str, expected: str | None) -> str:
    version = store.registry.add_version(
        parent=expected,
        fingerprint=PRINT,
        learner="mixture",
        statistics_revision=1,
        manifest=name.encode(),
        tensors=f"tensors {name}".encode(),
        at=T0,
    )
    store.registry.promote(version.id, expected=expected, actor="gate", reason="", verdict={}, at=T0)
    return version.id


@pytest.fixture
def sound(store: Store) -> Store:
    """A store that has been through a whole cycle."""
    batch = [real(f"r{number}", group=_train_group(number)) for number in range(4)]
    batch += [fake(f"f{number}", group=_train_group(number)) for number in range(4)]
    store.samples.admit("man", "trusted", batch, "8", T0)
    ids = embed(store)
    store.samples.add_scores("v0001-00000000", "raw", ids, np.zeros(8), np.zeros(8, bool), T0)
    changed = {
        (subject, profile): (4, f"{subject} {profile}".encode())
        for subject in (Subject("source", "kodak"), Subject("family", "stylegan2"))
        for profile in ("raw", "laundered")
    }
    store.samples.commit_statistics(PRINT, 1, changed, ids, T0)
    first = promote(store, "a", None)
    promote(store, "b", first)
    store.runs.tick("cycle", 1, T0)
    store.runs.claim("cycle", "me", minutes(20), T0)
    return store


def _train_group(number: int) -> str:
    from store import DEFAULT_SHARES

    train = (key for key in (f"g{n}" for n in range(1000)) if split_of(key, DEFAULT_SHARES) == "train")
    return [next(train) for _ in range(number + 1)][-1]


def execute(store: Store, change: Any, *, trusting: bool = False) -> None:
    """Plant a fault; `trusting` without the database's own guard of references."""
    if trusting:
        raw = store.database._engine.raw_connection()
        raw.execute("PRAGMA foreign_keys=OFF")  # type: ignore[attr-defined]
    with store.database.write() as connection:
        connection.execute(text(change) if isinstance(change, str) else change)


def flip(path: Any) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_sound_store_passes_all_ten(sound: Store) -> None:
    assert [check.number for check in checks(sound)] == list(range(1, 11))
    assert broken(sound) == broken(sound, deep=False) == {}


def forgotten(store: Store) -> str:
    """Forget one learned sample of the sound store; returns its digest."""
    gone = fake("f0").sha256
    assert store.samples.forget(ForgetTarget("sample", gone), "why", "me", T0)
    return gone


def taken_out(store: Store) -> str:
    gone = forgotten(store)
    with store.database.read() as connection:
        out = connection.execute(text(f"SELECT id FROM sample WHERE sha256 = '{gone}'")).scalar_one()
    gan = Subject("family", "stylegan2")
    changed = {(gan, profile): (3, f"3 {profile}".encode()) for profile in ("raw", "laundered")}
    store.samples.commit_statistics(PRINT, 2, changed, [], T0, removed=[out])
    store.samples.erase_forgotten(T0)
    return gone


def test_a_store_passes_while_it_forgets_and_when_it_has_forgotten(sound: Store) -> None:
    forgotten(sound)
    assert broken(sound) == {}


def test_3_something_left_of_what_was_forgotten(sound: Store) -> None:
    digest = taken_out(sound)
    assert broken(sound) == broken(sound, deep=False) == {}
    blob = sound.layout.blob(digest)
    blob.write_bytes(b"the picture")
    assert "yet its picture is there" in broken(sound)[3]
    blob.unlink()
    ids = f"(SELECT id FROM sample WHERE sha256 = '{digest}')"
    execute(sound, f"INSERT INTO score VALUES (99, {ids}, 'v1', 'raw', 0.0, 0, '2026-01-01')")
    assert "yet the store has scores of it" in broken(sound)[3]
    execute(sound, "DELETE FROM score WHERE id = 99")
    execute(sound, f"INSERT INTO learned VALUES ({ids}, '{PRINT}', 1, 'family', 'stylegan2', NULL, '')")
    assert "yet the store has statistics of it" in broken(sound)[3]
    assert "statistics of family stylegan2 count 3 samples, 4 were learned" in broken(sound)[3]
    execute(sound, f"DELETE FROM learned WHERE sample_id = {ids}")
    with sound.database.read() as connection:
        sample_id = connection.execute(text(ids.strip("()"))).scalar_one()
    sound.shards.write(PRINT, "raw", np.array([sample_id]), np.zeros((1, 8), np.float16))
    assert "holds vectors of a forgotten sample" in broken(sound)[3]


def test_3_a_learned_group_without_statistics(sound: Store) -> None:
    execute(sound, "DELETE FROM statistics WHERE subject_name = 'kodak'")
    assert "4 samples were learned as source kodak, which has no statistics" in broken(sound)[3]


def test_a_new_store_passes(store: Store) -> None:
    assert broken(store) == {}


def test_1_a_missing_champion_or_a_changed_artifact(sound: Store) -> None:
    champion = sound.registry.champion()
    assert champion is not None
    flip(sound.layout.tensors(champion.tensors_sha256))
    assert "was changed" in broken(sound)[1]
    sound.layout.tensors(champion.tensors_sha256).unlink()
    assert "is missing" in broken(sound)[1]
    execute(sound, "DELETE FROM alias WHERE name = 'champion'")
    found = broken(sound)
    assert "yet there is no champion" in found[1] and "the champion none" in found[2]


def test_1_a_champion_that_scores_its_anchors_otherwise(sound: Store) -> None:
    def otherwise(tensors: bytes, manifest: bytes) -> None:
        assert (tensors, manifest) == (b"tensors b", b"b")
        raise BadInputError("anchor 3 scores 1.5, not 1.2")

    assert broken(sound, artifact=otherwise) == {1: "anchor 3 scores 1.5, not 1.2"}


def test_2_a_tampered_audit_and_a_champion_that_nobody_promoted(sound: Store) -> None:
    execute(sound, "UPDATE audit SET actor = 'me' WHERE number = 1")
    assert broken(sound)[2] == "audit: row 1 was changed"
    execute(sound, "UPDATE alias SET version = (SELECT version FROM alias WHERE name = 'previous')")
    assert "the audit's last promotion is v0002" in broken(sound)[2]


@pytest.fixture
def decided(sound: Store) -> Store:
    """A store in which every kind of decision was made: v0001 to v0007."""
    registry = sound.registry
    verdict = {"decision": "hold", "reason": "änders", "numbers": [0.1, None], "groups": {"b": 1, "a": 2}}
    names = [
        registry.add_version(
            parent=None, fingerprint=PRINT, learner="mixture", statistics_revision=1,
            manifest=name.encode(), tensors=b"t", at=T0,
        ).id
        for name in "cdefg"
    ]  # fmt: skip
    for name, state in zip(names, ("held", "shadow", "waiting", "shadow"), strict=False):
        registry.record_verdict(name, state, verdict, "gate", "numbers", T0)
    registry.record_verdict(names[1], "rejected", {**verdict, "decision": "reject"}, "gate", "numbers", T0)
    registry.refuse(names[2], actor="me", reason="not yet", at=T0)
    champion, before = registry.champion(), registry.previous()
    assert champion is not None and before is not None
    registry.promote(before.id, expected=champion.id, actor="me", reason="", verdict=None, at=T0, action="rollback")
    return sound


def test_2_what_follows_from_the_audit_is_what_is_there(decided: Store) -> None:
    states = [version.state for version in decided.registry.versions()]
    assert states == ["promoted", "promoted", "held", "rejected", "rejected", "shadow", "challenger"]
    assert broken(decided) == broken(decided, deep=False) == {}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            "UPDATE alias SET version = (SELECT id FROM version WHERE number = 4) WHERE name = 'previous'",
            "by the audit it",
        ),
        ("DELETE FROM alias WHERE name = 'previous'", "a rollback leads to none, by the audit it is v0002"),
        ("UPDATE version SET state = 'waiting' WHERE number = 4", "is waiting, the audit says rejected"),
        ("UPDATE version SET state = 'promoted' WHERE number = 7", "is promoted, the audit says challenger"),
        ("UPDATE version SET state = 'challenger' WHERE number = 3", "is challenger, the audit says held"),
        ("UPDATE version SET verdict = '{}' WHERE number = 3", "the verdict on v0003"),
        ("UPDATE version SET verdict = '{' WHERE number = 5", "the verdict on v0005"),
        ("UPDATE version SET verdict = NULL WHERE number = 6", "the verdict on v0006"),
        ("UPDATE version SET verdict = '{}' WHERE number = 7", "the verdict on v0007"),
        ("DELETE FROM version WHERE number = 3", "the audit speaks of v0003"),
        ("UPDATE audit SET payload = '{' WHERE number = 3", "audit row 3 cannot be read"),
        ("UPDATE audit SET payload = '[]' WHERE number = 3", "row 3 was changed"),
        ("UPDATE audit SET payload = '{\"a\":NaN}' WHERE number = 3", "row 3 was changed"),
        ("UPDATE audit SET payload = '\"\\ud800\"' WHERE number = 3", "row 3 was changed"),
        ("UPDATE audit SET at = 'yesterday' WHERE number = 3", "audit row 3 cannot be read"),
        ("UPDATE audit SET actor = x'00ff' WHERE number = 3", ""),
    ],
)
def test_2_a_registry_that_differs_from_the_audit(decided: Store, change: str, found: str) -> None:
    execute(decided, text(change.replace(":", "\\:")), trusting=True)  # no parameter of the statement
    assert found in broken(decided)[2]
    assert found in broken(decided, deep=False)[2]


def test_2_a_decision_that_was_taken_out_of_the_audit(store: Store) -> None:
    version = promote(store, "a", None)
    for name in "bc":
        added = store.registry.add_version(
            parent=version, fingerprint=PRINT, learner="mixture", statistics_revision=0,
            manifest=name.encode(), tensors=b"t", at=T0,
        )  # fmt: skip
        store.registry.record_verdict(added.id, "rejected", {"decision": "reject"}, "gate", "worse", T0)
    execute(store, "DELETE FROM audit WHERE number = 3")
    assert f"{added.id} is rejected, the audit says challenger" in broken(store, deep=False)[2]


def test_2_an_action_of_another_release_accuses_nobody(sound: Store) -> None:
    version = sound.registry.versions()[0].id
    with sound.database.write() as connection:
        audit.append(
            connection, at=T0, actor="me", action="retire", version=version, previous=None, reason="", payload={}
        )
        connection.execute(text("UPDATE version SET state = 'retired' WHERE number = 1"))
    assert broken(sound, deep=False) == {}


def test_a_row_or_file_that_cannot_be_read_ends_no_other_check(sound: Store) -> None:
    champion = sound.registry.champion()
    assert champion is not None
    path = sound.layout.tensors(champion.tensors_sha256)
    path.unlink()
    path.mkdir()
    other = sound.layout.tensors(sound.registry.versions()[0].tensors_sha256)
    other.unlink()
    other.mkdir()
    found = broken(sound)
    assert list(found) == [1] and f"{path} cannot be read" in found[1] and f"{other} cannot be read" in found[1]
    execute(sound, "UPDATE version SET verdict = '{' WHERE number = 2")
    found = broken(sound, deep=False)
    assert list(found) == [1, 2] and "\n" not in found[1]
    assert [check.number for check in checks(sound)] == list(range(1, 11))


def test_1_a_version_that_cannot_be_read(sound: Store) -> None:
    execute(sound, "UPDATE version SET created_at = 'yesterday' WHERE number = 1")
    assert "holds 'yesterday' where a time belongs" in broken(sound, deep=False)[1]


def test_the_audit_names_the_row_that_cannot_be_read(sound: Store) -> None:
    execute(sound, "UPDATE audit SET payload = '{' WHERE number = 2")
    with pytest.raises(ConfigurationError, match=r"^audit row 2 cannot be read: .* holds '{' where JSON belongs"):
        sound.registry.audit()


def test_a_gauge_that_cannot_be_derived_is_an_answer(sound: Store) -> None:
    def stops() -> list[str]:
        raise StopIteration

    found = verify(
        sound,
        now=minutes(10),
        started_at=1000.0,
        check_artifact=lambda tensors, manifest: None,
        recompute=stops,
    )
    assert [(check.number, check.ok) for check in found if not check.ok] == [(9, False)]


def test_3_a_lost_shard_and_a_vector_without_sample(sound: Store) -> None:
    next(sound.layout.vectors.iterdir()).unlink()
    assert "is missing" in broken(sound, deep=False)[3]
    execute(sound, "DELETE FROM sample WHERE id = 1", trusting=True)
    found = broken(sound)
    assert "a vector of sample 1, which is not there" in found[3]
    assert "refers to a row of sample that is not there" in found[6]


@pytest.mark.parametrize("folder", ["vectors", "blobs", "statistics"])
def test_3_a_changed_file_is_found_by_deep_reading_alone(sound: Store, folder: str) -> None:
    flip(next(path for path in (sound.layout.root / folder).rglob("*") if path.is_file()))
    assert broken(sound, deep=False) == {}
    assert list(broken(sound)) == [3] and "was changed" in broken(sound)[3]


def test_3_rows_of_a_shard_that_were_swapped(sound: Store) -> None:
    execute(sound, "UPDATE vector SET row = row + 100 WHERE shard_id = 1")
    assert "up to 107" in broken(sound)[3]
    execute(sound, "UPDATE vector SET row = CASE row WHEN 100 THEN 1 WHEN 101 THEN 0 ELSE row - 100 END WHERE row > 99")
    assert broken(sound, deep=False) == {}
    assert "row 0 of shard" in broken(sound)[3]


def test_3_statistics_that_count_other_than_what_was_learned(sound: Store) -> None:
    execute(sound, "DELETE FROM learned WHERE sample_id = 1")
    assert "count 4 samples, 3 were learned" in broken(sound)[3]


def test_4_a_run_without_a_live_lease(sound: Store) -> None:
    execute(sound, update(t.run).values(lease_until=minutes(9)))
    assert broken(sound) == {4: "run 1 of cycle is running without a live lease"}


def test_5_a_cursor_beyond_its_samples(sound: Store) -> None:
    execute(sound, "DELETE FROM delivery WHERE id = 8")
    assert broken(sound) == {5: "the cursor of man covers 8 deliveries, 7 are there"}


def test_6_a_dangling_reference(sound: Store) -> None:
    execute(sound, "UPDATE sample SET family_id = 77 WHERE family_id = 1", trusting=True)
    assert "refers to a row of family that is not there" in broken(sound)[6]


def test_6_a_damaged_database_is_an_answer_and_no_traceback(sound: Store) -> None:
    sound.database.close()
    with sound.layout.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 200_000)
    found = broken(sound)
    assert 6 in found and "cannot be read" in found[3]


def test_7_a_temporary_file_older_than_the_start(sound: Store) -> None:
    young, old = sound.layout.blobs / "a.tmp", sound.layout.versions / "b.tmp"
    for path in (young, old):
        path.write_bytes(b"")
    os.utime(old, (999, 999))
    assert broken(sound) == {7: f"{old} was left behind"}


def test_8_vectors_statistics_and_versions_of_another_encoder(sound: Store) -> None:
    execute(sound, f"UPDATE vector_shard SET fingerprint = '{'e' * 64}' WHERE profile = 'raw'")
    found = broken(sound)[8]
    assert "holds vectors of another encoder" in found and "says it is of another encoder" in found
    execute(sound, f"UPDATE version SET fingerprint = '{'e' * 64}' WHERE number = 1")
    assert "that its encoder does not have" in broken(sound, deep=False)[8]


def test_9_gauges_that_differ(sound: Store) -> None:
    assert broken(sound, gauges=["family_state of dalle2"]) == {9: "family_state of dalle2"}


def test_10_a_group_on_two_sides(sound: Store) -> None:
    execute(sound, "UPDATE sample_group SET split = 'holdout' WHERE id = 1")
    assert "was learned, though it is holdout" in broken(sound)[10]
    execute(sound, "UPDATE sample_group SET split = 'train', fold = fold + 5")
    assert "its hash says" in broken(sound)[10]
