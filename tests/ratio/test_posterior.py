"""Gaussian conditioning against closed forms, limits and invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.ratio.evidence import Evidence
from synthmix_dagster.ratio.posterior import (
    KNOTS,
    Posterior,
    Prior,
    condition,
    interpolation,
    knot_counts,
)

K = len(KNOTS)
AT = np.array(KNOTS)
ZERO, NONE = np.zeros((K, K)), np.zeros(K)
GRID = np.concatenate(([0.0], np.geomspace(0.05, 16, 40)))


def covariance(seed, scale=0.3):
    """A full covariance of smooth curves."""
    root = np.tril(scale * np.random.default_rng(seed).normal(1, 0.3, (K, K)) / np.sqrt(K))
    return root @ root.T + 1e-4 * np.eye(K)


def curve(seed):
    return 0.2 * np.cumsum(np.random.default_rng(seed).normal(size=K))


@pytest.fixture
def prior():
    return Prior(curve(0), covariance(1), NONE, covariance(2, 0.1))


@pytest.fixture
def seen():
    return Evidence(AT, curve(3), covariance(4, 0.1))


# --- closed forms --------------------------------------------------------------------------------


def test_one_number_is_the_precision_weighted_mean():
    """At one knot, with everything else independent: the textbook's formula."""
    prior = Prior(np.full(K, -0.2), 0.09 * np.eye(K), NONE, 0.02 * np.eye(K))
    posterior = condition(prior, Evidence(AT[:1], np.array([-0.5]), np.array([[0.03]])))
    precision, seen = 1 / 0.09, 1 / 0.05
    assert posterior.mean[0] == pytest.approx((-0.2 * precision - 0.5 * seen) / (precision + seen))
    assert posterior.covariance[0, 0] == pytest.approx(1 / (precision + seen))
    np.testing.assert_allclose(posterior.mean[1:], -0.2)
    np.testing.assert_allclose(posterior.covariance[1:, 1:], 0.09 * np.eye(K - 1))


def test_the_information_form_agrees(prior, seen):
    noise = np.linalg.inv(prior.error + seen.noise)
    expected = np.linalg.inv(np.linalg.inv(prior.covariance) + noise)
    posterior = condition(prior, seen)
    np.testing.assert_allclose(posterior.covariance, expected, rtol=1e-6, atol=1e-9)
    mean = expected @ (np.linalg.solve(prior.covariance, prior.mean) + noise @ seen.values)
    np.testing.assert_allclose(posterior.mean, mean, rtol=1e-6)


def test_the_density_is_bayes_rule(prior, seen):
    """log posterior - log prior - log likelihood is the same at any two curves."""
    from scipy.stats import multivariate_normal

    posterior = condition(prior, seen)
    constants = [
        multivariate_normal(posterior.mean, posterior.covariance).logpdf(y)
        - multivariate_normal(prior.mean, prior.covariance).logpdf(y)
        - multivariate_normal(y, prior.error + seen.noise).logpdf(seen.values)
        for y in (curve(5), curve(6))
    ]
    assert constants[0] == pytest.approx(constants[1], rel=1e-6)


def test_evidence_in_two_parts_is_evidence_at_once(prior):
    """Independent errors: conditioning twice is conditioning once."""
    prior = Prior(prior.mean, prior.covariance, NONE, ZERO)
    values, noise = curve(3), 0.01 * np.eye(K)
    once = condition(prior, Evidence(AT, values, noise))
    half = condition(prior, Evidence(AT[:4], values[:4], noise[:4, :4]))
    twice = condition(
        Prior(half.mean, half.covariance, NONE, ZERO), Evidence(AT[4:], values[4:], noise[4:, 4:])
    )
    np.testing.assert_allclose(twice.mean, once.mean, rtol=1e-8)
    np.testing.assert_allclose(twice.covariance, once.covariance, atol=1e-10)


def test_a_bias_that_is_known_is_taken_off(prior, seen):
    bias = curve(8)
    biased = Prior(prior.mean, prior.covariance, bias, prior.error)
    shifted = Evidence(AT, seen.values + bias, seen.noise)
    np.testing.assert_allclose(
        condition(biased, shifted).mean, condition(prior, seen).mean, rtol=1e-8
    )


# --- limits --------------------------------------------------------------------------------------


def test_evidence_without_error_is_believed(prior, seen):
    posterior = condition(
        Prior(prior.mean, prior.covariance, NONE, ZERO), Evidence(AT, seen.values, ZERO)
    )
    np.testing.assert_allclose(posterior.mean, seen.values, atol=1e-6)
    np.testing.assert_allclose(posterior.covariance, 0, atol=1e-8)


