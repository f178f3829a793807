"""Deciding whether a version comes into force: the gate and its verdicts, pure functions of scores."""

from daemon.promote.comparison import Comparison, GateSettings
from daemon.promote.first_champion import first_champion_verdict
from daemon.promote.gate import gate, gate_forgetting, gate_migration
from daemon.promote.verdict import Check, Verdict

__all__ = [
    "Check",
    "Comparison",
    "GateSettings",
    "Verdict",
    "first_champion_verdict",
    "gate",
    "gate_forgetting",
    "gate_migration",
]
