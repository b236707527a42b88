"""The second capital against closed forms, brute force and series that it has to allow for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.drift import dependence
from synthmix_dagster.drift.dependence import evidence, levels_and_waves, log_capital
from synthmix_dagster.drift.martingale import waking
from synthmix_dagster.drift.series import DAILY


def autoregression(rng: np.random.Generator, histories: int, n: int, phi: float) -> np.ndarray:
    noise = rng.standard_normal((histories, n))
    for t in range(1, n):
        noise[:, t] = phi * noise[:, t - 1] + np.sqrt(1 - phi**2) * noise[:, t]
    return noise


def restricted(x: np.ndarray, variance: np.ndarray, levels: np.ndarray) -> float:
    """Log likelihood of what is left of x without levels and scale, from the whole covariance."""
    inverse = np.linalg.inv(variance)
    information = levels.T @ inverse @ levels
    fitted = levels @ np.linalg.solve(information, levels.T @ inverse @ x)
    squares = (x - fitted) @ inverse @ (x - fitted)
    known = len(x) - levels.shape[1]
    return float(
        -np.linalg.slogdet(variance)[1] / 2
        - np.linalg.slogdet(information)[1] / 2
        - known / 2 * np.log(squares)
    )


@pytest.mark.parametrize("seasons", [(), (2.0,), (2.0, 50.0)], ids=["level", "any shape", "wave"])
def test_the_capital_is_the_ratio_of_likelihoods_from_whole_covariances(
    seasons: tuple[float, ...],
) -> None:
    rng = np.random.default_rng(3)
    times = np.array([0.0, 1, 2, 4, 5, 6, 9, 10, 11])
    n, warm_up = len(times), 5
    x = rng.standard_normal(n)
    gaps = np.abs(times[:, None] - times)
    levels, waves = levels_and_waves(times, seasons)
    prior = dependence.AMPLITUDE**2 * waves @ waves.T
    bets, bounds = [], []
    chances = waking(n - warm_up)
    for place, phi in enumerate(dependence.autocorrelations()):
        signs = np.sign(phi) ** gaps if phi else np.eye(n)
        plain = signs * np.abs(phi) ** gaps
        waved = plain + prior
        inverse, middle = np.linalg.inv(waved), np.linalg.inv(plain)
        information = levels.T @ inverse @ levels
        left = x - levels @ np.linalg.solve(information, levels.T @ inverse @ x)
        bounds.append(
            -np.linalg.slogdet(plain)[1] / 2
            - np.linalg.slogdet(levels.T @ middle @ levels)[1] / 2
            - (n - levels.shape[1]) / 2 * np.log(left @ inverse @ left)
        )
        if place in dependence.BET_ON:
            for variance in (plain, waved) if waves.size else (plain,):
                parts = [np.log(1 - chances.sum()) + restricted(x, variance, levels)]
                for first in range(warm_up, n):
                    step = (np.arange(n) >= first) * 1.0
                    for size in dependence.SIZES:
                        moved = variance + size**2 * np.outer(step, step)
                        chance = np.log(chances[first - warm_up] / len(dependence.SIZES))
                        parts.append(chance + restricted(x, moved, levels))
                bets.append(np.logaddexp.reduce(parts))
    spacing = 2 * np.arcsin(dependence.HIGHEST) / (dependence.PLACES - 1)
    slack = (n - levels.shape[1]) * spacing**2 / 8 + waves.shape[1] / 4
    expected = np.logaddexp.reduce(bets) - np.log(len(bets)) - max(bounds) - slack
    found = log_capital(x[None], times, warm_up=warm_up, seasons=seasons)
    assert found[0, -1] == pytest.approx(expected, abs=1e-8)


def test_the_bound_on_waves_holds_for_every_amplitude_that_is_allowed() -> None:
    """p_c <= m sqrt(det(I + R^2 S)) exp(1/2), with densities from scipy."""
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(4)
    n, phi, reach = 30, 0.6, dependence.AMPLITUDE
    variance = phi ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    _, waves = levels_and_waves(np.arange(n * 1.0), (50.0,))
    x = rng.multivariate_normal(waves @ [0.6, -0.7], variance)
    mean = multivariate_normal(np.zeros(n), variance + reach**2 * waves @ waves.T).logpdf(x)
    information = waves.T @ np.linalg.inv(variance) @ waves
    factor = np.linalg.slogdet(np.eye(2) + reach**2 * information)[1] / 2 + 0.5
    for turn in np.linspace(0, 2 * np.pi, 24):
        for size in np.linspace(0, reach, 6):
            mu = waves @ [size * np.cos(turn), size * np.sin(turn)]
            assert multivariate_normal(mu, variance).logpdf(x) <= mean + factor + 1e-9


def test_the_likelihoods_that_are_tried_bound_those_between_them() -> None:
    rng = np.random.default_rng(5)
    n = 120
    end = np.arcsin(dependence.HIGHEST)
    coarse = np.linspace(-end, end, dependence.PLACES)
    fine = np.linspace(-end, end, 10 * (dependence.PLACES - 1) + 1)
    slack = (n - 1) * (coarse[1] - coarse[0]) ** 2 / 8

    def likelihoods(x: np.ndarray, places: np.ndarray) -> np.ndarray:
        rho = np.sin(places)[:, None]
        ones = np.concatenate((np.ones_like(rho), np.sqrt((1 - rho) / (1 + rho)) + 0 * x[1:]), 1)
        y = np.concatenate((0 * rho + x[0], (x[1:] - rho * x[:-1]) / np.sqrt(1 - rho**2)), 1)
        information = np.sum(ones**2, axis=1)
        squares = np.sum(y**2, axis=1) - np.sum(ones * y, axis=1) ** 2 / information
        scale = (n - 1) / 2 * np.log(1 - rho[:, 0] ** 2) + np.log(information) / 2
        return -scale - (n - 1) / 2 * np.log(squares)

    for phi in (0.0, 0.3, 0.6, 0.9, -0.5):
        for x in autoregression(rng, 5, n, phi):
            assert likelihoods(x, fine).max() <= likelihoods(x, coarse).max() + slack


def test_the_capital_is_one_on_average_at_most_without_a_change() -> None:
    rng = np.random.default_rng(6)
    for phi in (0.0, 0.6, 0.9):
        x = autoregression(rng, 60, 26, phi) + (np.arange(26) % 7 == 3) * 5.0
        capital = np.exp(log_capital(x, np.arange(26.0), warm_up=5, seasons=DAILY))
        for t in (12, 18, 25):
            spread = float(np.std(capital[:, t])) / np.sqrt(60)
            assert np.mean(capital[:, t]) <= 1 + 3 * spread


@settings(max_examples=5, deadline=None)
@given(
    st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.lists(st.floats(-9, 9), min_size=7, max_size=7)
)
def test_level_scale_and_shape_of_the_week_change_nothing(
    level: float, scale: float, week: list[float]
) -> None:
    x = autoregression(np.random.default_rng(7), 1, 30, 0.4)
    x[:, 20:] += 3
    days = np.arange(30.0)
    moved = level + scale * (x + np.array(week)[np.arange(30) % 7])
    left, right = (log_capital(each, days, warm_up=5, seasons=(7.0,)) for each in (x, moved))
    np.testing.assert_allclose(left, right, atol=1e-6)


def test_a_capital_does_not_change_when_later_batches_come() -> None:
    x = autoregression(np.random.default_rng(8), 1, 60, 0.6)
    days = np.delete(np.arange(70.0), np.arange(20, 30))
    early = log_capital(x[:, :40], days[:40], warm_up=5, seasons=DAILY)
    late = log_capital(x, days, warm_up=5, seasons=DAILY)
    np.testing.assert_allclose(early, late[:, :40], atol=1e-7)


def test_series_that_never_vary_or_jump_without_noise_stay_finite() -> None:
    still, jumps = np.zeros((1, 40)), (np.arange(40) >= 20)[None] * 1e12
    for scores in (still, jumps):
        found = log_capital(scores, np.arange(40.0), warm_up=5, seasons=DAILY)
        assert np.isfinite(found).all()
    assert log_capital(still, np.arange(40.0), warm_up=5).max() < 1


def test_missing_weekdays_are_learnt_when_they_first_come() -> None:
    days = np.array([day for day in range(60) if day % 7 < 5 or day > 40], dtype=np.float64)
    x = autoregression(np.random.default_rng(9), 1, len(days), 0.0)
    x += 20.0 * (days % 7 == 6)
    assert log_capital(x, days, warm_up=5, seasons=(7.0,)).max() < np.log(100)


def test_what_cannot_be_promised_is_said() -> None:
    days = np.arange(200.0)
    found = evidence(np.sin(days / 9), days, warm_up=5, seasons=(7.0,))
    (said,) = found.notes(np.full(200, 6.0), line=5.0)
    assert "the monitor cannot promise that it is a change" in said
    assert found.notes(np.zeros(200), line=5.0) == ()
    short = evidence(np.sin(days[:8]), days[:8], warm_up=5, seasons=(7.0,))
    assert short.notes(np.zeros(8), line=5.0)[0].startswith("an alarm is not possible yet")


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6, 0.9])
def test_a_year_with_autocorrelation_and_seasons_keeps_the_bound(phi: float) -> None:
    rng = np.random.default_rng(10)
    days = np.arange(365.0)
    x = autoregression(rng, 100, 365, phi) + (days % 7 == 6) * 2.0 + np.sin(days / 58.13)
    found = log_capital(x, days, warm_up=5, seasons=DAILY)
    assert np.mean(found.max(axis=1) >= np.log(100)) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 100)


def test_a_step_after_a_hundred_days_is_found_whatever_the_weeks_are_like() -> None:
    rng = np.random.default_rng(11)
    days = np.arange(125.0)
    x = rng.standard_normal((8, 125)) + (days % 7 == 6) * 2.0 + 5 * (days >= 100)
    found = log_capital(x, days, warm_up=5, seasons=DAILY)[:, 100:] >= np.log(100)
    assert np.mean(found.any(axis=1)) >= 0.9
