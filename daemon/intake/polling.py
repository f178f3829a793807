"""One poll of one adapter, in a child with its own deadline, memory limit and secrets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from daemon.children.child import Child
from daemon.children.frames import BadFrame, Limits
from daemon.errors import BadInputError, ChildFailed
from daemon.intake.wire import from_frame, material_to_json
from daemon.model import Batch, Material

_LARGEST_CONTENT = 50 * 2**20
_LARGEST_BATCH = 256 * 2**20  # bytes of pictures in one batch, which the parent holds in memory
_ALWAYS = {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}  # never the token of whoever started the service


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
    material: Material | None = None,
    preview: bool = False,
) -> Iterator[Batch]:
    """Yield the adapter's batches as they come; each was checked, malformed candidates are `bad_record`.

    options: JSON, for the adapter's `Options`. budget: most candidates of this poll. deadline: seconds that may
    be spent waiting for the adapter; the caller's own work on a batch does not count. memory_limit: bytes.
    secrets: environment variables of this child alone. max_bytes: larger content is not transferred but marked
    `too_many_bytes`. material: for an adapter that makes pictures. preview: show what such an adapter would make.
    What was yielded stays good when a later batch fails. Whoever asks for the next batch has stored those before: an
    adapter that is `confirmed` goes on only then.
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
            "material": None if material is None else material_to_json(material),
            "preview": preview,
        },
        deadline=deadline,
        memory_limit=memory_limit,
        environment={**_ALWAYS, **secrets},
        limits=Limits(total=_LARGEST_BATCH),
    )
    left, delivered, confirm = deadline, 0, False
    try:
        while True:
            began = time.monotonic()
            try:
                if confirm:
                    frame = child.request({"stored": True}, deadline=max(left, 0.0))
                else:
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
            confirm = frame.header.get("confirm") is True
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
