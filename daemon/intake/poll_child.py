"""The polling child: one adapter, one poll, its batches streamed to the parent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from daemon.children.host import Host
from daemon.errors import ConfigurationError
from daemon.intake.wire import material_from_json, to_frame

GROUP = "sidwatch.adapters"


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """Poll the adapter to its end."""
    adapter = make_adapter(arguments["name"], arguments["kind"], arguments["options"])
    now = datetime.fromisoformat(arguments["now"])
    if arguments["material"] is not None:
        if not hasattr(adapter, "give"):
            raise ConfigurationError(
                f"adapters.{arguments['name']}: kind {arguments['kind']!r} makes no pictures; "
                "take out `releases_from` and `captions`"
            )
        adapter.give(material_from_json(arguments["material"]))
    preview = arguments["preview"] and hasattr(adapter, "preview")
    poll = adapter.preview if preview else adapter.poll
    confirm = getattr(adapter, "confirmed", False) is True and not preview
    for batch in poll(arguments["cursor"], arguments["budget"], now):
        header, parts = to_frame(batch, arguments["max_bytes"])
        host.send({**header, "confirm": confirm}, parts)
        if confirm:
            host.receive()  # the batch is stored: only now may the adapter go on
    host.send({"end": True})
    host.receive()  # ends this process when the parent has read everything


def make_adapter(name: str, kind: str, options: Mapping[str, Any]) -> Any:  # an Adapter, which may have more to it
    """Find the kind among the installed entry points and make the adapter.

    Raises ConfigurationError: unknown kind, one whose packages are not installed, or options that it does not take;
    the message names the key.
    """
    found = entry_points(group=GROUP, name=kind)
    if not found:
        known = ", ".join(sorted({one.name for one in entry_points(group=GROUP)})) or "none"
        raise ConfigurationError(f"adapters.{name}.kind: no adapter {kind!r} is installed; installed are: {known}")
    try:
        adapter_class = next(iter(found)).load()
    except ImportError as error:
        raise ConfigurationError(
            f"adapters.{name}.kind: {kind!r} needs a package that is not installed ({error}); see docs/adapters.md"
        ) from error
    try:
        checked = adapter_class.Options.model_validate(dict(options))
    except ValidationError as error:
        raise ConfigurationError(f"adapters.{name}.options{_said(error, adapter_class.Options)}") from error
    return adapter_class(name, checked)


def _said(error: ValidationError, options: type[BaseModel]) -> str:
    """What is wrong, a mistyped key before one that is missing for that reason."""
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    key = "".join(f".{part}" for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg'].removeprefix('Value error, ')}"
    known = f"; there are {', '.join(sorted(options.model_fields))}" if len(first["loc"]) == 1 else ""
    return f"{key}: unknown key{known}"
