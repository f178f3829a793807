"""Whose raw form is left out."""

from __future__ import annotations

from datetime import UTC, datetime

from daemon.model import BatchAudit, BatchKey, BatchState, Subject
from daemon.shortcuts.deciding import left_out_of

GAN = BatchKey(Subject("family", "gan"), "repository")
GAN_ELSEWHERE = BatchKey(Subject("family", "gan"), "mirror")
WHOLE_GAN = BatchKey(Subject("family", "gan"), "")
DIFFUSION = BatchKey(Subject("family", "diffusion"), "repository")
CAMERA = BatchKey(Subject("source", "camera"), "camera")


def audit(batch: BatchKey, state: BatchState) -> BatchAudit:
    figures = (None, None, None) if state == "too_few" else (0.95, 0.8, 1.0) if state == "shortcut" else (0.5, 0.3, 0.7)
    return BatchAudit(batch, state, *figures, 20, 20, 100, 0, 20, 100, 0.9, "", datetime(2026, 1, 1, tzinfo=UTC), 1)


def test_only_the_batch_that_is_a_shortcut_is_left_out() -> None:
    samples = {1: GAN, 2: DIFFUSION, 3: CAMERA, 4: GAN}
    audits = [audit(GAN, "shortcut"), audit(DIFFUSION, "clean"), audit(CAMERA, "clean")]
    assert left_out_of(samples, audits) == {1: "metadata_shortcut", 4: "metadata_shortcut"}


def test_too_few_pictures_are_learned_as_they_are() -> None:
    samples = {1: GAN, 2: CAMERA}
    assert left_out_of(samples, [audit(GAN, "too_few"), audit(CAMERA, "too_few")]) == {}
    assert left_out_of(samples, []) == {}


def test_a_batch_too_small_to_tell_goes_as_its_whole_family() -> None:
    samples = {1: GAN, 2: GAN_ELSEWHERE, 3: DIFFUSION, 4: CAMERA}
    others = [audit(DIFFUSION, "clean"), audit(CAMERA, "clean")]
    failing = [audit(WHOLE_GAN, "shortcut"), audit(GAN, "too_few"), audit(GAN_ELSEWHERE, "clean")]
    assert left_out_of(samples, [*others, *failing]) == {1: "metadata_shortcut"}


def test_no_form_is_learned_of_one_label_alone() -> None:
    samples = {1: GAN, 2: CAMERA}
    assert left_out_of(samples, [audit(GAN, "shortcut"), audit(CAMERA, "clean")]) == {
        1: "metadata_shortcut",
        2: "one_sided",
    }
    assert left_out_of(samples, [audit(GAN, "clean"), audit(CAMERA, "shortcut")]) == {
        1: "one_sided",
        2: "metadata_shortcut",
    }
