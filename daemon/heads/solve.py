"""The closed-form solve: canonical variates of the groups, rotated until the activations are decorrelated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular, svd
from scipy.linalg.lapack import dtrtri

from daemon.errors import BadInputError
from daemon.heads.closed_form import ClosedFormHead
from daemon.heads.pooling import Pooled, pool_moments
from daemon.heads.settings import HeadSettings
from daemon.heads.statistics import GroupKey, Moments

# A feature whose variance is below this share of its mean square does not vary: float16 resolves 2^-11 of a
# value, so a feature that ever changes by one unit in 100,000 rows lies above it.
_INERT = 1e-13
_RANK = 1e-9  # singular values below this share of the largest carry no group difference


def solve(groups: Mapping[GroupKey, Moments], settings: HeadSettings) -> ClosedFormHead:
    """Solve a head from the moments of its groups.

    Parameters:
        groups: moments per (subject, profile); the order of the mapping does not matter.
        settings: those with fewer than `settings.min_group` rows are left out.

    Raises:
        BadInputError: no family or no real source has enough rows, or no feature varies.

    Source: method section 4, "Learning".
    """
    return solve_pooled(pool_moments(groups, settings.min_group), settings)


def solve_pooled(pooled: Pooled, settings: HeadSettings) -> ClosedFormHead:
    """Solve a head from pooled statistics; see `solve`."""
    weights, second = pooled.weights, pooled.second
    centre = weights @ pooled.means
    mean_square = np.diagonal(second)
    variance = mean_square - centre**2
    varies = variance > _INERT * mean_square
    if not varies.any():
        raise BadInputError("a head cannot be solved: no feature varies over the groups")
    # An inert feature gets the factor 0: it is ignored, instead of blowing up rounding noise.
    inverse_scale = np.where(varies, 1.0 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)

    scale = np.outer(inverse_scale, inverse_scale)
    within = (second - (pooled.means * weights[:, None]).T @ pooled.means) * scale
    shifts = (pooled.means - centre) * inverse_scale  # (g, d) standardised group means
    added = settings.ridge * float(np.trace(within)) / int(varies.sum())
    if added <= 0.0:
        raise BadInputError("a head cannot be solved: the pictures of every group are identical")
    nuisance = np.sqrt(settings.profile_shift) * _between_profiles(pooled.keys, shifts, weights)
    lower = cholesky(within + nuisance.T @ nuisance + added * np.eye(len(centre)), lower=True)
    whitened = solve_triangular(lower, shifts.T, lower=True).T  # (g, d)
    _, singular, right = svd(np.sqrt(weights)[:, None] * whitened, full_matrices=False)
    rank = int((singular > _RANK * singular[0]).sum())
    k = max(1, min(settings.max_units, len(pooled.keys) - 1, rank))
    variates = solve_triangular(lower, right[:k].T, lower=True, trans="T")

    units = variates @ _decorrelating(variates, within, shifts, weights)
    units = units * np.where(units[np.abs(units).argmax(axis=0), np.arange(k)] < 0, -1.0, 1.0)
    means = shifts @ units
    return ClosedFormHead(
        read_out=settings.read_out,
        tau=settings.tau,
        source_tau=settings.source_tau or settings.tau,
        keys=pooled.keys,
        centre=centre,
        inverse_scale=inverse_scale,
        units=np.ascontiguousarray(units),
        means=means,
        half_norms=_half_norms(means, whitened, lower, added, nuisance, pooled.counts, settings.noise_correction),
        log_weights=np.log(weights) + log_priors(pooled.keys, settings),
    )


def log_priors(keys: Sequence[GroupKey], settings: HeadSettings) -> NDArray[np.float64]:
    """Log of the factor on each group's mixture weight, (g,); the linear read-out has no such weights."""
    priors = dict(settings.log_priors) if settings.read_out == "mixture" else {}
    return np.array([priors.get(key.subject.name, 0.0) if key.subject.kind == "family" else 0.0 for key in keys])


def _between_profiles(
    keys: Sequence[GroupKey], shifts: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The profiles' means around their subject's, (g, d), so weighted that x' x is their covariance.

    How a picture was delivered says nothing of where it comes from: what moves with the profile alone is a nuisance,
    and counts as variation within the subject.

    Source: Hatch et al., "Within-class covariance normalization for SVM-based speaker recognition", 2006; Solomonoff et
    al., "Advances in channel compensation for SVM speaker recognition", 2005 (nuisance directions of the channel).
    """
    alike = [(key.subject, key.form) for key in keys]  # what differs in the profile alone
    number = {own: i for i, own in enumerate(sorted(set(alike)))}
    of = [number[own] for own in alike]
    members = np.zeros((len(number), len(keys)))
    members[of, np.arange(len(keys))] = weights
    centres = members @ shifts / members.sum(axis=1, keepdims=True)
    apart: NDArray[np.float64] = shifts - centres[of]
    return np.sqrt(weights)[:, None] * apart


def _decorrelating(
    variates: NDArray[np.float64],
    within: NDArray[np.float64],
    shifts: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The rotation after which the total covariance without ridge is diagonal, largest variance first."""
    means = shifts @ variates
    total = variates.T @ within @ variates + (means * weights[:, None]).T @ means
    _, rotation = eigh((total + total.T) / 2.0)
    result: NDArray[np.float64] = rotation[:, ::-1]
    return result


def _half_norms(
    means: NDArray[np.float64],
    whitened: NDArray[np.float64],
    lower: NDArray[np.float64],
    added: float,
    nuisance: NDArray[np.float64],
    counts: NDArray[np.int64],
    noise_correction: bool,
) -> NDArray[np.float64]:
    """|m_g|^2 / 2 per group, if wanted less the sampling noise tr(C^-1 C0) / n_g that inflates it."""
    norms: NDArray[np.float64] = np.einsum("gk,gk->g", means, means)
    if noise_correction:
        inverse, _ = dtrtri(lower, lower=1)
        moved = inverse @ nuisance.T
        # C0 = C - added I - nuisance' nuisance, hence tr(C^-1 C0) = d - added tr(C^-1) - |L^-1 nuisance'|^2
        beside = added * float(np.einsum("ij,ij->", inverse, inverse)) + float(np.einsum("ij,ij->", moved, moved))
        noise = (len(lower) - beside) / counts
        # with fewer units than groups - 1 a mean keeps only part of its norm, and of that noise
        kept = norms / np.maximum(np.einsum("gd,gd->g", whitened, whitened), np.finfo(np.float64).tiny)
        norms = np.maximum(norms - noise * kept, 0.0)
    return norms / 2.0
