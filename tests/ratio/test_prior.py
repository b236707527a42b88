"""The spectral risk against simulation, scikit-learn and known optima."""

import json

import numpy as np
import pytest

from synthmix_dagster.ratio.bounds import Bound
from synthmix_dagster.ratio.prior import SpectralRisk, spectral_bound

RIDGES = np.logspace(-5, 2, 15)


def setting(n=30, p=12, q=1, error=0.5, seed=0):
    """Features with decaying eigenvalues, the truth, and the function of a generator."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -1.0
    truth = features @ rng.normal(size=(p, q))
    learnt = truth + error * features @ rng.normal(size=(p, q))
    return features, truth, learnt


def lemma(features, residuals, ridge):
    """``K (K + N l I)^-1 (y - g(X))``: what is added to g at the real rows."""
    n = len(features)
    kernel = features @ features.T
    return kernel @ np.linalg.solve(kernel + n * ridge * np.eye(n), residuals)


# --- the lemma -----------------------------------------------------------------------------------


def test_the_lemma_minimises_its_objective():
    """In features: (1-t)/N |y - Phi c|^2 + t |c - c_g|^2."""
    features, truth, _ = setting()
    rng = np.random.default_rng(1)
    target = truth + rng.normal(size=truth.shape)
    prior = rng.normal(size=(features.shape[1], 1))
    t, n = 0.2, len(features)
    gram = (1 - t) / n * features.T @ features + t * np.eye(features.shape[1])
    solved = np.linalg.solve(gram, (1 - t) / n * features.T @ target + t * prior)
    added = lemma(features, target - features @ prior, t / (1 - t))
    np.testing.assert_allclose(features @ prior + added, features @ solved, rtol=1e-8)


def test_the_lemma_is_kernel_ridge_on_residuals():
    from sklearn.kernel_ridge import KernelRidge

    features, truth, learnt = setting(q=2)
    residuals = truth - learnt
    ridge = 0.07
    peer = KernelRidge(alpha=len(features) * ridge, kernel="linear").fit(features, residuals)
    added = lemma(features, residuals, ridge)
    np.testing.assert_allclose(added, peer.predict(features), rtol=1e-8)


# --- the risk ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p", "q"), [(30, 12, 1), (12, 30, 1), (30, 12, 3)])
def test_the_risk_is_the_mean_of_simulated_fits(n, p, q):
    features, truth, learnt = setting(n, p, q)
    # Some of it lies where no feature reaches, if there are fewer features than rows.
    difference = truth - learnt + 0.1 * np.random.default_rng(3).normal(size=truth.shape)
    sigma = 0.7
    noise = np.random.default_rng(2).normal(0, sigma, (2000, n, q))
    simulated = [
        np.mean(np.sum((lemma(features, difference[None] + noise, r) - difference) ** 2, axis=2))
        for r in RIDGES
    ]
    risk = SpectralRisk.exact(features, difference, q * sigma**2)
    np.testing.assert_allclose(risk.at(RIDGES), simulated, rtol=0.03)


def test_its_limits_are_the_real_rows_alone_and_the_generator_alone():
    features, truth, learnt = setting()
    risk = SpectralRisk.exact(features, truth - learnt, 0.3)
    near, far = risk.at(np.array([1e-15, 1e15]))
    assert near == pytest.approx(risk.real_alone)
    assert risk.real_alone == pytest.approx(0.3 * 12 / 30)
    assert far == pytest.approx(risk.generator_alone)
    assert risk.generator_alone == pytest.approx(np.mean((truth - learnt) ** 2))


def test_the_estimate_has_the_right_mean_at_every_ridge():
    features, truth, learnt = setting(n=25, p=12)
    difference = truth - learnt + 0.2
    exact = SpectralRisk.exact(features, difference, 0.5)
    rng = np.random.default_rng(4)
    estimates = [
        SpectralRisk.estimated(
            features, difference + rng.normal(0, np.sqrt(0.5), difference.shape), 0.5
        )
        for _ in range(3000)
    ]
    found = np.array([estimate.at(RIDGES) for estimate in estimates])
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - exact.at(RIDGES)) < 4 * error).all()
    alone = np.array([estimate.generator_alone for estimate in estimates])
    assert alone.mean() == pytest.approx(exact.generator_alone, abs=4 * alone.std() / 3000**0.5)


def test_the_estimate_is_mallows_criterion_of_the_fit_to_the_residuals():
    features, truth, learnt = setting()
    residuals = truth - learnt + np.random.default_rng(5).normal(size=truth.shape)
    n, noise = len(features), 1.0

    def mallows(ridge):
        smoother = lemma(features, np.eye(n), ridge)
        left = np.mean((residuals - smoother @ residuals) ** 2)
        return left - noise + 2 * noise * np.trace(smoother) / n

    found = SpectralRisk.estimated(features, residuals, noise).at(RIDGES)
    np.testing.assert_allclose(found, [mallows(ridge) for ridge in RIDGES], rtol=1e-8)


# --- its minimum ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
@pytest.mark.parametrize("prior_variance", [0.05, 1.0, 20.0])
def test_a_difference_drawn_from_the_kernel_has_a_known_optimum(scale, prior_variance):
    """With d_j^2 = tau^2 N mu_j every term is stationary at N l = sigma^2 / tau^2."""
    features, *_ = setting()
    features = features * np.sqrt(scale)
    exact = SpectralRisk.exact(features, np.zeros((30, 1)), 0.4)
    tau2 = prior_variance / scale
    drawn = SpectralRisk(exact.spectrum, tau2 * exact.spectrum, 0.0, 0.4, 30)
    ridge, lowest = drawn.minimum()
    assert ridge == pytest.approx(0.4 / tau2 / 30, rel=0.01)
    assert lowest <= drawn.at(ridge * np.logspace(-3, 3, 601)).min() * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_generator_and_noise_make_a_u(seed):
    features, truth, learnt = setting(seed=seed)
    risk = SpectralRisk.exact(features, truth - learnt, 0.3)
    ridge, lowest = risk.minimum()
    assert 0 < ridge < np.inf
    assert lowest < min(risk.real_alone, risk.generator_alone)
    curve = risk.at(ridge * np.logspace(-2, 2, 41))
    assert (np.diff(curve[:21]) < 0).all()
    assert (np.diff(curve[20:]) > 0).all()


def test_a_perfect_generator_is_trusted_alone():
    features, truth, _ = setting()
    risk = SpectralRisk.exact(features, truth - truth, 0.3)
    assert risk.minimum() == (float("inf"), 0.0)
    assert risk.generator_share(float("inf")) == 1.0


def test_without_noise_the_real_rows_are_trusted_alone():
    features, truth, learnt = setting()
    risk = SpectralRisk.exact(features, truth - learnt, 0.0)
    assert risk.minimum()[0] == 0.0
    assert risk.generator_share(0.0) == 0.0


def test_about_half_the_estimates_call_a_perfect_generator_perfect():
    """Cutting negative squares off would call it wrong every time."""
    features, *_ = setting(n=60)
    rng = np.random.default_rng(6)
    found = [
        SpectralRisk.estimated(features, rng.normal(size=(60, 1)), 1.0).minimum()[0]
        for _ in range(200)
    ]
    assert 0.3 < np.mean(np.isinf(found)) < 0.9


def test_more_noise_means_more_trust():
    features, truth, learnt = setting()
    found = [
        SpectralRisk.exact(features, truth - learnt, noise).minimum()[0]
        for noise in (0.01, 0.1, 1.0, 10.0)
    ]
    assert found == sorted(found)


def test_the_share_of_the_generator_does_not_depend_on_the_scale_of_the_kernel():
    features, truth, learnt = setting()
    found = [SpectralRisk.exact(features * s, truth - learnt, 0.3) for s in (1.0, 10.0)]
    ridges = [risk.minimum()[0] for risk in found]
    assert ridges[1] == pytest.approx(100 * ridges[0], rel=0.01)
    shares = [risk.generator_share(ridge) for risk, ridge in zip(found, ridges, strict=True)]
    assert shares[0] == pytest.approx(shares[1], rel=0.01)


# --- the bound -----------------------------------------------------------------------------------


def asked(error, noise=0.3, m=300):
    features, truth, learnt = setting(n=200, error=error)
    target = truth + np.random.default_rng(7).normal(0, np.sqrt(noise), truth.shape)
    return spectral_bound(features, target, target - learnt, noise=noise, m=m)


def test_its_optimum_is_read_as_the_share_of_the_lemma():
    bound = asked(0.5)
    assert bound.interior
    assert bound.weight == pytest.approx(bound.ratio / (1 + bound.ratio))
    assert bound.constants["lambda_n"] == pytest.approx(200 * bound.ratio)
    assert bound.constants["risk"] < bound.constants["risk_generator_alone"]
    assert "is not" in bound.caveat


def test_a_useful_generator_lowers_the_risk_and_a_useless_one_raises_it():
    useful, useless = asked(0.1).constants, asked(5.0).constants
    assert useful["risk"] < useful["risk_without_generator"]
    assert useless["risk"] > useless["risk_without_generator"]
    assert useful["generator_share"] > useless["generator_share"]


def test_trust_without_limit_survives_json_and_asks_for_all_rows():
    features, truth, _ = setting(n=200)
    noise = np.random.default_rng(8).normal(0, 0.5, truth.shape)
    # A higher noise level than there is: nothing is left to explain.
    bound = spectral_bound(features, truth + noise, noise, noise=1.0, m=300)
    assert (bound.weight, bound.ratio, bound.row_ratio) == (1.0, float("inf"), 1.5)
    assert not bound.interior
    assert "lambda_n" not in bound.constants
    written = json.dumps(bound.to_dict(), allow_nan=False)
    assert Bound.from_dict(json.loads(written)) == bound


def test_more_features_than_rows_are_no_obstacle():
    features, truth, learnt = setting(n=12, p=60)
    bound = spectral_bound(features, truth, truth - learnt, noise=0.1, m=100)
    assert np.isfinite(list(bound.constants.values())).all()
