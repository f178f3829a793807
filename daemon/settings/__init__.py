"""config.yaml -> typed settings. Precedence: arguments, environment (`SIDWATCH_A__B`), the file, the defaults.

The defaults here are the values of the shipped config.yaml (a test compares them). Unknown keys are errors.
"""

from daemon.settings.encoder import (
    EncoderSettings,
    ExternalEncoderSettings,
    FusedEncoderSettings,
    OpenClipSettings,
    ReembedSettings,
)
from daemon.settings.http import HttpSettings, Scope, TokenSettings
from daemon.settings.intake import (
    AdapterSettings,
    FeedbackSettings,
    FilterSettings,
    IntakeSettings,
    Options,
    PushSettings,
    SplitSettings,
)
from daemon.settings.learning import (
    AttemptSettings,
    ConceptSettings,
    GradientSettings,
    HeadSettings,
    Learner,
    LearnSettings,
    PolicySettings,
    ProbeSettings,
    TriggerName,
)
from daemon.settings.loading import load, load_encoder, shown
from daemon.settings.measuring import (
    AlarmSettings,
    EvaluateSettings,
    ShortcutAuditSettings,
    ThresholdSettings,
    WindowSettings,
)
from daemon.settings.notifying import (
    AppriseSettings,
    ChannelSection,
    ChannelSettings,
    EmailSettings,
    NotifySettings,
    WebhookSettings,
)
from daemon.settings.promoting import GateSettings, PromotionSettings, RecoverySettings
from daemon.settings.running import (
    ClockSettings,
    ExplainSettings,
    LogSettings,
    ReportSettings,
    ScheduleSettings,
    StoreSettings,
)
from daemon.settings.section import Section
from daemon.settings.whole import Settings

__all__ = [
    "AdapterSettings",
    "AlarmSettings",
    "AppriseSettings",
    "AttemptSettings",
    "ChannelSection",
    "ChannelSettings",
    "ClockSettings",
    "ConceptSettings",
    "EmailSettings",
    "EncoderSettings",
    "EvaluateSettings",
    "ExplainSettings",
    "ExternalEncoderSettings",
    "FeedbackSettings",
    "FilterSettings",
    "FusedEncoderSettings",
    "GateSettings",
    "GradientSettings",
    "HeadSettings",
    "HttpSettings",
    "IntakeSettings",
    "LearnSettings",
    "Learner",
    "LogSettings",
    "NotifySettings",
    "OpenClipSettings",
    "Options",
    "PolicySettings",
    "ProbeSettings",
    "PromotionSettings",
    "PushSettings",
    "RecoverySettings",
    "ReembedSettings",
    "ReportSettings",
    "ScheduleSettings",
    "Scope",
    "Section",
    "Settings",
    "ShortcutAuditSettings",
    "SplitSettings",
    "StoreSettings",
    "ThresholdSettings",
    "TokenSettings",
    "TriggerName",
    "WebhookSettings",
    "WindowSettings",
    "load",
    "load_encoder",
    "shown",
]
