"""Whether a batch of pictures comes from none of the known groups: Hotelling's T^2 in the whitened feature space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.model import Subject

COMPONENTS = 64  # principal components of the features that are whitened
MARGIN = 1.0  # within-group standard deviations by which known groups move too, and no batch is novel
MOST_EVIDENCE = 300.0  # log10; beyond it float64 has no tail left
SMALLEST_GROUP = 2  # one picture has no mean to speak of

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """A known family or real source in the whitened space."""

    subject: Subject
    n: int
    mean: Matrix  # (k,)
    dispersion: float  # mean variance per direction; 1: like the pooled one


@dataclass(frozen=True, slots=True)
class Space:
    """The whitened space: pictures of one known group have there about unit variance in every direction."""

    known: tuple[Known, ...]
    batch: Matrix  # (n, k) the pictures asked about
    freedom: int  # degrees of freedom of the pooled covariance


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pictures of a batch that lie together, and how surely they are none of the known groups."""

    members: NDArray[np.intp]  # rows of the batch
    log10_evidence: float  # -log10 of the p-value against the known group that it resembles most
    nearest: Subject  # that group
    nearest_family: Subject | None  # the known family whose mean is nearest


def whitened(vectors: NDArray[np.float16], subjects: Sequence[Subject], batch: NDArray[np.float16]) -> Space:
    """Whiten by the pooled covariance within the known groups.

    The features are standardised and reduced to their leading principal components, known and asked together, so that
    a direction which only the batch has is seen; the covariance is Ledoit's and Wolf's.

    vectors: (n, d) of known pictures. subjects: (n,) their groups. batch: (b, d).
    Raises ValueError when fewer than two groups have `SMALLEST_GROUP` pictures. Source: method sections 3 and 4.
    """
    from sklearn.covariance import LedoitWolf
    from sklearn.decomposition import PCA

    rows = {subject: np.flatnonzero([s == subject for s in subjects]) for subject in sorted(set(subjects))}
    rows = {subject: own for subject, own in rows.items() if own.size >= SMALLEST_GROUP}
    if len(rows) < 2:
        raise ValueError("a batch is judged against two known groups at least")
    kept = np.concatenate(list(rows.values()))
    centre, scale = _standards(vectors[kept].astype(np.float64))
    features, asked = ((x.astype(np.float64) - centre) * scale for x in (vectors, batch))
    together = np.concatenate((features[kept], asked))
    reduction = PCA(min(COMPONENTS, *together.shape), svd_solver="full").fit(together)
    features, asked = reduction.transform(features), reduction.transform(asked)
    residuals = np.concatenate([features[own] - features[own].mean(axis=0) for own in rows.values()])
    freedom = len(residuals) - len(rows)
    pooled = LedoitWolf(assume_centered=True).fit(residuals).covariance_ * (len(residuals) / freedom)
    lower = np.linalg.cholesky(pooled)
    features, asked = (np.linalg.solve(lower, x.T).T for x in (features, asked))
    known = tuple(
        Known(subject, own.size, features[own].mean(axis=0), dispersion(features[own])) for subject, own in rows.items()
    )
    return Space(known, asked, freedom)


def clusters(space: Space, smallest: int) -> list[Cluster]:
    """The clusters of the batch with at least `smallest` pictures, the surest novelty first.

    Ward's clustering: what it joins costs a T^2 of its own, so it stops where the joined means differ.
    """
    n, dimensions = space.batch.shape
    if n < max(smallest, 2):
        return []
    from sklearn.cluster import AgglomerativeClustering

    # Two halves of one Gaussian cloud are joined at sqrt(2) of its radius, with room for heavier tails.
    reach = 2.0 * math.sqrt(2.0 * dimensions)
    labels = AgglomerativeClustering(n_clusters=None, linkage="ward", distance_threshold=reach).fit_predict(space.batch)
    found = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    judged = [_judge(space, members) for members in found if members.size >= smallest]
    return sorted(judged, key=lambda cluster: (-cluster.log10_evidence, int(cluster.members[0])))


def shift_evidence(difference: Matrix, variance: float, spread: float, freedom: int, margin: float = MARGIN) -> float:
    """-log10 of the p-value of "the two means differ by at most `margin`", by Hotelling's T^2.

    difference: (k,) of the means in the whitened space. variance: 1/n + 1/m. spread: a picture's, per direction.
    """
    from scipy.stats import ncf

    dimensions = difference.size
    free = max(1, freedom - dimensions + 1)
    t2 = float(difference @ difference) / (variance * spread)
    nearby = margin**2 / (variance * spread)
    p = float(ncf.sf(t2 * free / (freedom * dimensions), dimensions, free, nearby))
    return MOST_EVIDENCE if not p > 0.0 else min(MOST_EVIDENCE, max(0.0, -math.log10(p)))


def dispersion(pictures: Matrix) -> float:
    """Mean variance per direction of pictures (n, k); 1 for a single one."""
    return float(pictures.var(axis=0, ddof=1).mean()) if len(pictures) > 1 else 1.0


def _judge(space: Space, members: NDArray[np.intp]) -> Cluster:
    pictures = space.batch[members]
    mean, own = pictures.mean(axis=0), dispersion(pictures)
    against: list[tuple[float, float, Subject]] = []
    for group in space.known:
        difference = mean - group.mean
        variance = 1.0 / members.size + 1.0 / group.n
        evidence = shift_evidence(difference, variance, max(1.0, own, group.dispersion), space.freedom)
        against.append((evidence, float(difference @ difference), group.subject))
    evidence, _, nearest = min(against)
    mixture = _mixture_evidence(space, pictures, mean)
    families = [(distance, subject) for _, distance, subject in against if subject.kind == "family"]
    return Cluster(members, min(evidence, mixture), nearest, min(families)[1] if families else None)


def _mixture_evidence(space: Space, pictures: Matrix, mean: Matrix) -> float:
    """Against a mixture of the known groups that the pictures resemble one by one: Ward may have joined two of them."""
    means = np.stack([group.mean for group in space.known])
    distances = ((pictures[:, None, :] - means[None, :, :]) ** 2).sum(axis=2)
    shares: Mapping[int, float] = _shares(distances.argmin(axis=1))
    expected = np.sum([share * means[group] for group, share in shares.items()], axis=0)
    variance = 1.0 / len(pictures) + sum(share**2 / space.known[group].n for group, share in shares.items())
    spread = max(1.0, float(distances.min(axis=1).mean()) / pictures.shape[1])
    return shift_evidence(mean - expected, variance, spread, space.freedom)


def _shares(nearest: NDArray[np.intp]) -> dict[int, float]:
    groups, counts = np.unique(nearest, return_counts=True)
    return {int(group): float(count / nearest.size) for group, count in zip(groups, counts, strict=True)}


def _standards(x: Matrix) -> tuple[Matrix, Matrix]:
    deviation = x.std(axis=0)
    return x.mean(axis=0), np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0.0)
