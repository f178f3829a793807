"""`sidwatch report`: a report on a store that this process only reads."""

from __future__ import annotations

from datetime import timedelta

from daemon.app import open_for, read_status
from daemon.detail.history import history_of, reigns_of, versions_of
from daemon.figures import HELD_OUT
from daemon.report.making import report_of
from daemon.report.views import ReportView
from daemon.settings import Settings


def make(settings: Settings, length: timedelta) -> ReportView:
    """The report on the last stretch of that length, of the service's clock; works beside a running service."""
    status = read_status(settings)
    since = status.service.now - length
    with open_for(settings, read_only=True) as store:
        audit = store.registry.audit()
        reigns = reigns_of(audit)
        history = history_of(store.samples.past_means(HELD_OUT, "raw", since, versions=versions_of(reigns)), reigns)
    return report_of(status, history, audit, since)
