"""The true error of a learner at every ratio, measured on test rows.

What a recommendation predicts, once the rows are there that tell. Of the kernel it is ridge
regression on Nystroem features whose landmarks come from both sides, the ridge of every mix chosen
by leave-one-out on its real rows; of trees it is the small gradient boosting.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.ratio.path import RIDGES
from synthmix_dagster.ratio.refits import boosting_refits
from synthmix_dagster.ratio.sample import EncodedSample

Floats = NDArray[np.float64]


def true_tree_errors(
    sample: EncodedSample, test: pd.DataFrame, ratios: Floats, *, seed: int
) -> Floats:
    """The same of gradient boosting, fitted once to all real rows and each ratio's synthetic ones.

    Parameters
    ----------
    sample, test, ratios, seed
        As for `true_errors`; the ratios are those there are rows for, and the seed draws these.
    """
    judged = replace(
        sample,
        frames={**sample.frames, "evaluation": test},
        points={**sample.points, "evaluation": sample.encoder.transform(test)},
        targets={**sample.targets, "evaluation": sample.code.encode(test, "test")},
    )
    counts = np.rint(ratios * sample.n).astype(np.int64)
    errors: Floats = boosting_refits(judged, seed=seed).losses(counts).mean(axis=1)
    return errors


def true_errors(sample: EncodedSample, test: pd.DataFrame, ratios: Floats, *, seed: int) -> Floats:
    """Error at each ratio, NaN where there are too few synthetic rows.

    Parameters
    ----------
    sample : EncodedSample
        A mix holds all of its real rows and the first of its synthetic ones.
    test : DataFrame
        Rows that neither learner nor generator saw.
    ratios : ndarray of shape (n_ratios,)
    seed : int
        Draws the landmarks.

    Returns
    -------
    ndarray of shape (n_ratios,)
        Mean squared error in real variances, or Brier score.
    """
    feature_map = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(seed)
    )
    sides = [feature_map.transform(sample.points[side]) for side in ("real", "synthetic")]
    features = np.concatenate(sides)
    targets = np.concatenate((sample.targets["real"], sample.targets["synthetic"]))
    judges = (
        feature_map.transform(sample.encoder.transform(test)),
        sample.code.encode(test, "test"),
    )
    errors = np.full(len(ratios), np.nan)
    for i, ratio in enumerate(ratios):
        rows = sample.n + round(ratio * sample.n)
        if rows <= len(features):
            errors[i] = _error(features[:rows], targets[:rows], sample.n, *judges)
    return errors


def _error(rows: Floats, targets: Floats, n: int, judges: Floats, truth: Floats) -> float:
    """Mean squared error on the judges at the ridge that suits the first n rows best."""
    spectrum, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    spectrum, pull = np.maximum(spectrum, 0), vectors.T @ (rows.T @ targets) / len(rows)
    own = rows[:n] @ vectors
    left_out = []
    for ridge in RIDGES:
        inverse = 1 / (spectrum + ridge)
        leverage = np.minimum(own**2 @ inverse / len(rows), 1 - 1e-6)
        residuals = (targets[:n] - own @ (inverse[:, None] * pull)) / (1 - leverage)[:, None]
        left_out.append(float(np.mean(np.sum(residuals**2, axis=1))))
    inverse = 1 / (spectrum + RIDGES[int(np.argmin(left_out))])
    fitted = judges @ vectors @ (inverse[:, None] * pull)
    return float(np.mean(np.sum((truth - fitted) ** 2, axis=1)))
