"""A sample in quarantine as page, API and commands show it."""

from __future__ import annotations

from daemon.detail.views import ClaimView, QuarantinedView
from daemon.model import QuarantinedSample


def view_of(sample: QuarantinedSample) -> QuarantinedView:
    """The sample with what each delivery claims of it."""
    return QuarantinedView(
        sha256=sample.sha256,
        reason=sample.reason,
        detail=sample.detail,
        since=sample.since,
        has_picture=sample.has_blob,
        claims=[
            ClaimView(adapter=one.adapter, uri=one.uri, label=one.label, family=one.family, source=one.source)
            for one in sample.claims
        ],
    )
