"""The simulated attacks do what they say: shares of poison, truth measured on clean pictures."""

from __future__ import annotations

import numpy as np

from benchmarks.poison import ANCHOR, NEW, OLD, SOURCES, Delivered, Outcome, Service, World, line


def outcome(promotions: int, mean_ap: float) -> Outcome:
    return Outcome("label flips", 0.05, 0, "promote", promotions, mean_ap, 0.1, 0.2, 0.01, 3)


def test_a_line_says_how_often_and_how_bad() -> None:
    found = line([outcome(1, -0.02), outcome(0, 0.0)])
    assert (found.promoted, found.mean_ap, found.worst_mean_ap) == (0.5, -0.01, -0.02)
    assert found.worst_false_positives == 0.01


def test_the_first_champion_knows_all_but_the_anchor_and_the_new_family() -> None:
    service = Service(World(0))
    known = service.champion.artifact.head.subjects
    assert set(known) == {(s.kind, s.name) for s in (*OLD, *SOURCES)}
    rows = service.rows()
    assert ANCHOR in rows.subjects and NEW not in rows.subjects
    anchors = np.array([subject == ANCHOR for subject in rows.subjects])
    assert not rows.learned_revision[anchors].any()


def test_what_the_attacker_puts_far_from_its_group_is_clipped_and_the_honest_part_is_not() -> None:
    world = World(0)
    far = world.draw(SOURCES[0], 6) + 6 * world.patch
    found = {}
    for clip in (8.0, None):
        service = Service(world, clip)
        first = len(service.rows())
        service.take_in([Delivered(SOURCES[0], np.concatenate([world.draw(SOURCES[0], 60), far]))])
        assert service.left_out <= set(range(first + 60, first + 66))
        found[clip] = len(service.left_out)
    assert found[None] == 0 < found[8.0]
