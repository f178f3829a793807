"""Scheduled: every so often a report is an event like any other, and its file is attached to what people are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from daemon.context import Context
from daemon.detail.history import history_of, reigns_of, versions_of
from daemon.figures import HELD_OUT
from daemon.model import Event
from daemon.notify.message import Attachment
from daemon.report.making import report_of
from daemon.report.views import ReportView
from daemon.status.snapshot import Sources, snapshot

KIND: Final = "report"


def due_since(last: datetime | None, begun: datetime | None, every: timedelta, now: datetime) -> datetime | None:
    """Since when a report that is due now reports; None: none is due.

    last: when the last one was told. begun: when there was something to report of for the first time.

    >>> from datetime import UTC
    >>> monday, week = datetime(2030, 1, 7, tzinfo=UTC), timedelta(days=7)
    >>> due_since(monday, None, week, monday + timedelta(days=6)) is None
    True
    >>> due_since(monday, None, week, monday + timedelta(days=20)) == monday  # the service was off: nothing is left out
    True
    """
    since = last or begun
    return since if since is not None and now - since >= every else None


def announce_report(context: Context) -> None:
    """An event when a report is due. What stands in it is read when its messages are put in line, in this cycle."""
    every = context.settings.report.every
    if every is None:
        return
    now, last = context.clock.now(), context.samples.last_event(KIND)
    audit = [] if last else context.registry.audit()
    since = due_since(last.at if last else None, audit[0].at if audit else None, every, now)
    if since is None:
        return
    found = report_since(context, since)
    data: dict[str, object] = {"since": since.isoformat(), "until": now.isoformat()}
    context.samples.add_event(Event(None, f"{KIND}:{now.isoformat()}", KIND, now, in_one_line(found), data))


def in_one_line(report: ReportView) -> str:
    """What a report comes to."""
    promoted = sum(one.decision == "promoted" for one in report.decisions)

    def counted(number: int, one: str, more: str) -> str:
        return f"{number} {one if number == 1 else more}"

    return (
        f"report, {report.since:%Y-%m-%d} to {report.until:%Y-%m-%d}: "
        f"{counted(len(report.released), 'family', 'families')} released, "
        f"{counted(len(report.evaded), 'episode', 'episodes')}, "
        f"{counted(promoted, 'version', 'versions')} promoted, {counted(len(report.risks), 'open risk', 'open risks')}"
    )


def attachment_of(context: Context, event: Event) -> Attachment:
    """The file of a report that was announced."""
    from daemon.report.rendering import as_html, as_markdown  # templates and the web page's words: not for every cycle

    found = report_since(context, datetime.fromisoformat(str(event.data["since"])))
    html = context.settings.report.form == "html"
    return Attachment(
        name=f"sidwatch-report-{event.at:%Y-%m-%d}.{'html' if html else 'md'}",
        media_type="text/html" if html else "text/markdown",
        text=as_html(found) if html else as_markdown(found),
    )


def report_since(context: Context, since: datetime) -> ReportView:
    """The report on what there is in the store now."""
    settings, samples, registry = context.settings, context.samples, context.registry
    sources = Sources(
        settings,
        samples,
        registry,
        context.runs,
        context.encoder.fingerprint,
        settings.simulated,
        context.migrations,
    )
    audit = registry.audit()
    reigns = reigns_of(audit)
    history = history_of(samples.past_means(HELD_OUT, "raw", since, versions=versions_of(reigns)), reigns)
    return report_of(snapshot(sources, "ready", context.clock.now()), history, audit, since)
