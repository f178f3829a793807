"""config.yaml -> typed settings: reading, checking, and paths relative to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsError

from daemon.errors import ConfigurationError
from daemon.settings.encoder import EncoderSettings
from daemon.settings.running import ExplainSettings
from daemon.settings.whole import Settings

_MERGE = "tag:yaml.org,2002:merge"  # `<<`


def load(path: Path | None, overrides: dict[str, Any] | None = None) -> Settings:
    """Read and check the configuration.

    path: a YAML file; None: the defaults. overrides: sections that win over everything else (the demo).
    Relative paths in the file are relative to the file's folder. Raises ConfigurationError, one line, that names
    the key.
    """
    data = _read_yaml(path) if path is not None else {}

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, data)

    try:
        settings = Loaded(**(overrides or {}))
    except ValidationError as error:
        raise ConfigurationError(_one_line(error, path)) from error
    except SettingsError as error:
        raise ConfigurationError(f"environment: {error}; lists and sections are written as JSON") from error
    try:
        return _relative_to(settings, path.parent if path is not None else Path())
    except (OSError, ValueError, RuntimeError) as error:  # a name with a NUL, links in a circle
        raise ConfigurationError(f"{path or 'configuration'}: a path cannot be used ({_flat(error)})") from error


def load_encoder(path: Path) -> EncoderSettings:
    """The section `encoder:` of a YAML file, by itself: neither config.yaml nor the environment has a say in it.

    Relative paths are relative to the file's folder. Raises ConfigurationError, one line, that names the key.
    """
    section = _read_yaml(path).get("encoder")
    if not isinstance(section, dict):
        raise ConfigurationError(f"{path}: there is no section `encoder:`; see the shipped config.yaml")
    try:
        found = EncoderSettings.model_validate(section)
    except ValidationError as error:
        raise ConfigurationError(_one_line(error, path)) from error
    return _encoder_relative_to(found, path.parent)


def shown(settings: Settings) -> dict[str, Any]:
    """The effective configuration as plain data, secrets masked."""
    return settings.model_dump(mode="json")


class _EachKeyOnce(yaml.SafeLoader):
    """The safe loader, which would let the last of two sections of one name win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigurationError(
            f"cannot read the configuration {path}: {reason}; `sidwatch init` writes one, `--config` names another"
        ) from error
    try:
        data = _EachKeyOnce(text).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigurationError(f"{path}{where}: {problem}; correct the YAML") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: nested too deeply; correct the YAML") from error
    except ValueError as error:  # a date that is none, a number of thousands of digits
        raise ConfigurationError(f"{path}: {_flat(error)}; correct the YAML") from error
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigurationError(
            f"{path}: expected sections such as `store:` and `encoder:`; see the shipped config.yaml"
        )
    return data


def _one_line(error: ValidationError, path: Path | None) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    message = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return _flat(
        f"{path or 'configuration'}: {key}: {message}{more}; every key is explained in the shipped config.yaml"
    )


def _flat(message: object) -> str:
    """One line, whatever a key or a library put into it."""
    return " ".join(str(message).split())


def _relative_to(settings: Settings, folder: Path) -> Settings:
    store = settings.store.model_copy(update={"directory": (folder / settings.store.directory).resolve()})
    encoder = _encoder_relative_to(settings.encoder, folder)
    adapters = tuple(
        adapter.model_copy(update={"options": _resolve_paths(adapter.kind, adapter.options, folder)})
        for adapter in settings.adapters
    )
    vocabulary = settings.explain.vocabulary
    explain = ExplainSettings(vocabulary=(folder / vocabulary).resolve()) if vocabulary else settings.explain
    return settings.model_copy(update={"store": store, "encoder": encoder, "adapters": adapters, "explain": explain})


def _encoder_relative_to(encoder: EncoderSettings, folder: Path) -> EncoderSettings:
    clip = encoder.open_clip
    found = {
        key: (folder / value).resolve()
        for key in ("weights_path", "cache_dir", "compiled_dir")
        if (value := getattr(clip, key)) is not None
    }
    return encoder.model_copy(update={"open_clip": clip.model_copy(update=found)})


_PATHS = ("path", "root", "archive", "token_file")


def _resolve_paths(kind: str, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The options of _PATHS are paths by convention of the adapters; URLs and names on the Hub stay as they are."""
    found = {
        key: str((folder / _expanded(value)).resolve()) if _is_path(kind, key, value) else value
        for key, value in options.items()
    }
    if kind == "generate" and isinstance(found.get("models"), list | tuple):
        found["models"] = [_with_folder(model, folder) for model in found["models"]]
    return found


def _with_folder(model: Any, folder: Path) -> Any:
    """A model that is written as a folder, `./…` or `../…`; what else it is the adapter checks."""
    name = model.get("model") if isinstance(model, dict) else None
    if not isinstance(name, str) or not name.startswith(("./", "../")):
        return model
    return {**model, "model": str((folder / name).resolve())}


def _is_path(kind: str, key: str, value: object) -> bool:
    if key not in _PATHS or not isinstance(value, str) or "://" in value:
        return False
    # `owner/name` is a dataset of the Hub: a folder is written as one
    return kind != "hf_dataset" or key != "path" or value.startswith(("/", ".", "~"))


def _expanded(path: str) -> Path:
    return Path(path).expanduser() if path.startswith("~/") else Path(path)
