"""What people do today: cross-validate a few ratios and take the best."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairs import Run
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.path import RIDGES
from synthmix_dagster.ratio.sample import EncodedSample

Floats = NDArray[np.float64]

FOLDS = 5


def grid_search(run: Run) -> tuple[float, float]:
    """The ratio of the lowest cross-validated error, and the lowest within one standard error.

    Folds of the real rows; the same share of the synthetic rows as of the real ones; the features
    of the risk path; for each ratio the ridge of the lowest error.
    """
    frames = {"real": run.real, "synthetic": run.synthetic}
    code = TargetCode.fit(run.real, run.target, run.task)
    sample = EncodedSample.encode(frames, code, Columns(categorical=run.categorical))
    points = sample.points
    feature_map = NystroemMap.fit(points["real"], points["synthetic"], rng=np.random.default_rng(0))
    features = {side: feature_map.transform(at) for side, at in points.items()}
    ratios = np.array([r for r in run.ratios if round(r * run.n) <= sample.m])
    losses = grid_losses(features, sample.targets, np.rint(ratios * run.n).astype(int), run.seed)
    risks = losses.mean(axis=1)
    best = int(risks.argmin())
    differences = losses - losses[best]
    errors = differences.std(axis=1, ddof=1) / np.sqrt(sample.n)
    within = np.flatnonzero(risks - risks[best] <= errors)
    return float(ratios[best]), float(ratios[within[0]])


def grid_losses(
    features: dict[str, Floats], targets: dict[str, Floats], counts: NDArray[np.int64], seed: int
) -> Floats:
    """Losses of shape (n_counts, n), at the best ridge of each count."""
    n = len(features["real"])
    rng = np.random.default_rng(seed)
    folds, order = rng.permutation(n), rng.permutation(len(features["synthetic"]))
    losses = np.empty((len(counts), len(RIDGES), n))
    for fold in range(FOLDS):
        out = folds[fold::FOLDS]
        kept = np.setdiff1d(np.arange(n), out)
        for i, count in enumerate(counts):
            drawn = order[: round(int(count) * len(kept) / n)]
            rows = np.concatenate((features["real"][kept], features["synthetic"][drawn]))
            target = np.concatenate((targets["real"][kept], targets["synthetic"][drawn]))
            spectrum, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
            pull = vectors.T @ (rows.T @ target) / len(rows)
            judges = features["real"][out] @ vectors
            for j, ridge in enumerate(RIDGES):
                fitted = judges @ (pull / (np.maximum(spectrum, 0) + ridge)[:, None])
                losses[i, j, out] = np.sum((targets["real"][out] - fitted) ** 2, axis=1)
    best = losses.mean(axis=2).argmin(axis=1)
    return losses[np.arange(len(counts)), best]