def test_worthless_evidence_leaves_the_prior(prior, seen):
    posterior = condition(prior, Evidence(AT, seen.values, 1e12 * np.eye(K)))
    np.testing.assert_allclose(posterior.mean, prior.mean, atol=1e-8)
    np.testing.assert_allclose(posterior.covariance, prior.covariance, atol=1e-8)


def test_no_evidence_leaves_the_prior(prior):
    nothing = Evidence(np.empty(0), np.empty(0), np.empty((0, 0)))
    posterior = condition(prior, nothing)
    np.testing.assert_allclose(posterior.mean, prior.mean)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, K))
def test_evidence_never_adds_uncertainty(seed, seen):
    prior = Prior(curve(seed), covariance(seed + 1), NONE, covariance(seed + 2, 0.1))
    noise = covariance(seed + 3, 0.1)[:seen, :seen]
    posterior = condition(prior, Evidence(AT[:seen], curve(seed + 4)[:seen], noise))
    assert np.linalg.eigvalsh(prior.covariance - posterior.covariance).min() > -1e-9
    assert np.linalg.eigvalsh(posterior.covariance).min() > -1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_more_noise_moves_the_answer_towards_the_prior(seed):
    """In the metric of the prior, as a projection does."""
    prior = Prior(curve(seed), covariance(seed + 1), NONE, ZERO)
    noise, values = covariance(seed + 2, 0.1), curve(seed + 3)
    moved = []
    for factor in (0.1, 1.0, 10.0):
        off = condition(prior, Evidence(AT, values, factor * noise)).mean - prior.mean
        moved.append(off @ np.linalg.solve(prior.covariance, off))
    assert moved[0] >= moved[1] >= moved[2]


# --- invariances ---------------------------------------------------------------------------------


def test_the_order_of_ratios_does_not_matter(prior, seen):
    order = np.random.default_rng(0).permutation(K)
    shuffled = Evidence(AT[order], seen.values[order], seen.noise[np.ix_(order, order)])
    np.testing.assert_allclose(
        condition(prior, shuffled).mean, condition(prior, seen).mean, rtol=1e-8
    )


def test_help_and_harm_mirror_each_other(prior, seen):
    mirrored = Prior(-prior.mean, prior.covariance, NONE, prior.error)
    posterior = condition(prior, seen)
    other = condition(mirrored, Evidence(AT, -seen.values, seen.noise))
    np.testing.assert_allclose(other.mean, -posterior.mean)
    np.testing.assert_allclose(other.covariance, posterior.covariance)


def losses(seed, rows=60, counts=4):
    rng = np.random.default_rng(seed)
    return rng.gamma(2, 1, rows) * (1 + 0.2 * rng.normal(size=(counts, rows))) + 0.05


def test_the_unit_of_the_risk_does_not_matter():
    rows = losses(0)
    ratios, risks = np.array([0, 0.1, 1, 4.0]), rows.mean(axis=1) + 0.01
    plain = Evidence.of(ratios, [risks], [rows])
    scaled = Evidence.of(ratios, [7e3 * risks], [7e3 * rows])
    np.testing.assert_allclose(scaled.values, plain.values)
    np.testing.assert_allclose(scaled.noise, plain.noise)


def test_evidence_of_one_curve_twice_is_that_of_one():
    rows = losses(1)
    ratios, risks = np.array([0, 0.1, 1, 4.0]), rows.mean(axis=1)
    once, twice = (Evidence.of(ratios, [risks] * k, [rows] * k) for k in (1, 2))
    np.testing.assert_allclose(twice.values, once.values)
    np.testing.assert_allclose(twice.noise, once.noise)


def test_the_noise_is_that_of_other_rows():
    """The delta method against drawing the rows again."""
    rng = np.random.default_rng(2)
    everyone = losses(3, rows=200_000)
    ratios = np.array([0, 0.1, 1, 4.0])
    drawn, noises = [], []
    for _ in range(400):
        rows = everyone[:, rng.integers(everyone.shape[1], size=300)]
        evidence = Evidence.of(ratios, [rows.mean(axis=1)], [rows])
        drawn.append(evidence.values)
        noises.append(evidence.noise)
    np.testing.assert_allclose(np.mean(noises, axis=0), np.cov(np.array(drawn).T), rtol=0.3)


def test_a_risk_of_nothing_has_a_logarithm():
    rows = np.vstack((np.ones(20), np.zeros(20)))
    evidence = Evidence.of(np.array([0.0, 1.0]), [rows.mean(axis=1)], [rows])
    assert np.all(np.isfinite(evidence.values))
    assert np.all(np.isfinite(evidence.noise))


