"""The webhook on promotion: every change of the champion is told at least once, signed, with the same id each time.

The form is that of Standard Webhooks (https://www.standardwebhooks.com): headers `webhook-id`, `webhook-timestamp` and
`webhook-signature: v1,<base64 of HMAC-SHA256 over "id.timestamp.body">`. Whoever receives it drops an id seen before.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta

import httpx
import structlog

from daemon import __version__
from daemon.context import Context
from daemon.failpoints import failpoint
from daemon.model import PromotionNotice
from daemon.notify.notices import LONGEST_WAIT
from daemon.settings import WebhookSettings

log = structlog.get_logger("sidwatch.webhook")

FIRST_WAIT = timedelta(seconds=10)  # after the first failure; doubled after each further one
AT_ONCE = 20  # notices of one run


def deliver(context: Context, transport: httpx.BaseTransport | None = None) -> str:
    """Tell the webhook what it has not taken yet and is due; the work of the job `webhook`. Says how many it took.

    A notice is marked after it was taken: a kill between the two sends it once more. What fails is due again later,
    without end, and does not hold up the others. transport: for tests.
    """
    settings = context.settings.webhook
    if settings.url is None:
        skipped = context.registry.skip_notices()
        return f"{skipped} skipped" if skipped else ""
    due = context.registry.due_notices(context.clock.now(), AT_ONCE)
    if not due:
        return ""
    taken = 0
    with httpx.Client(
        timeout=settings.timeout.total_seconds(), follow_redirects=False, trust_env=False, transport=transport
    ) as client:
        for notice in due:
            failure = _post(client, settings, notice, int(context.clock.now().timestamp()))
            now = context.clock.now()
            if failure is None:
                failpoint("webhook.sent")
                context.registry.notice_delivered(notice.event_id, now)
                taken += 1
                continue
            context.registry.notice_failed(notice.event_id, failure, now + wait(notice.attempts, settings.longest_wait))
            context.meter.notification_failed()
            log.warning("the webhook did not take a notice; it is sent again", event_id=notice.event_id, error=failure)
    return f"{taken} of {len(due)} delivered"


def wait(failures: int, longest: timedelta) -> timedelta:
    """How long to wait after one failure more than `failures`.

    >>> [wait(n, timedelta(hours=1)).seconds for n in (0, 1, 2, 8, 50)]
    [10, 20, 40, 2560, 3600]
    """
    return min(FIRST_WAIT * 2 ** min(failures, 20), longest, LONGEST_WAIT)


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`.

    secret: text; its UTF-8 bytes are the key. timestamp: Unix seconds. Source: Standard Webhooks, symmetric signatures.

    >>> signature("s", "e", 1, b"{}")
    'v1,e996uCvjODRLqyw7uCuaw8gyx+oD5STda8W66y2/qd8='
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def _post(client: httpx.Client, settings: WebhookSettings, notice: PromotionNotice, timestamp: int) -> str | None:
    """None when it was taken (2xx), else why it was not."""
    assert settings.url is not None and settings.secret is not None  # checked by the settings
    body = notice.body.encode()
    headers = {
        "content-type": "application/json",
        "user-agent": f"sidwatch/{__version__}",
        "webhook-id": notice.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(settings.secret.get_secret_value(), notice.event_id, timestamp, body),
    }
    try:
        with client.stream("POST", settings.url.get_secret_value(), content=body, headers=headers) as answer:
            return None if answer.is_success else f"it answered {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
