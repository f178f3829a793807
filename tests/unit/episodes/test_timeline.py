from __future__ import annotations

from datetime import UTC, datetime, timedelta

from daemon.episodes.timeline import timeline
from daemon.model import AuditRow, Episode, Event, VersionRecord

T0 = datetime(2030, 1, 1, tzinfo=UTC)


def hours(count: float) -> datetime:
    return T0 + timedelta(hours=count)


EPISODE = Episode(
    3, "aurora", "recovered", "v1", hours(0), hours(1), 12, 0.61, 0.55,
    version="v3", learned_at=hours(5), ap_after=0.98, samples_after=14, recovered_at=hours(20),
)  # fmt: skip


def audit(at: float, action: str, version: str | None = None, **payload: object) -> AuditRow:
    return AuditRow(1, hours(at), "ada", action, version, None, "because", payload, "", "")


def version(name: str, *families: str) -> VersionRecord:
    verdict: dict[str, object] = {"trigger_groups": dict.fromkeys(families, 20)}
    return VersionRecord(name, "v1", "f", "closed_form", 1, "held", T0, "", "", verdict if families else None)


def state(at: float, family: str) -> Event:
    return Event(1, f"{at}", "family_state_changed", hours(at), "text", {"subject": ["family", family]})


def test_it_tells_what_happened_in_order_and_nothing_of_other_episodes() -> None:
    found = timeline(
        EPISODE,
        [
            audit(2, "episode_ack", episode=3),
            audit(2.5, "episode_ack", episode=4),
            audit(3, "reject", "v2"),
            audit(4, "hold", "v9"),
            audit(5, "promote", "v3"),
            audit(6, "forget"),
            audit(30, "reject", "v2"),
        ],
        [version("v2", "aurora", "other"), version("v3", "aurora"), version("v9", "other"), version("v8")],
        [state(1, "aurora"), state(1, "other"), state(20, "aurora"), state(40, "aurora")],
    )
    assert [(entry.at, entry.what) for entry in found] == [
        (hours(0), "opened"),
        (hours(1), "alarmed"),
        (hours(1), "state"),
        (hours(2), "acknowledged"),
        (hours(3), "verdict"),
        (hours(5), "learned"),
        (hours(5), "verdict"),
        (hours(20), "recovered"),
        (hours(20), "state"),
    ]
    assert found[1].text == "proved to evade v1 after 12 votes, AP 0.610, AUROC 0.550"
    assert found[4].text == "v2 rejected by ada: because"
    assert found[3].text == "acknowledged by ada: because"


def test_its_tickets_and_what_judged_in_the_shadow_belong_to_it() -> None:
    ticket = Event(
        1, "t", "not_learned", hours(2), "12 more samples of aurora from a second source", {"about": "aurora"}
    )
    of_another = Event(2, "u", "not_learned", hours(2), "text", {"about": "other"})
    held = VersionRecord("v2", "v1", "f", "closed_form", 1, "held", T0, "", "", {"was_for": {"aurora": 20}})
    found = timeline(EPISODE, [audit(3, "shadow", "v2"), audit(4, "hold", "v2")], [held], [ticket, of_another])
    told = [(entry.what, entry.text) for entry in found if entry.what in ("ticket", "verdict")]
    assert told == [
        ("ticket", "12 more samples of aurora from a second source"),
        ("verdict", "v2 put into the shadow by ada: because"),
        ("verdict", "v2 held by ada: because"),
    ]
