"""Reporting: a person says that the detector erred on a picture; their word is the label, never a verdict of ours."""

from __future__ import annotations

import hashlib
import re

from daemon.context import Context
from daemon.errors import BadInputError
from daemon.intake.taking_in import check_claims, examine
from daemon.model import FEEDBACK, Admission, Candidate, Report, Reported
from daemon.slug import complaint, is_slug
from daemon.views import FeedbackView

LONGEST_NOTE = 2000  # characters
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def report_picture(context: Context, content: bytes, report: Report, actor: str) -> Reported:
    """Take in a picture as labelled by the report, after the checks that every picture goes through.

    Raises BadInputError when the report itself is malformed or its key stands for another one.
    """
    candidate = _candidate(hashlib.sha256(content).hexdigest(), report, content)
    return _give(context, examine(candidate, context.inspector, context.settings.intake), report, actor)


def report_known(context: Context, sha256: str, report: Report, actor: str) -> Reported:
    """The same of a picture that was taken in before, named by the sha256 of its bytes.

    Raises BadInputError as well when there is none of that name.
    """
    candidate = _candidate(sha256, report, None)
    return _give(context, Admission(candidate, sha256, 0, None), report, actor)


def check_key(key: str) -> None:
    """Raises BadInputError when it is no idempotency key."""
    if not _KEY.fullmatch(key):
        raise BadInputError("an idempotency key is 1 to 200 visible ASCII characters")


def view_of(report: Report, done: Reported) -> FeedbackView:
    """What the reporter is told."""
    return FeedbackView(
        sha256=done.sha256,
        label=report.label,
        family=report.family,
        outcome=done.outcome,
        reason=done.reason,
        detail=done.detail,
        repeated=done.repeated,
    )


def _candidate(sha256: str, report: Report, content: bytes | None) -> Candidate:
    if report.key is not None:
        check_key(report.key)
    if report.family is not None and not is_slug(report.family):
        raise BadInputError(complaint(report.family))
    if len(report.note) > LONGEST_NOTE:
        raise BadInputError(f"a note has at most {LONGEST_NOTE} characters")
    # Without a key the claim names the report: the same person saying the same twice says it once.
    claim = f"{report.label}:{report.family or ''}:{sha256}"
    uri = claim if report.key is None else f"key:{report.key}"
    candidate = Candidate(uri, content=content, sha256=sha256, label=report.label, family=report.family)
    check_claims(candidate)
    return candidate


def _give(context: Context, admission: Admission, report: Report, actor: str) -> Reported:
    now = context.clock.now()
    done = context.samples.report(admission, context.settings.feedback.trust, actor, report.note, now)
    if not done.repeated:
        if done.outcome == "rejected":
            context.meter.rejected(FEEDBACK, str(done.reason), 1)
        elif done.outcome == "stored":
            context.meter.sample_ingested(FEEDBACK, 1)
        elif done.reason in ("label_conflict", "near_duplicate"):
            context.meter.quarantined(FEEDBACK, done.reason, 1)
    return done
