"""Can the p-value, the interval and the attribution be believed? Seeded simulations.

null      p-values uniform, false alarms at the nominal level, mean of the debiased square zero
bias      that mean alone, from thousands of simulations
coverage  how often the 95 % interval holds the true gap
labels    the same for a known shift of the target given the inputs
parts     how much of the gap the one shifted column of fifty gets
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.simulation import repeated
from synthmix_dagster.distance.conditional import conditional_estimate
from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.inference import squared_interval, variance_and_units
from synthmix_dagster.distance.measure import measure
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.distance.wasserstein import orthonormal_directions, sliced_estimate
from synthmix_dagster.encoding.options import Columns

Floats = NDArray[np.float64]
Row = dict[str, Any]

#: Fewer than by default, for thousands of repetitions: calibration does not depend on them.
DIRECTIONS = 20

NULLS = {
    "normal, n=100, d=5": {"n": 100, "d": 5},
    "normal, n=500, d=5": {"n": 500, "d": 5},
    "normal, n=2000, d=5": {"n": 2000, "d": 5},
    "normal, n=100, d=50": {"n": 100, "d": 50},
    "normal, n=500, d=50": {"n": 500, "d": 50},
    "normal, n=2000, d=50": {"n": 2000, "d": 50},
    "100 real, 1000 synthetic, d=5": {"n": 100, "m": 1000, "d": 5},
    "1000 real, 100 synthetic, d=5": {"n": 1000, "m": 100, "d": 5},
    "heavy tails (t, 2 degrees), n=500, d=5": {"n": 500, "d": 5, "kind": "heavy"},
    "heavy tails, 100 real, 1000 synthetic": {"n": 100, "m": 1000, "d": 5, "kind": "heavy"},
    "heavy tails, 100 real, 1000 synthetic, robust": {
        "n": 100,
        "m": 1000,
        "d": 5,
        "kind": "heavy",
        "scaling": "robust",
    },
    "categories only, n=500, 5 columns": {"n": 500, "d": 5, "kind": "categories"},
    "every row several times, n=500, d=5": {"n": 500, "d": 5, "kind": "duplicates"},
    "sessions of 10 rows, groups, n=500, d=5": {"n": 500, "d": 5, "kind": "sessions"},
}
LABELS = {
    "none, n=300": {"n": 300, "m": 300, "shift": 0.0},
    "0.2, n=1000": {"n": 1000, "m": 1000, "shift": 0.2},
    "0.3, 300 real, 900 synthetic": {"n": 300, "m": 900, "shift": 0.3},
    "0.5, 60 real, 200 synthetic": {"n": 60, "m": 200, "shift": 0.5},
    "0.7, n=120": {"n": 120, "m": 120, "shift": 0.7},
    "1.5, n=400": {"n": 400, "m": 400, "shift": 1.5},
}
BIASES = {
    "normal, n=500, d=50": {"n": 500, "d": 50},
    "normal, n=2000, d=50": {"n": 2000, "d": 50},
    "1000 real, 100 synthetic, d=5": {"n": 1000, "m": 100, "d": 5},
    "lognormal, n=100, d=1": {"n": 100, "d": 1, "kind": "lognormal"},
    "lognormal, n=100, d=1, robust": {
        "n": 100,
        "d": 1,
        "kind": "lognormal",
        "scaling": "robust",
    },
    "lognormal, n=1000, d=1": {"n": 1000, "d": 1, "kind": "lognormal"},
}
COVERAGES = {
    "shift 0.3, n=200, d=5": {"n": 200, "d": 5, "shift": 0.3},
    "shift 1, n=200, d=5": {"n": 200, "d": 5, "shift": 1.0},
    "shift 0.3, n=500, d=1": {"n": 500, "d": 1, "shift": 0.3},
    "shift 2, n=200, d=1": {"n": 200, "d": 1, "shift": 2.0},
    "shift 0.3, n=1000, d=20": {"n": 1000, "d": 20, "shift": 0.3},
    "shift 1, n=1000, d=50": {"n": 1000, "d": 50, "shift": 1.0},
    "shift 1, 200 real, 2000 synthetic, d=5": {"n": 200, "m": 2000, "d": 5, "shift": 1.0},
    "shift 1, n=500, d=5, p=1": {"n": 500, "d": 5, "shift": 1.0, "p": 1},
    "shift 1, n=500, d=5, skewed": {"n": 500, "d": 5, "shift": 1.0, "kind": "skewed"},
    "shift 1, n=500, d=5, exact": {"n": 500, "d": 5, "shift": 1.0, "method": "exact"},
    "shift 1, n=500, d=5, gaussian": {"n": 500, "d": 5, "shift": 1.0, "method": "gaussian"},
    "shift 1, n=500, d=5, robust": {"n": 500, "d": 5, "shift": 1.0, "scaling": "robust"},
}


def null(repetitions: int) -> list[Row]:
    """p-values and squares where both sides have one distribution."""
    rows = []
    for name, options in NULLS.items():
        found = np.array(repeated(_null, repetitions, **options))
        p_values, squares = found.T
        error = float(np.std(squares, ddof=1) / np.sqrt(repetitions))
        rows.append(
            {
                "case": name,
                "p <= 0.05": float(np.mean(p_values <= 0.05 + 1e-9)),
                "p <= 0.5": float(np.mean(p_values <= 0.5 + 1e-9)),
                "distance to uniform": _from_uniform(p_values),
                "expected below": 1.36 / np.sqrt(repetitions),
                "mean square / error": float(np.mean(squares)) / error,
            }
        )
    return rows


def bias(repetitions: int) -> list[Row]:
    """Mean of the debiased square where both sides have one distribution."""
    rows = []
    for name, options in BIASES.items():
        squares = np.array(repeated(_square, repetitions, **options))
        error = float(np.std(squares, ddof=1) / np.sqrt(repetitions))
        rows.append(
            {
                "case": name,
                "mean square": float(np.mean(squares)),
                "error": error,
                "mean square / error": float(np.mean(squares)) / error,
                "spread of one": float(np.std(squares)),
            }
        )
    return rows


def coverage(repetitions: int) -> list[Row]:
    """How often the interval holds the truth."""
    rows = []
    for name, options in COVERAGES.items():
        found = np.array(repeated(_covered, repetitions, **options))
        rows.append(
            {
                "case": name,
                "covered": float(np.mean(found[:, 0])),
                "error": float(np.sqrt(0.95 * 0.05 / repetitions)),
                "mean width": float(np.mean(found[:, 1])),
            }
        )
    return rows


def labels(repetitions: int) -> list[Row]:
    """How often the interval of the conditional gap holds the truth, and how steady it is."""
    rows = []
    for name, options in LABELS.items():
        found = np.array(repeated(_moved, repetitions, **options))
        square, covered, width, told = found.T
        rows.append(
            {
                "case": name,
                "covered": float(np.mean(covered)),
                "mean width": float(np.mean(width)),
                "sd of the square": float(np.std(square)),
                "told": float(np.sqrt(np.mean(told))),
            }
        )
    return rows


def parts(repetitions: int) -> list[Row]:
    """Share of the gap that the shifted column gets, and the largest share of any other."""
    rows = []
    for n in (2_000, 10_000):
        for shift in (0.5, 1.0):
            found = np.array(repeated(_parts, repetitions, n=n, d=50, shift=shift))
            rows.append(
                {
                    "case": f"1 of 50 columns shifted by {shift:g}, n={n}",
                    "its share, mean": float(np.mean(found[:, 0])),
                    "its share, lowest": float(np.min(found[:, 0])),
                    "others, largest": float(np.max(np.abs(found[:, 1]))),
                    "raw share": float(np.mean(found[:, 2])),
                }
            )
    return rows


def _moved(seed: int, n: int, m: int, shift: float) -> tuple[float, ...]:
    """Square of a shift of every label, whether its interval holds it, its width and variance."""
    rng = np.random.default_rng([seed, 2])
    sides = []
    for rows, moved in ((n, 0.0), (m, shift)):
        x = rng.normal(size=(rows, 3))
        mean = np.sin(2 * x[:, :1]) + 0.6 * x[:, :1] * x[:, 1:2]
        sides += [x, mean + moved + rng.normal(0, 0.5, (rows, 1))]
    found = conditional_estimate(*sides, draw_sides(n, m, rng), rng)
    variance, units = variance_and_units(found.influences)
    low, high = squared_interval(found.square, variance, units, 0.95)
    return found.square, low <= shift**2 <= high, high - low, variance


def _null(seed: int, **options: Any) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    n, d = options["n"], options["d"]
    kind = options.get("kind", "normal")
    pool = rng.standard_normal((60, d))
    real = _rows(rng, n, d, kind, pool)
    synthetic = _rows(rng, options.get("m", n), d, kind, pool)
    report = measure(
        real,
        synthetic,
        columns=Columns(
            groups="session" if kind == "sessions" else None,
            scaling=options.get("scaling", "standard"),
        ),
        options=DistanceOptions(directions=DIRECTIONS, permutations=99, seed=seed),
    )
    assert report.p_value is not None
    return report.p_value, report.gap_squared


def _square(seed: int, **options: Any) -> float:
    """One debiased square, of one cut, in units of the real sample as an `Encoder` has them.

    Without frames, whose columns cost ten times what the estimate does. `_null` has other seeds.
    """
    rng = np.random.default_rng([seed, 1])
    n, m, d = options["n"], options.get("m", options["n"]), options["d"]
    draw = rng.lognormal if options.get("kind") == "lognormal" else rng.normal
    real, synthetic = draw(size=(n, d)), draw(size=(m, d))
    unit = np.std(real, axis=0)
    if options.get("scaling") == "robust":
        unit = np.subtract(*np.percentile(real, [75, 25], axis=0)) / 1.349
    points = [np.float32((side - np.mean(real, axis=0)) / unit) for side in (real, synthetic)]
    turned = orthonormal_directions(d, 1, rng)
    return float(np.mean(sliced_estimate(*points, turned, draw_sides(n, m, rng)).squares)) * d


def _rows(rng: np.random.Generator, n: int, d: int, kind: str, pool: Floats) -> pd.DataFrame:
    if kind == "categories":
        levels = rng.choice(["a", "b", "c", "d"], (n, d), p=[0.5, 0.3, 0.15, 0.05])
        return pd.DataFrame(levels).add_prefix("c")
    if kind == "heavy":
        return pd.DataFrame(rng.standard_t(2, (n, d))).add_prefix("c")
    if kind == "duplicates":
        return pd.DataFrame(pool[rng.integers(0, len(pool), n)]).add_prefix("c")
    if kind == "sessions":
        centres = rng.standard_normal((n // 10, d)).repeat(10, axis=0)
        rows = pd.DataFrame(centres + 0.5 * rng.standard_normal((n, d))).add_prefix("c")
        return rows.assign(session=np.arange(n) // 10)
    return pd.DataFrame(rng.standard_normal((n, d))).add_prefix("c")


def _covered(seed: int, **options: Any) -> tuple[bool, float]:
    rng = np.random.default_rng(seed)
    n, d, shift = options["n"], options["d"], options["shift"]
    m, scaling = options.get("m", n), options.get("scaling", "standard")
    if options.get("kind") == "skewed":
        real, synthetic = (rng.exponential(size=(rows, d)) for rows in (n, m))
    else:
        real, synthetic = (rng.standard_normal((rows, d)) for rows in (n, m))
    report = measure(
        pd.DataFrame(real).add_prefix("c"),
        pd.DataFrame(synthetic + shift / np.sqrt(d)).add_prefix("c"),
        columns=Columns(scaling=scaling),
        options=DistanceOptions(
            method=options.get("method", "sliced"),
            p=options.get("p", 2),
            directions=DIRECTIONS,
            permutations=99,
            seed=seed,
        ),
    )
    assert report.interval is not None
    low, high = report.interval
    return low <= shift <= high, high - low


def _parts(seed: int, *, n: int, d: int, shift: float) -> tuple[float, float, float]:
    rng = np.random.default_rng(seed)
    real, synthetic = (rng.standard_normal((n, d)) for _ in range(2))
    synthetic[:, 0] += shift
    report = measure(
        pd.DataFrame(real).add_prefix("c"),
        pd.DataFrame(synthetic).add_prefix("c"),
        options=DistanceOptions(permutations=0, seed=seed),
    )
    shares = {column.column: column.part / report.gap_squared for column in report.columns}
    moved = shares.pop("c0")
    return moved, max(shares.values(), key=abs), _raw_share(real[:500], synthetic[:500])


def _raw_share(real: Floats, synthetic: Floats) -> float:
    """Share of the first column in the cost of an optimal plan between raw samples."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    rows, columns = linear_sum_assignment(cdist(real, synthetic, "sqeuclidean"))
    paid = np.mean((real[rows] - synthetic[columns]) ** 2, axis=0)
    return float(paid[0] / paid.sum())


def _from_uniform(p_values: Floats) -> float:
    """Largest distance of the p-values' distribution from the uniform one on 0.01, 0.02, ..."""
    grid = np.arange(1, 101) / 100
    share = np.mean(p_values[:, None] <= grid + 1e-9, axis=0)
    return float(np.max(np.abs(share - grid)))
