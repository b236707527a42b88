"""Other people's distances between two samples, in the scale of W2 where they have one."""

from collections.abc import Callable
from importlib import import_module

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster import measure_distance
from synthmix_dagster.distance.measure import measure_gap
from synthmix_dagster.distance.options import DistanceOptions

Floats = NDArray[np.float64]
Estimator = Callable[[Floats, Floats], float]

#: Rows that an estimator can take in minutes; all others take any number.
MOST_ROWS = {
    "POT emd2": 2_000,
    "POT sinkhorn": 2_000,
    "scipy wasserstein_distance_nd": 200,
    "synthmix exact": 2_000,
    "synthmix sinkhorn": 2_000,
}


def estimators(n: int) -> dict[str, Estimator]:
    """Those that can take n rows; scipy's sees the first rows only, and says how many."""
    found: dict[str, Estimator] = {
        "synthmix sliced": synthmix_sliced,
        "synthmix exact": synthmix_exact,
        "synthmix sinkhorn": synthmix_sinkhorn,
        "synthmix gaussian": synthmix_gaussian,
        "POT emd2": pot_exact,
        "POT sliced": pot_sliced,
        "POT sinkhorn": pot_sinkhorn,
        "POT Bures": pot_bures,
    }
    found = {name: task for name, task in found.items() if n <= MOST_ROWS.get(name, n)}
    if n <= 2_000:
        found["scipy wasserstein_distance_nd (first 200 rows)"] = scipy_exact
    if _imports("evidently"):
        found["evidently, mean of its column distances"] = evidently_drift
    if _imports("sdmetrics"):
        found["SDMetrics, 1 - mean Kolmogorov-Smirnov score"] = sdmetrics_shapes
    return found


def _imports(name: str) -> bool:
    """Whether an optional peer is there and works with the libraries that are."""
    try:
        import_module(name)
    except ImportError as error:
        print(f"left out, {name} cannot be imported: {error}")
        return False
    return True


def gap_alone(real: pd.DataFrame, synthetic: pd.DataFrame, *, directions: int) -> float:
    return measure_gap(real, synthetic, options=DistanceOptions(directions=directions))


def synthmix_sliced(real: Floats, synthetic: Floats) -> float:
    return measure_gap(_frame(real), _frame(synthetic))


def synthmix_exact(real: Floats, synthetic: Floats) -> float:
    return _report(real, synthetic, "exact")


def synthmix_sinkhorn(real: Floats, synthetic: Floats) -> float:
    return _report(real, synthetic, "sinkhorn")


def synthmix_gaussian(real: Floats, synthetic: Floats) -> float:
    return _report(real, synthetic, "gaussian")


def pot_sliced(real: Floats, synthetic: Floats) -> float:
    import ot

    found = ot.sliced_wasserstein_distance(real, synthetic, n_projections=100, seed=0)
    return float(found) * real.shape[1] ** 0.5


def pot_exact(real: Floats, synthetic: Floats) -> float:
    import ot

    return float(np.sqrt(ot.emd2([], [], ot.dist(real, synthetic), numItermax=10**7)))


def pot_sinkhorn(real: Floats, synthetic: Floats) -> float:
    import ot

    cost = ot.dist(real, synthetic)
    regularisation = 0.05 * float(cost.mean())
    return float(np.sqrt(ot.sinkhorn2([], [], cost, regularisation, method="sinkhorn_log")))


def pot_bures(real: Floats, synthetic: Floats) -> float:
    import ot

    return float(ot.gaussian.empirical_bures_wasserstein_distance(real, synthetic))


def scipy_exact(real: Floats, synthetic: Floats) -> float:
    from scipy.stats import wasserstein_distance_nd

    return float(wasserstein_distance_nd(real[:200], synthetic[:200]))


def evidently_drift(real: Floats, synthetic: Floats) -> float:
    """Its Wasserstein distance of every column, in real standard deviations; the mean of them."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    preset = DataDriftPreset(method="wasserstein")
    snapshot = Report([preset]).run(_frame(synthetic), _frame(real))
    values = [
        metric["value"]
        for metric in snapshot.dict()["metrics"]
        if isinstance(metric["value"], float)
    ]
    return float(np.mean(values))


def sdmetrics_shapes(real: Floats, synthetic: Floats) -> float:
    from sdmetrics.single_column import KSComplement

    real_frame, synthetic_frame = _frame(real), _frame(synthetic)
    scores = [
        KSComplement.compute(real_data=real_frame[name], synthetic_data=synthetic_frame[name])
        for name in real_frame
    ]
    return 1 - float(np.mean(scores))


def _report(real: Floats, synthetic: Floats, method: str) -> float:
    return measure_distance(
        _frame(real),
        _frame(synthetic),
        method=method,
        sample_rows=len(real),
        permutations=0,
        memory_mb=10_000,
    ).gap


def _frame(points: Floats) -> pd.DataFrame:
    return pd.DataFrame(points).add_prefix("c")
