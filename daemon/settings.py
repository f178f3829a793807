"""config.yaml -> typed settings. Precedence: arguments, environment (`SIDWATCH_A__B`), the file, the defaults.

The defaults here are the values of the shipped config.yaml (a test compares them). Unknown keys are errors.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from daemon.errors import ConfigurationError
from daemon.model import FEEDBACK, PUSH, Trust
from daemon.units import Duration, Size, format_duration, parse_duration, parse_size


class Section(BaseModel):
    """Base of the sections: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(Section):
    directory: Path = Path("state")
    database_url: SecretStr | None = None


class ClockSettings(Section):
    kind: Literal["wall", "simulated"] = "wall"
    start: datetime | None = None
    step: Duration = parse_duration("1d")

    @model_validator(mode="after")
    def _simulated_time_starts_somewhere(self) -> ClockSettings:
        if self.kind == "simulated" and self.start is None:
            raise ValueError("a simulated clock needs `start`, for example 2026-01-01T00:00:00Z")
        if self.start is not None and self.start.tzinfo is None:
            raise ValueError("`start` needs a time zone, for example 2026-01-01T00:00:00Z")
        return self


Scope = Literal["read", "ingest", "operate"]


class TokenSettings(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    token: SecretStr = Field(min_length=16)
    scopes: tuple[Scope, ...] = Field(min_length=1)


class HttpSettings(Section):
    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(8600, ge=0, le=65535)
    read_token: SecretStr | None = None
    ingest_token: SecretStr | None = None
    write_token: SecretStr | None = None
    tokens: tuple[TokenSettings, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=1)] | None = 1200
    pictures: bool = True
    max_upload: Size = parse_size("20MiB")
    scores_at_once: int = Field(16, ge=1, le=32)


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class OpenClipSettings(Section):
    model: str = "ViT-L-14-336-quickgelu"
    pretrained: str = "openai"
    weights_path: Path | None = None
    cache_dir: Path | None = None
    activation: Literal["quick_gelu", "gelu"] = "quick_gelu"
    transform: Literal["paper", "clip"] = "paper"
    precision: Literal["fp32", "bf16"] = "fp32"
    backend: Literal["torch", "openvino"] = "torch"
    compiled_dir: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    batch_size: int = Field(16, ge=1)


class ExternalEncoderSettings(Section):
    fingerprint: str | None = None
    dimension: int | None = Field(None, ge=2)


class FusedEncoderSettings(Section):
    encoders: tuple[Literal["open_clip", "forensic"], ...] = ("open_clip", "forensic")

    @model_validator(mode="after")
    def _several_and_each_once(self) -> FusedEncoderSettings:
        if len(self.encoders) < 2 or len(set(self.encoders)) != len(self.encoders):
            raise ValueError("`encoders` needs at least two encoders, each once, for example [open_clip, forensic]")
        return self


class EncoderSettings(Section):
    name: Literal["open_clip", "forensic", "fused", "external"] = "open_clip"
    threads: int = Field(2, ge=1)
    memory_limit: Size = parse_size("8GiB")
    deadline: Duration = parse_duration("2m")
    open_clip: OpenClipSettings = OpenClipSettings()
    fused: FusedEncoderSettings = FusedEncoderSettings()
    external: ExternalEncoderSettings = ExternalEncoderSettings()

    @property
    def parts(self) -> tuple[str, ...]:
        """The encoders that this one is made of: itself, unless it is fused."""
        return self.fused.encoders if self.name == "fused" else (self.name,)


def _as_json(options: dict[str, Any]) -> dict[str, Any]:
    """Options go to a child process as JSON. Raises ValueError, naming the one that is nothing that JSON has."""
    due: list[tuple[str, Any]] = list(options.items())
    seen: set[int] = set()  # YAML can make a list that is in itself
    while due:
        name, value = due.pop()
        if isinstance(value, dict | list | tuple):
            if id(value) in seen:
                continue
            seen.add(id(value))
        if isinstance(value, date):  # a datetime too
            raise ValueError(f'{name} is read as a date by YAML; write it in quotes: "{value.isoformat()}"')
        if isinstance(value, dict):
            due += [(f"{name}.{key}", inner) for key, inner in value.items()]
            if not all(isinstance(key, str) for key in value):
                raise ValueError(f"{name} has a key that is no text; write it in quotes")
        elif isinstance(value, list | tuple):
            due += [(f"{name}[{place}]", inner) for place, inner in enumerate(value)]
        elif not (value is None or isinstance(value, str | int | float)) or value != value or value in _INFINITE:
            raise ValueError(f"{name} is {type(value).__name__} {value}; an option is text, a finite number, yes or no")
    json.dumps(options)  # ValueError: one holds itself
    return options


