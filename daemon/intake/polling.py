"""One poll of one adapter, in a child with its own deadline, memory limit and secrets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from daemon.children.child import Child
from daemon.children.frames import BadFrame, Limits
from daemon.errors import BadInputError, ChildFailed
from daemon.intake.wire import from_frame
from daemon.model import Batch

_LARGEST_CONTENT = 50 * 2**20
_LARGEST_BATCH = 256 * 2**20  # bytes of pictures in one batch, which the parent holds in memory


def poll_in_child(
    name: str,
    kind: str,
    options: Mapping[str, Any],
    cursor: str | None,
    budget: int,
    now: datetime,
    *,
    deadline: float,
    memory_limit: int,
    secrets: Mapping[str, str],
    max_bytes: int = _LARGEST_CONTENT,
) -> Iterator[Batch]:
    """Yield the adapter's batches as they come; each was checked, malformed candidates are `bad_record`.

    options: JSON, for the adapter's `Options`. budget: most candidates of this poll. deadline: seconds that may
    be spent waiting for the adapter; the caller's own work on a batch does not count. memory_limit: bytes.
    secrets: environment variables of this child alone. max_bytes: larger content is not transferred but marked
    `too_many_bytes`. What was yielded stays good when a later batch fails.
    Raises ConfigurationError (kind or options), BadInputError (the source is unreadable, or the adapter breaks
    its contract), ChildFailed (died, overran, used too much memory).
    """
    child = Child(
        "poll",
        {
            "name": name,
            "kind": kind,
            "options": dict(options),
            "cursor": cursor,
            "budget": budget,
            "now": now.isoformat(),
            "max_bytes": max_bytes,
        },
        deadline=deadline,
        memory_limit=memory_limit,
        environment=secrets,
        limits=Limits(total=_LARGEST_BATCH),
    )
    left, delivered = deadline, 0
    try:
        while True:
            began = time.monotonic()
            try:
                frame = child.receive(deadline=max(left, 0.0))
            except ChildFailed as error:
                raise _explained(child, name, deadline, error) from error
            left -= time.monotonic() - began
            if frame.header.get("end") is True:
                return
            try:
                batch = from_frame(frame)
            except BadFrame as error:
                raise BadInputError(f"adapter {name}: a malformed batch: {error}") from error
            delivered += len(batch.candidates)
            if delivered > budget:
                raise BadInputError(
                    f"adapter {name}: delivered {delivered} candidates, more than its budget of {budget}"
                )
            yield batch
    finally:
        child.close(grace=0.5)


def _explained(child: Child, name: str, deadline: float, error: ChildFailed) -> ChildFailed:
    if child.cause == "deadline":  # the child only knows what was left of it
        return ChildFailed(f"adapter {name}: the poll ran over its deadline of {deadline:g} s")
    return ChildFailed(f"adapter {name}: {error}")
