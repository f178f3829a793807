"""How an encoder is made, as a migration records it: what decides its vectors, not what the machine allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from daemon.errors import BadInputError, ConfigurationError
from daemon.model import Migration
from daemon.settings import EncoderSettings

if TYPE_CHECKING:
    from daemon.context import Context

# The machine's side of an encoder: config.yaml decides it at every start, no vector depends on it.
_MACHINE = ("threads", "memory_limit", "deadline")
_MACHINE_OF_SECTIONS = ("device", "batch_size", "cache_dir", "compiled_dir")


def record(settings: EncoderSettings) -> dict[str, Any]:
    """What has to be known to make this encoder again, as JSON; the settings hold no secret."""
    found = settings.model_dump(mode="json", exclude=set(_MACHINE))
    return {key: value for key, value in found.items() if key in ("name", settings.name, *settings.parts)}


def restore(recorded: Mapping[str, Any], machine: EncoderSettings) -> EncoderSettings:
    """The settings to start a recorded encoder with, on a machine that is configured so.

    Raises ConfigurationError when this program cannot read the record.
    """
    own = machine.model_dump(mode="json", include=set(_MACHINE))
    try:
        return EncoderSettings.model_validate({**own, **recorded})
    except ValidationError as error:
        raise ConfigurationError(
            f"encoder {recorded.get('name')}: what the store recorded of it cannot be read by this program "
            f"({error.errors()[0]['msg']}); install the version that recorded it, or `sidwatch reembed` to another"
        ) from error


def named(settings: EncoderSettings, name: str) -> EncoderSettings:
    """These settings with another encoder's name. Raises BadInputError when no encoder is called so."""
    if name == "external":
        raise BadInputError("vectors of an external encoder are delivered, pictures cannot be embedded anew by it")
    try:
        return EncoderSettings.model_validate({**settings.model_dump(mode="json"), "name": name})
    except ValidationError as error:
        raise BadInputError(f"there is no encoder {name!r}; see `encoder.name` in config.yaml") from error


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records describe one encoder, as far as settings can say; the fingerprint is the proof."""
    return _identity(one) == _identity(other)


def known(migrations: Sequence[Migration]) -> dict[str, dict[str, Any]]:
    """Fingerprint -> how that encoder is made, the newest record of each."""
    found: dict[str, dict[str, Any]] = {}
    for migration in migrations:
        if migration.from_settings is not None:
            found[migration.from_fingerprint] = migration.from_settings
        found[migration.to_fingerprint] = migration.to_settings
    return found


def settings_of(context: Context, fingerprint: str) -> EncoderSettings:
    """How that encoder is made: as recorded; as configured when nothing is recorded, for then it never changed."""
    recorded = known(context.migrations.all()).get(fingerprint)
    return restore(recorded, context.settings.encoder) if recorded else context.settings.encoder


def called(recorded: Mapping[str, Any]) -> str:
    """What people call a recorded encoder: `open_clip (ViT-B-32)`."""
    name = str(recorded["name"])
    section = recorded.get(name)
    model = section.get("model") if isinstance(section, Mapping) else None
    return f"{name} ({model})" if model else name


def _identity(recorded: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {k: v for k, v in value.items() if k not in _MACHINE_OF_SECTIONS} if isinstance(value, Mapping) else value
        for key, value in recorded.items()
    }