_INFINITE = (float("inf"), float("-inf"))
Options = Annotated[dict[str, Any], AfterValidator(_as_json)]


class AdapterSettings(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    kind: str
    enabled: bool = True
    every: Duration = parse_duration("1h")
    trust: Trust = "known"
    budget: int = Field(1000, ge=1)
    per_day: Annotated[int, Field(ge=1)] | None = None
    deadline: Duration = parse_duration("10m")
    memory_limit: Size = parse_size("2GiB")
    releases_from: str | None = None
    captions: int = Field(0, ge=0, le=20_000)
    secrets: dict[str, SecretStr] = {}
    options: Options = {}


class FilterSettings(Section):
    name: str
    options: Options = {}


class IntakeSettings(Section):
    max_bytes: Size = parse_size("50MiB")
    max_pixels: int = Field(40_000_000, ge=1)
    min_side: int = Field(64, ge=16)
    near_duplicate_bits: Annotated[int, Field(ge=0, le=12)] | None = 4
    filters: tuple[FilterSettings, ...] = ()
    decoders: int = Field(2, ge=1, le=64)
    deadline: Duration = parse_duration("20s")
    memory_limit: Size = parse_size("1GiB")


class PushSettings(Section):
    trust: Trust = "known"
    per_day: Annotated[int, Field(ge=1)] | None = None
    allowed_hosts: tuple[str, ...] = ()


class FeedbackSettings(Section):
    trust: Trust = "known"


class SplitSettings(Section):
    train: float = Field(0.50, gt=0, lt=1)
    calibration: float = Field(0.15, gt=0, lt=1)
    reference: float = Field(0.15, gt=0, lt=1)
    holdout: float = Field(0.20, gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_is_one(self) -> SplitSettings:
        total = self.train + self.calibration + self.reference + self.holdout
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the four shares must add up to 1, not {total:g}")
        return self


class HeadSettings(Section):
    read_out: Literal["mixture", "linear"] = "mixture"
    ridge: float = Field(0.0045, gt=0)
    tau: float = Field(0.06, gt=0)
    source_tau: Annotated[float, Field(gt=0)] | None = 0.045
    profile_shift: float = Field(0.1, ge=0)
    max_units: int = Field(128, ge=1)
    min_group: int = Field(3, ge=2)
    min_form: int = Field(10, ge=2)
    noise_correction: bool = True


class ThresholdSettings(Section):
    alpha: float = Field(0.05, gt=0, lt=0.5)


class WindowSettings(Section):
    last: tuple[Annotated[int, Field(ge=10)], ...] = (200,)
    within: tuple[Duration, ...] = (parse_duration("30d"),)

    @model_validator(mode="after")
    def _every_window_has_a_name_of_its_own(self) -> WindowSettings:
        names = [*map(str, self.last), *map(format_duration, self.within)]
        if len(set(names)) < len(names):
            raise ValueError("a window is named twice")
        if any(age.total_seconds() <= 0 for age in self.within):
            raise ValueError("a window needs a length, for example 30d")
        return self


class EvaluateSettings(Section):
    prevalence: float = Field(0.5, gt=0, lt=1)
    min_samples: int = Field(10, ge=2)
    min_samples_worst: int = Field(25, ge=2)
    last_per_subject: int = Field(1000, ge=50)
    windows: WindowSettings = WindowSettings()


class ShortcutAuditSettings(Section):
    threshold: float = Field(0.9, gt=0.5, lt=1)
    action: Literal["laundered_only", "report"] = "report"
    min_groups: int = Field(10, ge=5)
    most_pictures: int = Field(200, ge=50)


class AlarmSettings(Section):
    auroc_floor: float = Field(0.90, gt=0.5, lt=1)
    recall_floor: float = Field(0.50, gt=0, lt=1)
    false_positive_ceiling: float = Field(0.20, gt=0, lt=1)
    detector: Literal["e_process", "adwin", "page_hinkley", "hddm_a", "kswin"] = "e_process"
    false_alarms_per_30_days: float = Field(1.0, gt=0)
    new_tests_per_30_days: float = Field(50, gt=0)
    known_votes_per_30_days: float = Field(1000, gt=0)
    novelty_min_batch: int = Field(10, ge=5)
    family_stale_after: Duration | None = parse_duration("90d")
    adapter_stale_after: Duration | None = parse_duration("14d")
    insufficient_after: Duration | None = parse_duration("14d")


class GradientSettings(Section):
    units: int = Field(8, ge=1, le=1024)
    label_smoothing: float = Field(0.1, ge=0, lt=0.5)
    decorrelation: float = Field(0.33, ge=0)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    batch_size: int = Field(64, ge=2)
    max_epochs: int = Field(200, ge=1)
    patience: int = Field(5, ge=1)
    validation: float = Field(0.15, gt=0, lt=0.9)
    seed: int = Field(123, ge=0)
    standardise: bool | None = None


class ProbeSettings(Section):
    c: float = Field(0.2, gt=0)
    max_iterations: int = Field(1000, ge=1)
    standardise: bool | None = None


class ConceptSettings(Section):
    learning_rate: float = Field(1e-3, gt=0)
    gate_factor: float = Field(10.0, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    batch_size: int = Field(256, ge=2)
    temperature: float = Field(0.1, gt=0)
    sparsity_weight: float = Field(1e-4, ge=0)
    sparsity: float = Field(1e-4, gt=0, lt=1)
    max_epochs: int = Field(200, ge=1)
    patience: int = Field(10, ge=1)
    seed: int = Field(123, ge=0)


Learner = Literal["closed_form", "mixture", "linear", "gradient", "probe", "concept"]
TriggerName = Literal["alarm", "degraded", "misjudged", "named", "real_pool_shift"]


class AttemptSettings(Section):
    learner: Learner
    min_groups: int = Field(10, ge=1)
    min_sources: int = Field(1, ge=1)
    cool_down: Duration = parse_duration("0s")
    at_most: Annotated[int, Field(ge=1)] | None = None


class PolicySettings(Section):
    triggers: tuple[TriggerName, ...] = ("alarm", "degraded", "misjudged", "named", "real_pool_shift")
    attempts: tuple[AttemptSettings, ...] = Field(
        (
            AttemptSettings(learner="closed_form"),
            AttemptSettings(learner="linear"),
            AttemptSettings(learner="gradient", min_groups=30, cool_down=parse_duration("6h"), at_most=3),
        ),
        min_length=1,
    )
    every: Duration | None = None

    @model_validator(mode="after")
    def _every_learner_once(self) -> PolicySettings:
        learners = [attempt.learner for attempt in self.attempts]
        repeated = sorted({learner for learner in learners if learners.count(learner) > 1})
        if repeated:
            raise ValueError(f"attempts: {repeated[0]!r} stands there twice; `at_most` and `cool_down` say how often")
        if self.every is not None and self.every.total_seconds() <= 0:
            raise ValueError("`every` needs a length, for example 30d; null: never")
        return self


class LearnSettings(Section):
    automatic: bool = True
    first_families: int = Field(2, ge=1)
    first_sources: int = Field(2, ge=1)
    first_samples: int = Field(10, ge=5)
    retry_after_groups: int = Field(5, ge=1)
    new_family_weights: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field((1.0, 0.4, 0.15, 0.05), min_length=1)
    policy: PolicySettings = PolicySettings()
    gradient: GradientSettings = GradientSettings()
    probe: ProbeSettings = ProbeSettings()
    concept: ConceptSettings = ConceptSettings()
    known_source_pictures: int = Field(100, ge=1)
    known_source_share: float = Field(0.8, gt=0, lt=1)
    left_out_heads: int = Field(20, ge=5)
    deadline: Duration = parse_duration("30m")
    memory_limit: Size = parse_size("4GiB")


class GateSettings(Section):
    alpha: float = Field(0.01, gt=0, lt=0.5)
    family_margin: float = Field(0.02, gt=0)
    mean_margin: float = Field(0.01, gt=0)
    false_positive_margin: float = Field(0.02, gt=0)
    min_groups: int = Field(10, ge=2)
    replicates: int = Field(1000, ge=100)
    unresolved: Literal["hold", "watch"] = "watch"


class PromotionSettings(Section):
    mode: Literal["auto", "shadow", "manual"] = "auto"
    shadow_samples: int = Field(200, ge=1)
    shadow_for: Duration = parse_duration("3d")
    watch_for: Duration = parse_duration("14d")
    watch_samples: int = Field(500, ge=10)
    watch_alpha: float = Field(0.01, gt=0, lt=0.5)
    flapping_returns: int = Field(2, ge=1)
    flapping_window: Duration = parse_duration("7d")


class RecoverySettings(Section):
    min_samples: int = Field(10, ge=2)
    ap: float = Field(0.90, gt=0.5, lt=1)


class ReembedSettings(Section):
    samples_per_cycle: int = Field(200, ge=1)
    memory_limit: Size = parse_size("8GiB")


class ScheduleSettings(Section):
    cycle_every: Duration = parse_duration("1m")
    lease: Duration = parse_duration("2m")
    drain_deadline: Duration = parse_duration("20s")


class ReportSettings(Section):
    every: Duration | None = None
    form: Literal["html", "md"] = "html"

    @field_validator("every")
    @classmethod
    def _some_time_lies_between(cls, every: timedelta | None) -> timedelta | None:
        if every is not None and every < timedelta(minutes=1):
            raise ValueError("reports come at most once a minute; for example 7d, or null for none")
        return every


class ExplainSettings(Section):
    vocabulary: Path | None = None


class ChannelSection(Section):
    """What every channel has."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    enabled: bool = True
    events: tuple[str, ...] | None = None  # kinds; None: one message a change of state


class WebhookSettings(ChannelSection):
    kind: Literal["webhook"]
    url: SecretStr
    secret: SecretStr = Field(min_length=16)
    timeout: Duration = parse_duration("10s")


class EmailSettings(ChannelSection):
    kind: Literal["email"]
    host: str
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str
    recipients: tuple[str, ...] = Field(min_length=1)
    timeout: Duration = parse_duration("20s")

    @model_validator(mode="after")
    def _no_password_in_the_open(self) -> EmailSettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` go together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent without encryption: `security` must be starttls or tls")
        return self


class AppriseSettings(ChannelSection):
    kind: Literal["apprise"]
    url: SecretStr


ChannelSettings = Annotated[WebhookSettings | EmailSettings | AppriseSettings, Field(discriminator="kind")]


class NotifySettings(Section):
    page_url: str | None = Field(None, pattern=r"^https?://\S+$")
    pictures: int = Field(3, ge=0, le=10)
    retry_every: Duration = parse_duration("1m")
    channels: tuple[ChannelSettings, ...] = ()

    @model_validator(mode="after")
    def _channel_names_are_unique(self) -> NotifySettings:
        names = [channel.name for channel in self.channels]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"the name {repeated[0]!r} is used twice; names of channels must be unique")
        return self


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(env_prefix="SIDWATCH_", env_nested_delimiter="__", extra="forbid", frozen=True)

    store: StoreSettings = StoreSettings()
    clock: ClockSettings = ClockSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    encoder: EncoderSettings = EncoderSettings()
    adapters: tuple[AdapterSettings, ...] = ()
    intake: IntakeSettings = IntakeSettings()
    push: PushSettings = PushSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    splits: SplitSettings = SplitSettings()
    head: HeadSettings = HeadSettings()
    threshold: ThresholdSettings = ThresholdSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    shortcut_audit: ShortcutAuditSettings = ShortcutAuditSettings()
    alarms: AlarmSettings = AlarmSettings()
    learn: LearnSettings = LearnSettings()
    gate: GateSettings = GateSettings()
    promotion: PromotionSettings = PromotionSettings()
    recovery: RecoverySettings = RecoverySettings()
    report: ReportSettings = ReportSettings()
    explain: ExplainSettings = ExplainSettings()
    reembed: ReembedSettings = ReembedSettings()
    notify: NotifySettings = NotifySettings()
    schedule: ScheduleSettings = ScheduleSettings()

    @property
    def simulated(self) -> bool:
        """Whether pictures or time are simulated, which is said wherever figures are shown."""
        return self.clock.kind == "simulated" or any(
            adapter.kind == "simulated" and adapter.enabled for adapter in self.adapters
        )

    @property
    def page_address(self) -> str | None:
        """Where people find the status page, without a slash at its end; None: nowhere."""
        if self.notify.page_url is not None:
            return self.notify.page_url.rstrip("/")
        if not self.http.enabled or self.http.port == 0:
            return None
        host = f"[{self.http.host}]" if ":" in self.http.host else self.http.host
        return f"http://{host}:{self.http.port}"

    @model_validator(mode="after")
    def _adapter_names_are_unique(self) -> Settings:
        names = [adapter.name for adapter in self.adapters]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"adapters: the name {repeated[0]!r} is used twice; names must be unique")
        if PUSH in names:
            raise ValueError(f"adapters: the name {PUSH!r} is kept for what comes over HTTP; take another one")
        if FEEDBACK in names:
            raise ValueError(f"adapters: the name {FEEDBACK!r} is kept for what people report; take another one")
        for adapter in self.adapters:
            finder = adapter.releases_from
            if finder is not None and (finder not in names or finder == adapter.name):
                others = ", ".join(name for name in names if name != adapter.name) or "none"
                raise ValueError(
                    f"adapters.{adapter.name}.releases_from: no other adapter is named {finder!r}; there are: {others}"
                )
        return self


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


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigurationError(
            f"cannot read the configuration {path}: {reason}; `sidwatch init` writes one, `--config` names another"
        ) from error
    try:
        data = yaml.safe_load(text)
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
    return {
        key: str((folder / Path(value).expanduser()).resolve()) if _is_path(kind, key, value) else value
        for key, value in options.items()
    }


def _is_path(kind: str, key: str, value: object) -> bool:
    if key not in _PATHS or not isinstance(value, str) or "://" in value:
        return False
    # `owner/name` is a dataset of the Hub: a folder is written as one
    return kind != "hf_dataset" or key != "path" or value.startswith(("/", ".", "~"))
