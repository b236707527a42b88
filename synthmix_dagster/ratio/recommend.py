"""From two samples to a recommended ratio: encode, predict every risk, decide, explain."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.codes import Scaling
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.errors import ConfigError, UnknownChoiceError
from synthmix_dagster.ratio.crossfit import Generator, cross_fitted_path
from synthmix_dagster.ratio.decision import Decision, decide, resampled_choices
from synthmix_dagster.ratio.estimated import estimated_bounds
from synthmix_dagster.ratio.exchange import ExchangeRate, exchange_rate
from synthmix_dagster.ratio.learners import (
    LEARNERS,
    LinearMap,
    kernel_path,
    sample_path,
    tree_inputs,
)
from synthmix_dagster.ratio.memorisation import memorisation_test
from synthmix_dagster.ratio.path import ratio_grid
from synthmix_dagster.ratio.provenance import SAFE_RATIO, provenance_of
from synthmix_dagster.ratio.recommendation import CurvePoint, Recommendation
from synthmix_dagster.ratio.refits import gradient_boosting, proposed_counts, refit_losses
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.ratio.weighted import WeightedOptimum, weighted_optimum
from synthmix_dagster.ratio.wording import notes_on_bounds, reason_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METRICS = {
    "regression": "mean squared error in real variances",
    "classification": "Brier score",
}
#: Resamples of the judging rows behind the spread of the choice.
_RESAMPLES = 200
_CENTRAL = (0.05, 0.95)


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
    generator: Generator | None = None,
    generator_saw_real: bool | None = None,
    learner: str = "kernel",
    estimator: Any = None,
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
    generator : Generator, optional
        What made the synthetic rows, to be fitted again without each fold of the real rows, which
        the fold then judges.
    generator_saw_real : bool, optional
        Whether the generator was fitted on the real rows. If it was, or if the rows betray it, and
        neither evaluation rows nor the generator itself are there to judge by, the predicted risk
        does not decide; see `provenance`.
    learner : {"kernel", "linear", "trees"}
        Whose risk is predicted: kernel ridge regression, linear ridge regression, or a small
        gradient boosting, which is fitted to a few mixes that the risk path proposes.
    estimator : scikit-learn estimator, optional
        The learner itself, to be fitted to the proposed mixes in the place of `learner`.
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
    if learner not in LEARNERS:
        raise UnknownChoiceError(learner, option="learner", known=LEARNERS)
    if generator is not None:
        _require_one_judge(evaluation, learner, estimator)
    frames = {"real": real, "synthetic": synthetic}
    if evaluation is not None:
        frames["evaluation"] = evaluation
    sample = EncodedSample.encode(
        frames,
        target=target,
        task=task,
        categorical=categorical,
        ignore=ignore,
        weights=weights,
        scaling=scaling,
    )
    n, m = sample.n, sample.m
    provenance = provenance_of(
        evaluation_rows=None if evaluation is None else len(evaluation),
        cross_fitted=generator is not None,
        saw_real=generator_saw_real,
        memorisation=memorisation_test(sample.joint("real"), sample.joint("synthetic"), seed=seed),
    )
    kernel = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(seed)
    )
    # The small addend undoes rounding: 0.29 * 100 is 28.999999999999996.
    grid = ratio_grid(n, int(min(m, np.floor(cap * n + 1e-9))))
    linear = LinearMap.fit(sample.points["real"])
    if generator is not None:
        transform = linear.transform if learner == "linear" else kernel.transform
        path = cross_fitted_path(sample, transform, generator, grid, seed=seed)
    elif learner == "linear":
        transform, path = linear.transform, sample_path(sample, linear.transform, grid)
    else:
        path, kernel = kernel_path(sample, kernel, grid)
        transform = kernel.transform
    on_path = decide(path.risks, path.losses, rule)
    curve = _points(n, path.counts, path.risks, on_path)
    decision, counts, risks, losses = on_path, path.counts, path.risks, path.losses
    refits: tuple[CurvePoint, ...] = ()
    favoured = None
    if estimator is not None or learner == "trees":
        counts = proposed_counts(grid, on_path, n)
        losses = _refits(sample, estimator, counts, seed)
        risks = losses.mean(axis=1)
        # With few rows the fits are noisy: what they cannot tell from their best, and the path
        # recommends, two judges agree on.
        favoured = int(np.searchsorted(counts, grid[on_path.chosen]))
        decision = decide(risks, losses, rule, favoured=favoured)
        refits = _points(n, counts, risks, decision)
    chosen = decision.chosen
    if not provenance.trusted:
        highest = SAFE_RATIO["trees" if learner == "trees" and estimator is None else "kernel"]
        chosen = int(np.flatnonzero(counts <= highest * n)[-1])
    resampled = resampled_choices(risks, losses, rule, _RESAMPLES, seed, favoured=favoured)
    ratios = counts / n
    ratio, interval = float(ratios[chosen]), _ends(ratios, decision.low, decision.high)
    weighted = exchange = None
    if provenance.trusted and generator is None and grid[-1] > 0:
        rows = int(grid[on_path.chosen])
        weighted, exchange = _beyond(sample, transform, rows, int(grid[-1]), rule)
    bounds, critical = estimated_bounds(sample, kernel, gap=gap, shift_squared=shift_squared)
    on_curve = _ends(grid / n, on_path.low, on_path.high)
    compared = tuple(
        bound.compared(curve[on_path.chosen].ratio, on_curve, highest=curve[-1].ratio, n=n)
        for bound in bounds
    )
    return Recommendation(
        ratio=ratio,
        interval=interval,
        resampled=_ends(ratios, *np.quantile(resampled, _CENTRAL, method="nearest")),
        rule=rule,
        learner=learner if estimator is None else type(estimator).__name__,
        shape=decision.shape,
        curve=curve,
        refits=refits,
        baselines=_baselines(counts, risks, chosen, n),
        weighted=weighted,
        exchange=exchange,
        bounds=compared,
        critical_gap=critical,
        reason=reason_of(
            decision, ratio, interval, float(risks[chosen] / risks[0] - 1), provenance
        ),
        metric=METRICS[task],
        provenance=provenance,
        n_real=n,
        n_synthetic=m,
        seed=seed,
        notes=(
            *notes,
            *sample.encoder.notes,
            *notes_on_bounds(compared, on_curve, curve[-1].ratio),
            *([provenance.sentence] if provenance.judged == "unknown" else []),
        ),
    )


def _require_one_judge(evaluation: Any, learner: str, estimator: Any) -> None:
    """Refuse a generator to cross-fit beside what cannot be combined with it."""
    if evaluation is not None:
        raise ConfigError(
            "both a generator to cross-fit and evaluation rows are given",
            option="generator",
            fix="Pass one of them: either can judge",
        )
    if estimator is not None or learner == "trees":
        raise ConfigError(
            "a generator is cross-fitted on the risk path only, which speaks for smooth learners",
            option="generator",
            fix="Pass evaluation rows to judge trees or an estimator",
        )


def _beyond(
    sample: EncodedSample, transform: Callable[[Floats], Floats], rows: int, most: int, rule: str
) -> tuple[WeightedOptimum, ExchangeRate]:
    """Weights instead of rows, and what the recommended rows are worth."""
    features = {dataset: transform(points) for dataset, points in sample.points.items()}
    sides = [side[name] for name in ("real", "synthetic") for side in (features, sample.targets)]
    judges = None
    if sample.judges == "evaluation":
        judges = features["evaluation"], sample.targets["evaluation"]
    return (
        weighted_optimum(*sides, evaluation=judges, rule=rule, most=most),
        exchange_rate(*sides, rows=rows, evaluation=judges, rule=rule),
    )


def _refits(sample: EncodedSample, estimator: Any, counts: Ints, seed: int) -> Floats:
    """Losses of the estimator, or of gradient boosting, fitted to each of the mixes."""
    if estimator is None:
        arrays, categorical = tree_inputs(sample)
        inputs = {dataset: pd.DataFrame(array) for dataset, array in arrays.items()}
        estimator = gradient_boosting(sample.code.task, categorical)
    else:
        columns = sample.encoder.columns
        inputs = {dataset: frame[columns] for dataset, frame in sample.frames.items()}
    return refit_losses(estimator, inputs, sample.targets, sample.code, counts, seed=seed)


def _points(n: int, counts: Ints, risks: Floats, decision: Decision) -> tuple[CurvePoint, ...]:
    """Candidates as a reader sees them."""
    columns = (counts, risks, decision.excess_errors, decision.equivalent)
    return tuple(
        CurvePoint(float(k / n), int(k), float(risk), float(error), bool(equivalent))
        for k, risk, error, equivalent in zip(*columns, strict=True)
    )


def _baselines(counts: Ints, risks: Floats, chosen: int, n: int) -> dict[str, float]:
    """Risk of the usual guesses, where the counts that were judged contain them."""
    at = {int(count): float(risk) for count, risk in zip(counts, risks, strict=True)}
    baselines = {"none": at[0], "recommended": float(risks[chosen])}
    if n in at:
        baselines["one_to_one"] = at[n]
    baselines["all"] = float(risks[-1])
    return baselines


def _ends(ratios: Floats, low: int, high: int) -> tuple[float, float]:
    return float(ratios[low]), float(ratios[high])
