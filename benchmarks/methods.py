"""What each method finds of a difference whose distance is known.

Both sides are normal with ten columns, so the squared distance between them has a closed form
(Bures). Estimates are debiased for shifts exactly; of other differences plans between samples leave
out what looks like the noise inside a side, and slices what few directions show.
"""

from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.simulation import repeated
from synthmix_dagster.distance.measure import measure
from synthmix_dagster.distance.options import DistanceOptions, Method

COLUMNS = 10
CORRELATION = 0.8

#: Standard deviation of every column, shift of the first, correlation of the first two.
DIFFERENCES = {
    "none": (1.0, 0.0, CORRELATION),
    "first column shifted by 1": (1.0, 1.0, CORRELATION),
    "every column 1.5 times as wide": (1.5, 0.0, CORRELATION),
    "correlation of two columns lost": (1.0, 0.0, 0.0),
}


def methods(sizes: list[int], repetitions: int) -> list[dict[str, Any]]:
    """Mean of the debiased square and its error, by difference, rows and method."""
    rows = []
    for name, difference in DIFFERENCES.items():
        for n in sizes:
            for method in get_args(Method):
                found = repeated(_square, repetitions, n=n, method=method, difference=difference)
                rows.append(
                    {
                        "difference": name,
                        "rows": n,
                        "method": method,
                        "true square": true_square(*difference),
                        "mean square": float(np.mean(found)),
                        "error": float(np.std(found, ddof=1) / np.sqrt(repetitions)),
                    }
                )
    return rows


def true_square(width: float, shift: float, correlation: float) -> float:
    """Squared W2 between the two normal distributions.

    The covariances commute, so it is the squared difference of their roots plus the squared shift.
    """
    pair = [np.sqrt(1 + sign * CORRELATION) for sign in (1, -1)]
    other = [width * np.sqrt(1 + sign * correlation) for sign in (1, -1)]
    spread = sum((a - b) ** 2 for a, b in zip(pair, other, strict=True))
    return float(shift**2 + spread + (COLUMNS - 2) * (width - 1) ** 2)


def _square(seed: int, *, n: int, method: str, difference: tuple[float, float, float]) -> float:
    rng = np.random.default_rng(seed)
    real = _rows(rng, n, *DIFFERENCES["none"])
    synthetic = _rows(rng, n, *difference)
    sides = (pd.DataFrame(side).add_prefix("c") for side in (real, synthetic))
    return measure(
        *sides, options=DistanceOptions(method=method, permutations=0, seed=seed)
    ).gap_squared


def _rows(
    rng: np.random.Generator, n: int, width: float, shift: float, correlation: float
) -> NDArray[np.float64]:
    points = rng.standard_normal((n, COLUMNS))
    points[:, 1] = correlation * points[:, 0] + np.sqrt(1 - correlation**2) * points[:, 1]
    points *= width
    points[:, 0] += shift
    return points
