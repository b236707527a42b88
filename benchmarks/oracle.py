"""The true error of kernel ridge regression at every ratio, measured on test rows.

As in the folders of `pairs`: ridge regression on Nystroem features whose landmarks come from both
sides, the ridge of every mix chosen by leave-one-out on its real rows.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.path import RIDGES
from synthmix_dagster.ratio.sample import EncodedSample

Floats = NDArray[np.float64]


def true_errors(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    test: pd.DataFrame,
    ratios: Floats,
    *,
    meta: dict[str, Any],
    seed: int,
) -> Floats:
    """Error at each ratio, NaN where there are too few synthetic rows; shape (n_ratios,)."""
    code = TargetCode.fit(real, meta["target"], meta["task"])
    frames = {"real": real, "synthetic": synthetic}
    sample = EncodedSample.encode(frames, code, Columns(categorical=meta["categorical"]))
    feature_map = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(seed)
    )
    sides = [feature_map.transform(sample.points[side]) for side in ("real", "synthetic")]
    features, targets = np.concatenate(sides), np.concatenate(list(sample.targets.values()))
    judges = feature_map.transform(sample.encoder.transform(test)), code.encode(test, "test")
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
