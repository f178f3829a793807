from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from daemon.model import Event
from daemon.notify.message import Message, compose, message_id, subject_of

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
CHANGE = Event(
    7,
    "state:family:aurora_v2:3",
    "family_state_changed",
    AT,
    "aurora_v2: detected -> evading",
    {
        "subject": ["family", "aurora_v2"],
        "before": "detected",
        "after": "evading",
        "since": None,
        "version": "v0003-9c41d2aa",
        "alert": "GeneratorFamilyEvadesDetection",
        "evidence": {
            "samples": 34,
            "log10_evidence": 3.42,
            "log10_alarm": 2.0,
            "figures": {
                "laundered": {"ap": None, "n": 34},
                "raw": {"ap": 0.583, "ap_lower": 0.498, "ap_upper": 0.669, "recall": 0.06, "n": 34},
            },
        },
    },
)


def test_a_change_of_state_is_told_with_family_ap_interval_n_evidence_examples_and_link() -> None:
    examples = [{"sha256": digit * 64, "logit": -1.5} for digit in "abc"]
    message = compose(CHANGE, page="https://watch.example", examples=examples)
    assert message.title == "sidwatch: aurora_v2 is evading (was detected)"
    assert message.text.splitlines() == [
        "aurora_v2: detected -> evading",
        "raw: AP 0.583 [0.498, 0.669], recall 0.060, n 34",
        "evidence: 10^3.4, alarm line 10^2.0",
        "Examples: aaaaaaaaaaaa, bbbbbbbbbbbb, cccccccccccc",
        "https://watch.example/families/aurora_v2",
    ]
    assert message.facts["figures"]["raw"]["n"] == 34
    assert message.facts["family"] == "aurora_v2"
    assert message.link == "https://watch.example/families/aurora_v2"
    assert Message.from_json(message.to_json()) == message


def test_an_id_is_the_same_for_ever_and_another_for_every_other_event() -> None:
    assert message_id(CHANGE) == message_id(replace(CHANGE, id=None, text="other words"))
    others = [replace(CHANGE, key="state:family:aurora_v2:4"), replace(CHANGE, at=AT.replace(microsecond=1))]
    assert len({message_id(CHANGE), *map(message_id, others)}) == 3


def test_simulated_figures_say_so() -> None:
    message = compose(CHANGE, page=None, simulated=True)
    assert message.title.startswith("sidwatch: [SIMULATED] ")
    assert "SIMULATED" in message.text
    assert message.link is None


def test_other_events_keep_their_own_words() -> None:
    promoted = Event(
        8, "audit:4", "champion_promoted", AT, "v4 promoted by gate: better", {"version": "v4", "actor": "gate"}
    )
    message = compose(promoted, page="http://h:1")
    assert message.title == "sidwatch: v4 promoted by gate: better"
    assert message.link == "http://h:1/"
    assert subject_of(promoted) is None
    assert subject_of(replace(promoted, data={"family": "x"})) == ("family", "x")
