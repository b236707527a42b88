"""From risk paths and experience to a decision: agreement with its parts, limits, what is shown."""

import numpy as np
import pytest

from synthmix_dagster.ratio.evidence import Evidence
from synthmix_dagster.ratio.experience import Case, learn_experience
from synthmix_dagster.ratio.path import RiskPath
from synthmix_dagster.ratio.posterior import KNOTS, condition, knot_counts
from synthmix_dagster.ratio.posterior_rule import (
    candidate_counts,
    decide_by_posterior,
)

K = len(KNOTS)
AT = np.array(KNOTS)


def experience(harm, judge, datasets=200, seed=0):
    """Others' curves scatter around a straight line; the judge errs by so much at 100 rows."""
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(datasets):
        truth = (harm + 0.3 * rng.normal()) * np.log1p(AT)
        wrong = judge * rng.normal() * np.log1p(AT)
        evidence = Evidence(AT, truth + wrong, np.zeros((K, K)))
        cases.append(Case(f"d{i}", "g", 100, evidence, truth))
    return learn_experience(cases, level=0.9)


def path(slope, n=100, most=1_600, noise=0.01, seed=0, judged=400):
    """A path whose logarithm is a straight line in log(1 + ratio), as finitely many rows see it."""
    counts = candidate_counts(n, most)
    rng = np.random.default_rng(seed)
    means = np.exp(slope * np.log1p(counts / n))
    wiggle = noise * rng.normal(size=(len(counts), judged))
    hard = rng.gamma(4, 0.25, judged)
    losses = means[:, None] * (hard / hard.mean() + wiggle - wiggle.mean(axis=1, keepdims=True))
    return RiskPath(counts, losses.mean(axis=1), np.ones(len(counts)), losses)


# --- the decision --------------------------------------------------------------------------------


def test_clear_evidence_is_followed_whatever_others_saw():
    for slope, ratio in ((-0.5, 16.0), (0.5, 0.0)):
        for harm in (-0.3, 0.3):
            result = decide_by_posterior([path(slope)], 100, experience(harm, judge=0.001))
            assert result.counts[result.decision.chosen] / 100 == pytest.approx(ratio)


def test_where_the_judge_is_worthless_other_datasets_decide():
    """A judge that was wrong by far on all of them: what they found is what counts."""
    for slope in (-0.1, 0.1):
        for harm, ratio in ((-0.5, 16.0), (0.5, 0.0)):
            result = decide_by_posterior([path(slope)], 100, experience(harm, judge=5.0))
            assert result.counts[result.decision.chosen] / 100 == pytest.approx(ratio)


def test_the_curve_is_that_of_the_posterior():
    one, others = path(-0.2, seed=1), experience(0.1, judge=0.2)
    result = decide_by_posterior([one], 100, others)
    at = np.searchsorted(one.counts, knot_counts(100, 1_600))
    evidence = Evidence.of(one.counts[at] / 100, [one.risks[at]], [one.losses[at]])
    mean, _ = condition(others.prior(100), evidence).curve(one.counts / 100)
    np.testing.assert_allclose(result.risks, one.risks[0] * np.exp(mean))
    assert result.decision.chosen == np.argmin(result.risks)
    np.testing.assert_allclose(result.effect.path_risks, one.risks)


def test_wide_kernels_are_averaged_in_logarithms():
    narrow, one, other = path(-0.41, seed=0), path(-0.4, seed=1), path(0.2, seed=2, noise=9.0)
    others = experience(0.0, judge=0.1)
    result = decide_by_posterior([narrow, one, other], 100, others)
    assert [id(each) for each in result.paths] == [id(one), id(other)]
    shape = np.sqrt(one.risks / one.risks[0] * other.risks / other.risks[0])
    np.testing.assert_allclose(result.effect.path_risks, narrow.risks[0] * shape)
    swapped = decide_by_posterior([narrow, other, one], 100, others)
    np.testing.assert_allclose(swapped.risks, result.risks)


