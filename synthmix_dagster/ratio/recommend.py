"""From two samples to a recommended ratio: encode, predict every risk, decide, explain."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.distance.codes import Scaling
from synthmix_dagster.distance.encoding import Encoder
from synthmix_dagster.distance.features import NystroemMap
from synthmix_dagster.distance.measure import require_rows
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.bounds import (
    Bound,
    critical_gap,
    estimated_constants,
    stability_bound,
    variance_bound,
)
from synthmix_dagster.ratio.decision import Decision, decide
from synthmix_dagster.ratio.fits import RidgeFit
from synthmix_dagster.ratio.path import RiskPath, ratio_grid, risk_path
from synthmix_dagster.ratio.prior import spectral_bound
from synthmix_dagster.ratio.recommendation import CurvePoint, Recommendation
from synthmix_dagster.ratio.target import TargetCode

Floats = NDArray[np.float64]

METRICS = {
    "regression": "mean squared error in real variances",
    "classification": "Brier score",
}

#: Synthetic weight by which a bound has to miss the interval before a note says so.
_MATERIAL = 0.1


def recommend(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    target: str,
    task: str,
    gap: float,
    shift_squared: float | None = None,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = "standard",
    evaluation: pd.DataFrame | None = None,
    max_ratio: float | None = None,
    rule: str = "largest_equivalent",
    seed: int = 0,
    notes: Sequence[str] = (),
) -> Recommendation:
    """Recommend a ratio from two frames.

    Parameters
    ----------
    real, synthetic : DataFrame
        Real rows, and every synthetic row that may be used.
    target : str
        Column to predict.
    task : {"regression", "classification"}
    gap : float
        Debiased gap of inputs and target together, for the stability bound.
    shift_squared : float, optional
        Signed, debiased square of the shift of the target given the inputs, in the units of the
        risk, for the variance bound: the square of a `DistanceReport`'s conditional gap, with its
        sign; twice that for classes, which are one unit apart there and sqrt(2) here. By default
        the excess error of a fit to the synthetic rows alone.
    categorical, ignore, weights, scaling
        See `Encoder.fit`; the weight of the target has no meaning here.
    evaluation : DataFrame, optional
        Real rows that are not in `real` and that the generator never saw. They judge the risk;
        without them each real row is judged by a fit that leaves it out.
    max_ratio : float, optional
        Highest ratio to consider; by default as many rows as there are.
    rule : {"largest_equivalent", "best", "smallest_equivalent"}
        Which of the equivalent ratios to recommend.
    seed : int
        Seed of the landmarks.
    notes : sequence of str
        Remarks of the caller to keep with the result.

    Returns
    -------
    Recommendation
    """
    cap = np.inf if max_ratio is None else max_ratio
    if not cap >= 0:
        raise ConfigError(f"it is {max_ratio}", option="max_ratio", fix="Set it to 0 or more")
    frames = {"real": real, "synthetic": synthetic}
    if evaluation is not None:
        frames["evaluation"] = evaluation
    for dataset, frame in frames.items():
        require_rows(len(frame), dataset)
    code = TargetCode.fit(real, target, task)
    targets = {dataset: code.encode(frame, dataset) for dataset, frame in frames.items()}
    categorical = [column for column in categorical if column != target]
    encoder = Encoder.fit(
        real,
        synthetic,
        categorical=categorical,
        ignore=[*ignore, target],
        weights=weights,
        scaling=scaling,
    )
    if evaluation is not None:
        encoder.require(evaluation, "evaluation")
    points = {dataset: encoder.transform(frame) for dataset, frame in frames.items()}
    feature_map = NystroemMap.fit(
        points["real"], points["synthetic"], rng=np.random.default_rng(seed)
    )
    features = {dataset: feature_map.transform(at) for dataset, at in points.items()}
    n, m = len(real), len(synthetic)
    # The small addend undoes rounding: 0.29 * 100 is 28.999999999999996.
    most = int(min(m, np.floor(cap * n + 1e-9)))
    path = risk_path(
        features["real"],
        targets["real"],
        features["synthetic"],
        targets["synthetic"],
        ratio_grid(n, most),
        evaluation=None if evaluation is None else (features["evaluation"], targets["evaluation"]),
    )
    decision = decide(path, rule)
    ratios = path.counts / n
    low, high = float(ratios[decision.low]), float(ratios[decision.high])
    ratio = float(ratios[decision.chosen])
    fit = RidgeFit.fit(features["real"], targets["real"], [float(path.ridges[0])])
    lipschitz, capacity = estimated_constants(
        path.losses[0],
        np.concatenate([feature_map.gradients(points["real"], c) for c in fit.coefficients.T], 1),
        fit.ridge,
    )
    bounds = tuple(
        bound.compared(ratio, (low, high), highest=float(ratios[-1]), n=n)
        for bound in (
            stability_bound(n, m, gap=gap, lipschitz=lipschitz, capacity=capacity),
            *_bounds_of_fits(fit, float(path.risks[0]), features, targets, shift_squared),
        )
    )
    return Recommendation(
        ratio=ratio,
        interval=(low, high),
        rule=rule,
        shape=decision.shape,
        curve=tuple(
            CurvePoint(float(r), int(k), float(risk), float(error), bool(equivalent))
            for r, k, risk, error, equivalent in zip(
                ratios,
                path.counts,
                path.risks,
                decision.excess_errors,
                decision.equivalent,
                strict=True,
            )
        ),
        baselines=_baselines(path, decision.chosen, n),
        bounds=bounds,
        critical_gap=critical_gap(n, lipschitz=lipschitz, capacity=capacity),
        reason=_reason(path, decision, ratio, (low, high)),
        metric=METRICS[task],
        judged_by="real rows, each left out of its fit"
        if evaluation is None
        else f"{len(evaluation)} evaluation rows",
        n_real=n,
        n_synthetic=m,
        seed=seed,
        notes=(
            *notes,
            *encoder.notes,
            *_warnings(bounds, (low, high), float(ratios[-1]), evaluation is None),
        ),
    )


def _bounds_of_fits(
    fit: RidgeFit,
    risk: float,
    features: Mapping[str, Floats],
    targets: Mapping[str, Floats],
    shift_squared: float | None,
) -> tuple[Bound, Bound]:
    """The variance and the spectral bound, from a fit on either side.

    Parameters
    ----------
    fit : RidgeFit
        Fit on the real rows.
    risk : float
        Its risk, at rows that it did not contain.
    features, targets : mapping of str to ndarray
        Of ``real``, ``synthetic`` and, where there are any, ``evaluation``.
    shift_squared : float, optional
        See `recommend`.
    """
    n, m = len(features["real"]), len(features["synthetic"])
    judges = "evaluation" if "evaluation" in features else "real"
    generator = RidgeFit.fit(features["synthetic"], targets["synthetic"])
    residuals = generator.errors(features["real"], targets["real"])
    # Both estimate the noise in the real target, and both are too large by what their fits miss.
    noise = min(fit.noise, RidgeFit.fit(features["real"], residuals).noise)
    variance = noise * fit.degrees(features[judges])
    synthetic_variance = generator.noise * generator.degrees(features[judges])
    if shift_squared is None:
        errors = generator.errors(features[judges], targets[judges])
        square = float(np.mean(np.sum(errors**2, axis=1)))
        shift_squared = square - noise - synthetic_variance / m
    return (
        variance_bound(
            n,
            m,
            variance=variance,
            synthetic_variance=synthetic_variance,
            shift_squared=shift_squared,
            bias_squared=risk - noise - variance / n,
        ),
        spectral_bound(features["real"], targets["real"], residuals, noise=noise, m=m),
    )


def _baselines(path: RiskPath, chosen: int, n: int) -> dict[str, float]:
    """Risk of the usual guesses, where the counts that were judged contain them."""
    risks = {int(count): float(risk) for count, risk in zip(path.counts, path.risks, strict=True)}
    baselines = {"none": risks[0], "recommended": float(path.risks[chosen])}
    if n in risks:
        baselines["one_to_one"] = risks[n]
    baselines["all"] = float(path.risks[-1])
    return baselines


def _reason(path: RiskPath, decision: Decision, ratio: float, interval: tuple[float, float]) -> str:
    low, high = interval
    span = (
        "no other ratio is equivalent to it"
        if low == high
        else f"ratios from {low:.2f} to {high:.2f} are equivalent within one standard error"
        + ("" if decision.unbroken else ", though not all between them")
    )
    if len(path.counts) == 1:
        return "Use no synthetic rows: none are allowed ('max_ratio')."
    if ratio == 0:
        return f"Use no synthetic rows: no amount is predicted to help ({span})."
    change = float(path.risks[decision.chosen] / path.risks[0] - 1)
    direction = "lower" if change < 0 else "higher"
    doubt = ", which is within its standard error," if decision.equivalent[0] else ""
    return (
        f"Add {ratio:.2f} synthetic rows for each real one: the predicted error is "
        f"{abs(change):.1%} {direction}{doubt} than with none; {span}."
    )


def _warnings(
    bounds: Sequence[Bound], interval: tuple[float, float], highest: float, left_out: bool
) -> list[str]:
    low, high = interval
    warnings = []
    for bound in bounds:
        wanted = min(bound.row_ratio, highest)
        nearest = min(max(wanted, low), high)
        apart = abs(wanted / (1 + wanted) - nearest / (1 + nearest))
        # The ratio of the spectral bound is not one of rows: its disagreement says little.
        if apart > _MATERIAL and bound.name != "spectral":
            warnings.append(
                f"the {bound.name} bound, a prior, would choose {wanted:.2f}, outside the interval "
                f"{low:.2f} to {high:.2f} of the risk curve, which decides"
            )
    if left_out:
        warnings.append(
            "the predicted risk is optimistic if the generator was fitted on these real rows: keep "
            "some from it and judge by them, as 'evaluation' of recommend_ratio"
        )
    return warnings
