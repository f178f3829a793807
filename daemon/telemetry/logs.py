"""Structured logs: lines for people on a terminal, JSON otherwise; the libraries' logs go the same way."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "json", "console"]
CONTEXT: Final = ("run", "job", "adapter", "family", "version")  # what `bound` puts on every line inside it

_MASK: Final = "**********"
_SECRET_KEY: Final = re.compile(r"token|secret|password|passwd|authorization|cookie|api_?key|credential", re.I)
_URL_USER: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_QUERY_SECRET: Final = re.compile(r"(?i)([?&][\w-]*(?:token|secret|password|key|signature)[\w-]*=)[^&\s\"']+")
# What it warns of, a malformed upload, is answered to whoever sent it.
_SILENT: Final = ("python_multipart",)
# Their routine lines (every tick, every request) say nothing that the run log does not say better.
_QUIET: Final = ("apscheduler", "alembic", "httpx", "httpcore", "uvicorn.access", "PIL", "asyncio", "urllib3")


def configure_logs(level: str = "info", form: Format = "auto", stream: TextIO | None = None) -> None:
    """Send every log line of the process, the libraries' too, through one handler.

    level: debug, info, warning or error. form: auto means console when the stream is a terminal, JSON otherwise.
    stream: default standard error. May be called again; the last call holds.
    """
    target = stream if stream is not None else sys.stderr
    console = form == "console" or (form == "auto" and target.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    # Masking comes after the traceback is text, so that an exception's message is masked too.
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if console:
        last += [
            structlog.processors.format_exc_info,
            mask_secrets,
            structlog.dev.ConsoleRenderer(colors=target.isatty()),
        ]
    else:
        last += [structlog.processors.format_exc_info, mask_secrets, structlog.processors.JSONRenderer(default=str)]
    handler = logging.StreamHandler(target)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "apscheduler"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace secrets by asterisks: by key name, and in texts the user part of URLs, bearer and query tokens."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return _MASK
    if isinstance(value, str):
        value = _URL_USER.sub(_MASK, value)
        value = _BEARER.sub(rf"\1 {_MASK}", value)
        return _QUERY_SECRET.sub(rf"\1{_MASK}", value)
    if isinstance(value, dict):
        return {inner: _masked(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", item) for item in value]
    return value
