"""Heads behind one interface: the closed-form solve, the linear heads, the concept model; thresholds, artifact.

Importing this needs no torch: every version is scored, and the closed form solved, by numpy alone.
"""

from daemon.heads.artifact import VersionArtifact, read, version_digest, write
from daemon.heads.closed_form import ClosedFormHead
from daemon.heads.concept_head import ConceptHead
from daemon.heads.crossfit import fold_heads, held_out_scores
from daemon.heads.decorrelation import decorrelation_penalty
from daemon.heads.head import Fired, Head, Vectors
from daemon.heads.learner import Origin, fit_trained, fit_version
from daemon.heads.linear_head import LinearHead
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve
from daemon.heads.statistics import GroupKey, GroupStatistics, Moments

__all__ = [
    "ClosedFormHead",
    "ConceptHead",
    "Fired",
    "GroupKey",
    "GroupStatistics",
    "Head",
    "HeadSettings",
    "LinearHead",
    "Moments",
    "Origin",
    "Vectors",
    "VersionArtifact",
    "decorrelation_penalty",
    "fit_trained",
    "fit_version",
    "fold_heads",
    "held_out_scores",
    "read",
    "solve",
    "version_digest",
    "write",
]
