"""The head: group statistics, the closed-form solve, its read-outs, threshold, calibration and artifact.

Nothing here imports torch: a version is solved and scored by numpy alone.
"""

from daemon.heads.artifact import VersionArtifact, read, version_digest, write
from daemon.heads.crossfit import fold_heads, held_out_scores
from daemon.heads.head import Head
from daemon.heads.learner import Origin, fit_version
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve
from daemon.heads.statistics import GroupKey, GroupStatistics, Moments

__all__ = [
    "GroupKey",
    "GroupStatistics",
    "Head",
    "HeadSettings",
    "Moments",
    "Origin",
    "VersionArtifact",
    "fit_version",
    "fold_heads",
    "held_out_scores",
    "read",
    "solve",
    "version_digest",
    "write",
]
