"""From two samples to a recommended ratio: encode, predict every risk, decide, explain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns, Task
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.bounds import Bound
from synthmix_dagster.ratio.crossfit import Generator, cross_fitted_path
from synthmix_dagster.ratio.decision import decide
from synthmix_dagster.ratio.estimated import estimated_bounds
from synthmix_dagster.ratio.evidence import bandwidth_moments, lowest_path
from synthmix_dagster.ratio.exchange import ExchangeRate, exchange_rate_of
from synthmix_dagster.ratio.experience import Experience, shipped_experience
from synthmix_dagster.ratio.judged import Judged
from synthmix_dagster.ratio.learners import LinearMap, kernel_path, sample_moments
from synthmix_dagster.ratio.memorisation import memorisation_test
from synthmix_dagster.ratio.moments import Moments
from synthmix_dagster.ratio.options import Learner, RatioOptions
from synthmix_dagster.ratio.path import RiskPath, path_of, ratio_grid
from synthmix_dagster.ratio.posterior import knot_counts
from synthmix_dagster.ratio.posterior_rule import (
    PriorEffect,
    candidate_counts,
    decide_by_posterior,
)
from synthmix_dagster.ratio.provenance import SAFE_RATIO, Provenance, provenance_of
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.ratio.refits import Refits, boosting_refits, proposed_counts
from synthmix_dagster.ratio.sample import EncodedSample, balanced_weights
from synthmix_dagster.ratio.scoring import Scorer
from synthmix_dagster.ratio.weighted import WeightedOptimum, weighted_optimum_of
from synthmix_dagster.ratio.wording import note_on_experience, notes_on_bounds, reason_of
from synthmix_dagster.seeds import rng_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METRICS: dict[Task, str] = {
    "regression": "mean squared error in real variances",
    "classification": "Brier score",
}


def recommend(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    code: TargetCode,
    gap: float,
    columns: Columns = Columns(),
    options: RatioOptions = RatioOptions(),
    shift_squared: float | None = None,
    evaluation: pd.DataFrame | None = None,
    generator: Generator | None = None,
    estimator: Any = None,
    experience: Experience | None = None,
    notes: Sequence[str] = (),
) -> Recommendation:
    """Recommend a ratio from two frames.

    Parameters
    ----------
    real, synthetic : DataFrame
        Real rows, and every synthetic row that may be used.
    code : TargetCode
        The column to predict, and how it becomes numbers.
    gap : float
        Debiased gap of inputs and target together, for the stability bound.
    columns : Columns
        Which columns are inputs, as what, and on what scale; the weight of the target has no
        meaning here.
    options : RatioOptions
        How to recommend. The frames are the samples, whatever `sample_rows` is.
    shift_squared : float, optional
        Signed, debiased square of the shift of the target given the inputs, in the units of the
        risk, for the variance bound: the square of a `DistanceReport`'s conditional gap, with its
        sign; twice that for classes, which are one unit apart there and sqrt(2) here. By default
        the excess error of a fit to the synthetic rows alone.
    evaluation : DataFrame, optional
        Real rows that are not in `real` and that the generator never saw. They judge the risk;
        without them each real row is judged by a fit that leaves it out.
    generator : Generator, optional
        What made the synthetic rows, to be fitted again without each fold of the real rows, which
        the fold then judges.
    estimator : scikit-learn estimator, optional
        The learner itself, to be fitted to the proposed mixes in the place of a built-in one.
    experience : Experience, optional
        What happened on other datasets; by default what the package comes with.
    notes : sequence of str
        Remarks of the caller to keep with the result.

    Returns
    -------
    Recommendation
    """
    if generator is not None:
        _require_one_judge(evaluation, options.learner, estimator)
    frames = {"real": real, "synthetic": synthetic}
    if evaluation is not None:
        frames["evaluation"] = evaluation
    balanced = options.class_weight == "balanced"
    sample = EncodedSample.encode(frames, code, columns, balanced=balanced)
    provenance = _provenance(sample, generator, options)
    refitted = estimator is not None or options.learner == "trees"
    _require_fits_to_score(options, refitted)
    # The experience is of plain risks, with learners and generators that stay as they are.
    by_posterior = options.by_posterior and estimator is None and generator is None
    known = _experience_of(options.learner, experience) if by_posterior else None
    if known is not None and not refitted:
        predicted, on_path = _by_posterior(sample, options, known)
    else:
        predicted = _predicted(sample, generator, options)
        on_path = Judged.of(sample.n, predicted.path, options)
    judged = _refitted(sample, estimator, on_path, options, known) if refitted else on_path
    learner = "kernel" if estimator is not None else options.learner
    chosen = _chosen(judged, provenance, learner, options)
    weighted = exchange = None
    if provenance.trusted and generator is None and on_path.counts[-1] > 0:
        weighted, exchange = _beyond(sample, predicted, on_path, options)
    # The bounds are about plain risks of the kernel, which those of the posterior are.
    shared = predicted.moments if by_posterior else None
    bounds, critical = _bounds(sample, predicted.kernel, on_path, gap, shift_squared, shared)
    ratio = float(judged.ratios[chosen])
    return Recommendation(
        ratio=ratio,
        interval=judged.interval,
        resampled=judged.resampled(options),
        rule=options.rule if by_posterior else options.path_rule,
        learner=options.learner if estimator is None else type(estimator).__name__,
        shape=judged.decision.shape,
        curve=on_path.points if known is None else judged.points,
        refits=judged.points if refitted and known is None else (),
        baselines=judged.baselines(chosen),
        weighted=weighted,
        exchange=exchange,
        bounds=bounds,
        critical_gap=critical,
        reason=reason_of(judged, chosen, provenance, options.flat_curve),
        metric=_metric(judged, sample),
        score=judged.score,
        provenance=provenance,
        n_real=sample.n,
        n_synthetic=sample.m,
        seed=options.seed,
        notes=(
            *notes,
            *sample.encoder.notes,
            *notes_on_bounds(bounds, on_path.interval, float(on_path.ratios[-1])),
            *_notes_on_provenance(provenance),
            *_notes_on_prior(judged.effect, provenance),
        ),
        experience=judged.effect,
        flat_curve=options.flat_curve,
    )


def _chosen(judged: Judged, provenance: Provenance, learner: str, options: RatioOptions) -> int:
    """The candidate to recommend: what is safe, what is set for a flat curve, or what is best."""
    if not provenance.trusted:
        return judged.last_within(SAFE_RATIO[learner])
    if options.flat_curve == "none" and not judged.measurable:
        return 0
    return judged.decision.chosen


def _experience_of(learner: Learner, experience: Experience | None) -> Experience:
    """What is known of other datasets for a learner: what was passed, or what comes with us."""
    if experience is not None and experience.learner != learner:
        raise ConfigError(
            f"it was learned of '{experience.learner}', and the learner is '{learner}'",
            option="experience",
            fix=f"Make one with `synthmix learn PAIRS --learner {learner}`",
        )
    return experience or shipped_experience(learner)


def _provenance(
    sample: EncodedSample, generator: Generator | None, options: RatioOptions
) -> Provenance:
    """Who judged the risk, and whether that can be trusted."""
    evaluation = sample.frames.get("evaluation")
    return provenance_of(
        evaluation_rows=None if evaluation is None else len(evaluation),
        cross_fitted=generator is not None,
        saw_real=options.generator_saw_real,
        memorisation=memorisation_test(
            sample.joint("real"), sample.joint("synthetic"), seed=options.seed
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


def _require_fits_to_score(options: RatioOptions, refitted: bool) -> None:
    """Refuse a score of a learner that is not fitted: its risk is predicted in closed form."""
    if options.scoring is not None and not refitted:
        raise ConfigError(
            f"the learner is '{options.learner}', whose risk is predicted without a fit to score",
            option="scoring",
            fix="Set 'learner' to trees or pass an estimator; for rare classes the others take "
            "'class_weight'",
        )


@dataclass(frozen=True, eq=False)
class _Predicted:
    """The risk path, and the features that it was predicted in.

    Attributes
    ----------
    path : RiskPath
    transform : callable
        From points to the features of the path.
    kernel : NystroemMap
        Features of the bounds, whatever the learner is.
    moments : Moments, optional
        The sample in the features of the path, with what was computed of it.
    """

    path: RiskPath
    transform: Callable[[Floats], Floats]
    kernel: NystroemMap
    moments: Moments | None = None


def _max_rows(sample: EncodedSample, options: RatioOptions) -> int:
    """Synthetic rows that may be used."""
    cap = np.inf if options.max_ratio is None else options.max_ratio
    # The small addend undoes rounding: 0.29 * 100 is 28.999999999999996.
    return int(min(sample.m, np.floor(cap * sample.n + 1e-9)))


def _landmarks(sample: EncodedSample, options: RatioOptions) -> NystroemMap:
    return NystroemMap.fit(
        sample.points["real"],
        sample.points["synthetic"],
        rng=rng_of(options.seed, "landmarks"),
    )


def _predicted(
    sample: EncodedSample, generator: Generator | None, options: RatioOptions
) -> _Predicted:
    """Predict the risk at every candidate ratio."""
    kernel = _landmarks(sample, options)
    grid = ratio_grid(sample.n, _max_rows(sample, options))
    linear = LinearMap.fit(sample.points["real"])
    if generator is not None:
        transform = linear.transform if options.learner == "linear" else kernel.transform
        path = cross_fitted_path(sample, transform, generator, grid, seed=options.seed)
        return _Predicted(path, transform, kernel)
    if options.learner == "linear":
        moments = sample_moments(sample, linear.transform)
        return _Predicted(path_of(moments, grid), linear.transform, kernel, moments)
    path, kernel = kernel_path(sample, kernel, grid)
    return _Predicted(path, kernel.transform, kernel)


def _by_posterior(
    sample: EncodedSample, options: RatioOptions, experience: Experience
) -> tuple[_Predicted, Judged]:
    """Predict the risk at several bandwidths, and decide with the experience of other datasets."""
    counts = candidate_counts(sample.n, _max_rows(sample, options))
    moments, maps = bandwidth_moments(sample, _landmarks(sample, options))
    paths = [path_of(each, counts) for each in moments]
    result = decide_by_posterior(paths, sample.n, experience)
    best = lowest_path(paths)
    judged = Judged(
        n=sample.n,
        counts=counts,
        risks=result.risks,
        losses=paths[best].losses,
        decision=result.decision,
        posterior=result,
    )
    return _Predicted(paths[best], maps[best].transform, maps[best], moments[best]), judged


def _refitted(
    sample: EncodedSample,
    estimator: Any,
    on_path: Judged,
    options: RatioOptions,
    experience: Experience | None,
) -> Judged:
    """Let the estimator, or gradient boosting, judge mixes.

    Those that the path proposes, or where there is an experience of the learner, those that it
    knows.
    """
    scoring = options.scoring
    columns = sample.encoder.columns
    shown = {dataset: frame[columns] for dataset, frame in sample.frames.items()}
    if estimator is None:
        refits = boosting_refits(sample, options.class_weight, seed=options.seed)
    else:
        refits = Refits(estimator, shown, sample.targets, sample.code, options.seed)
    if experience is not None:
        return _trees_by_posterior(sample.n, refits, int(on_path.counts[-1]), experience)
    counts = proposed_counts(
        on_path.counts, on_path.decision, sample.n, another_metric=scoring is not None
    )
    if scoring is not None:
        scorer = Scorer.of(scoring, sample.code, sample.frames["real"], options.positive_class)
        risks, losses = refits.scored(counts, scorer, shown[sample.judges])
        decision = decide(risks, losses, options.path_rule)
        return Judged(sample.n, counts, risks, losses, decision, score=scorer.score)
    losses = refits.losses(counts)
    if sample.balanced:
        losses = losses * balanced_weights(sample.targets[sample.judges])
    risks = losses.mean(axis=1)
    # With few rows the fits are noisy: what they cannot tell from their best, and the path
    # recommends, two judges agree on.
    favoured = int(np.searchsorted(counts, on_path.rows))
    decision = decide(risks, losses, options.path_rule, favoured=favoured)
    return Judged(sample.n, counts, risks, losses, decision, favoured)


def _trees_by_posterior(n: int, refits: Refits, most: int, experience: Experience) -> Judged:
    """Fit boosting where curves of other datasets are known, and decide with these."""
    path = refits.path(knot_counts(n, most))
    counts = candidate_counts(n, most)
    result = decide_by_posterior([path], n, experience, counts)
    return Judged(n, counts, result.risks, path.losses, result.decision, posterior=result)


def _beyond(
    sample: EncodedSample, predicted: _Predicted, on_path: Judged, options: RatioOptions
) -> tuple[WeightedOptimum, ExchangeRate]:
    """Weights instead of rows, and what the recommended rows are worth."""
    moments = predicted.moments or sample_moments(sample, predicted.transform)
    rule, max_rows = options.path_rule, int(on_path.counts[-1])
    return (
        weighted_optimum_of(moments, rule=rule, max_rows=max_rows),
        exchange_rate_of(moments, rows=on_path.rows, rule=rule),
    )


def _bounds(
    sample: EncodedSample,
    kernel: NystroemMap,
    on_path: Judged,
    gap: float,
    shift_squared: float | None,
    moments: Moments | None,
) -> tuple[tuple[Bound, ...], float]:
    """The bounds, each with its disagreement with the risk path, and the critical gap."""
    # They are about plain risks, whatever a class weighs.
    plain = replace(sample, balanced=False)
    bounds, critical = estimated_bounds(
        plain, kernel, gap=gap, shift_squared=shift_squared, moments=moments
    )
    ratio, highest = float(on_path.ratios[on_path.decision.chosen]), float(on_path.ratios[-1])
    return tuple(
        bound.compared(ratio, on_path.interval, highest=highest, n=sample.n) for bound in bounds
    ), critical


def _metric(judged: Judged, sample: EncodedSample) -> str:
    """What a risk is, with its unit."""
    if judged.score is not None:
        return judged.score.label
    return METRICS[sample.code.task] + (", every class counted the same" if sample.balanced else "")


def _notes_on_prior(effect: PriorEffect | None, provenance: Provenance) -> tuple[str, ...]:
    return (note_on_experience(effect),) if effect is not None and provenance.trusted else ()


def _notes_on_provenance(provenance: Provenance) -> tuple[str, ...]:
    return (provenance.sentence,) if provenance.judged == "unknown" else ()
