"""Rules in use against which the drift monitor is compared: each says whether it ever alarms.

permutation   a test of every batch against the reference at 5 %, 99 relabellings, with the sliced
              distance of this project
evidently     its default for tabular data of at most 1,000 reference rows: the Kolmogorov-Smirnov
              test of every numeric column at 5 %, and drift where at least half of the columns do
3 sigma       a score beyond three standard deviations of the first batches
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL, RELABELLINGS = 0.05, 99


def three_sigma(scores: Floats, history: int) -> bool:
    center, spread = np.mean(scores[:history]), np.std(scores[:history], ddof=1)
    return bool(np.any(np.abs(scores[history:] - center) > 3 * spread))


def permutation(
    batches: Floats, reference: Floats, directions: Floats, rng: np.random.Generator
) -> bool:
    from synthmix_dagster.distance.inference import permutation_test

    left = reference.astype(np.float32)
    for batch in batches:
        right = batch.astype(np.float32)
        test = permutation_test(left, right, directions, RELABELLINGS, rng)
        if test.p_value <= LEVEL + 1e-9:
            return True
    return False


def evidently_default(batches: Floats, reference: Floats) -> bool:
    from scipy.stats import ks_2samp

    for batch in batches:
        drifted = [
            ks_2samp(reference[:, column], batch[:, column]).pvalue < LEVEL
            for column in range(batch.shape[1])
        ]
        if np.mean(drifted) >= 0.5:
            return True
    return False
