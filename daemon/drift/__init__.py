"""Proof that a family evades or a real source is misjudged: placement values, e-processes, states.

Pure functions and frozen states; what is stored and when a batch ends is decided elsewhere.
"""

from daemon.drift.alarm import AlarmTest, family_test, source_test
from daemon.drift.budget import alarm_alpha
from daemon.drift.e_process import EProcess
from daemon.drift.placement import placement_values
from daemon.drift.states import (
    FAMILY_STATES,
    SOURCE_STATES,
    FamilyState,
    SourceState,
    family_state,
    source_state,
)
from daemon.drift.votes import group_votes

__all__ = [
    "FAMILY_STATES",
    "SOURCE_STATES",
    "AlarmTest",
    "EProcess",
    "FamilyState",
    "SourceState",
    "alarm_alpha",
    "family_state",
    "family_test",
    "group_votes",
    "placement_values",
    "source_state",
    "source_test",
]
