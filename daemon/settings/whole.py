"""All sections together."""

from __future__ import annotations

from socket import gethostname

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from daemon.model import FEEDBACK, PUSH
from daemon.settings.encoder import EncoderSettings, ReembedSettings
from daemon.settings.http import EVERYWHERE, HttpSettings
from daemon.settings.intake import AdapterSettings, FeedbackSettings, IntakeSettings, PushSettings, SplitSettings
from daemon.settings.learning import HeadSettings, LearnSettings
from daemon.settings.measuring import AlarmSettings, EvaluateSettings, ShortcutAuditSettings, ThresholdSettings
from daemon.settings.notifying import NotifySettings
from daemon.settings.promoting import GateSettings, PromotionSettings, RecoverySettings
from daemon.settings.running import (
    ClockSettings,
    ExplainSettings,
    LogSettings,
    ReportSettings,
    ScheduleSettings,
    StoreSettings,
)


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
        # Listening everywhere is no address that a reader of a message could open.
        known = gethostname() if self.http.host in EVERYWHERE else self.http.host
        host = f"[{known}]" if ":" in known else known
        return f"http://{host}:{self.http.port}"

    @property
    def page_notice(self) -> str | None:
        """One line for whoever starts the service: that nobody has said where people find the page."""
        if self.notify.page_url is not None or not self.http.enabled or self.http.host not in EVERYWHERE:
            return None
        links = f"link to {self.page_address}" if self.page_address else "have no link, as http.port is 0"
        return f"http.host is {self.http.host!r}, so messages {links}: set notify.page_url to where people find it"

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