# --- the curve between the knots -----------------------------------------------------------------


def test_the_curve_is_the_natural_spline():
    from scipy.interpolate import CubicSpline

    values, posterior = curve(0), Posterior(curve(0), ZERO)
    u = np.log(np.array([0, *KNOTS]) + 0.05)
    expected = CubicSpline(u, np.array([0, *values]), bc_type="natural")(np.log(GRID + 0.05))
    np.testing.assert_allclose(posterior.curve(GRID)[0], expected, atol=1e-12)
    np.testing.assert_allclose(interpolation(AT), np.eye(K), atol=1e-12)


def test_nothing_is_certain_but_none():
    mean, deviation = Posterior(curve(0), covariance(1)).curve(np.array([0.0, 0.1, 16.0, 40.0]))
    assert mean[0] == deviation[0] == 0
    assert np.all(deviation[1:] > 0)
    assert mean[2] == mean[3]


@pytest.mark.parametrize("last", [0.03, 0.1, 0.7, 3.0, 15.9, 16.0, 100.0])
def test_few_rows_are_no_special_case(last, prior):
    """Evidence of a smooth true curve up to any last ratio leads back to that curve."""
    n = 200
    counts = knot_counts(n, int(last * n))
    truth = Posterior(-0.1 * np.log1p(AT), ZERO)
    ratios = counts[1:] / n
    values = truth.curve(ratios)[0]
    noise = 1e-10 * np.eye(len(ratios))
    posterior = condition(
        Prior(prior.mean, prior.covariance, NONE, ZERO), Evidence(ratios, values, noise)
    )
    np.testing.assert_allclose(posterior.curve(ratios)[0], values, atol=1e-4)
    assert counts[-1] == min(int(last * n), 16 * n)


# --- what is said of it --------------------------------------------------------------------------


def test_the_best_ratio_of_a_tie_has_the_fewest_rows():
    assert Posterior(np.zeros(K), covariance(0)).best(GRID) == 0


def test_the_probability_of_help_is_the_normal_one():
    from scipy.stats import norm

    posterior = Posterior(np.linspace(0.1, -0.3, K), 0.04 * np.eye(K))
    at = np.array([0.0, *KNOTS])
    assert posterior.probability_of_help(at) == pytest.approx(norm.cdf(0.3 / 0.2))
    assert posterior.probability_of_help(np.zeros(1)) == 0


def test_regret_of_two_choices_in_closed_form():
    """None against one amount, whose logarithm is N(m, s^2): E[max(1, e^-y)] - 1 at none."""
    from scipy.stats import norm

    mean, deviation = -0.1, 0.2
    posterior = Posterior(np.full(K, mean), np.full((K, K), deviation**2))
    ratios = np.array([0.0, 1.0])
    expected = (
        norm.cdf(mean / deviation)
        + np.exp(-mean + deviation**2 / 2) * norm.cdf((deviation**2 - mean) / deviation)
        - 1
    )
    # E[max(1, e^-y)] = P(y > 0) + E[e^-y; y < 0].
    assert posterior.expected_regret(ratios, 0) == pytest.approx(expected, abs=0.01)


def test_the_interval_has_its_mass():
    """The best ratio of curves drawn from the posterior lies in it as often as promised."""
    posterior = Posterior(0.02 * (np.arange(K) - 4.0) ** 2 - 0.3, covariance(3, 0.2))
    root = np.linalg.cholesky(posterior.covariance)
    drawn = posterior.mean + np.random.default_rng(7).normal(size=(4000, K)) @ root.T
    lowest = np.argmin(drawn @ interpolation(GRID).T, axis=1)
    for level in (0.5, 0.9):
        low, high = posterior.interval(GRID, level)
        assert level - 0.02 <= np.mean((low <= lowest) & (lowest <= high))
    wide, narrow = posterior.interval(GRID, 0.9), posterior.interval(GRID, 0.5)
    assert wide[0] <= narrow[0] <= posterior.best(GRID) <= narrow[1] <= wide[1]


def test_a_curve_that_is_known_has_an_interval_of_one_point():
    posterior = Posterior(0.02 * (np.arange(K) - 4.0) ** 2 - 0.5, ZERO)
    best = posterior.best(GRID)
    assert posterior.interval(GRID, 0.99) == (best, best)
    assert posterior.expected_regret(GRID, best) == 0


def test_answers_repeat():
    posterior = Posterior(curve(1), covariance(2))
    assert posterior.interval(GRID, 0.9) == posterior.interval(GRID, 0.9)
    assert posterior.expected_regret(GRID, 3) == posterior.expected_regret(GRID, 3)