@pytest.mark.parametrize(
    ("slopes", "kept"),
    [((-0.5, -0.2, -0.1), [0, 0]), ((-0.5, -0.5, -0.1), [1, 0]), ((-0.1, -0.2, -0.5), [2, 2])],
)
def test_the_best_kernel_takes_the_place_of_one_that_fits_worse(slopes, kept):
    paths = [path(slope, seed=i) for i, slope in enumerate(slopes)]
    result = decide_by_posterior(paths, 100, experience(0.0, judge=0.1))
    assert [id(each) for each in result.paths] == [id(paths[i]) for i in kept]


def test_the_unit_of_the_risk_is_kept():
    one = path(-0.2)
    scaled = RiskPath(one.counts, 50 * one.risks, one.ridges, 50 * one.losses)
    plain, other = (
        decide_by_posterior([each], 100, experience(0.1, judge=0.2)) for each in (one, scaled)
    )
    np.testing.assert_allclose(other.risks, 50 * plain.risks)
    np.testing.assert_allclose(
        other.decision.excess_errors, 50 * plain.decision.excess_errors, atol=1e-9
    )
    assert other.decision.chosen == plain.decision.chosen


@pytest.mark.parametrize("most", [0, 1, 7, 30, 333, 1_600, 5_000])
def test_any_number_of_rows_gets_an_answer(most):
    result = decide_by_posterior([path(-0.3, most=most)], 100, experience(0.0, judge=0.1))
    decision = result.decision
    assert result.counts[-1] == most
    assert 0 <= decision.low <= decision.chosen <= decision.high < len(result.counts)
    assert np.all(np.isfinite(result.risks))
    assert result.counts[decision.chosen] <= 1_600


def test_no_more_rows_than_others_ever_used():
    """Ratios above the last knot repeat it, and of a tie the fewest rows are taken."""
    result = decide_by_posterior([path(-0.5, most=6_400)], 100, experience(-0.3, judge=0.05))
    assert result.counts[result.decision.chosen] == 1_600


# --- what is said of it --------------------------------------------------------------------------


def test_what_the_prior_did_is_shown():
    others = experience(0.4, judge=0.5)
    effect = decide_by_posterior([path(-0.05)], 100, others).effect
    assert effect.path_ratio == 16
    assert (effect.datasets, effect.pairs, effect.level) == (200, 200, 0.9)
    assert 0 <= effect.probability_of_help < 0.5
    assert effect.expected_regret >= 0


def test_doubt_widens_the_interval_and_the_expected_regret():
    clear, unclear = (
        decide_by_posterior([path(-0.3)], 100, experience(0.0, judge)) for judge in (0.01, 1.0)
    )
    assert clear.decision.shape == "decreasing"
    assert clear.decision.high == unclear.decision.high
    assert unclear.decision.low < clear.decision.low
    assert unclear.effect.expected_regret > clear.effect.expected_regret
    assert clear.effect.probability_of_help > unclear.effect.probability_of_help


def test_equivalents_are_the_interval():
    decision = decide_by_posterior([path(-0.1)], 100, experience(0.1, 0.5)).decision
    assert np.flatnonzero(decision.equivalent)[[0, -1]].tolist() == [decision.low, decision.high]
    assert decision.unbroken
    assert decision.excess_errors[decision.best] == 0
    assert np.all(np.delete(decision.excess_errors, decision.best) > 0)


def test_resampling_spreads_with_the_noise_of_the_rows():
    others, spreads = experience(0.0, judge=0.1), []
    for noise in (0.01, 4.0):
        result = decide_by_posterior([path(-0.02, noise=noise)], 100, others)
        chosen = result.resampled_choices(40, np.random.default_rng(0))
        spreads.append(np.ptp(chosen))
    assert spreads[0] < spreads[1]


def test_resampling_repeats():
    result = decide_by_posterior([path(-0.1, noise=0.5)], 100, experience(0.0, judge=0.1))
    drawn = [result.resampled_choices(10, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*drawn)
