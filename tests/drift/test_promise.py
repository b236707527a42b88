"""An alarm is held back where scores resemble their past and their noise is not normal."""

import math

import numpy as np
import pytest

from synthmix_dagster.drift.promise import as_promised, is_promised

DAYS = np.arange(150.0)


def autoregression(seed: int, phi: float, *, heavy: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.standard_t(2, 250) if heavy else rng.standard_normal(250)
    for day in range(1, 250):
        noise[day] += phi * noise[day - 1]
    return noise[100:]


def share(phi: float, *, heavy: bool, step: float = 0.0) -> float:
    kept = [
        is_promised(autoregression(seed, phi, heavy=heavy) + step * (DAYS >= 100), DAYS)
        for seed in range(40)
    ]
    return float(np.mean(kept))


def test_heavy_tails_with_autocorrelation_are_noticed() -> None:
    assert share(0.6, heavy=True) <= 0.05


@pytest.mark.parametrize("step", [0.0, 3.0, 9.0])
def test_either_alone_is_promised_whether_or_not_there_is_a_step(step: float) -> None:
    assert share(0.0, heavy=True, step=step) >= 0.8
    assert share(0.6, heavy=False, step=step) >= 0.75


def test_a_season_is_taken_out_before() -> None:
    season = 5.0 * (DAYS % 7 == 6)
    steady = autoregression(3, 0.0, heavy=False)
    assert is_promised(steady + season, DAYS, (7.0,))
    assert is_promised(steady, DAYS)


def test_capital_stays_below_the_line_only_where_it_is_not_promised() -> None:
    line = math.log(100)
    capital = np.linspace(0, 2 * line, len(DAYS))
    good = as_promised(capital, autoregression(1, 0.0, heavy=False), DAYS, (), line)
    bad = as_promised(capital, autoregression(1, 0.6, heavy=True), DAYS, (), line)
    assert np.array_equal(good, capital)
    assert bad.max() < line
    assert np.array_equal(bad[capital < line], capital[capital < line])


def test_a_constant_series_and_a_short_one_are_left_alone() -> None:
    assert is_promised(np.ones(50), np.arange(50.0))
    assert is_promised(np.array([0.0, 1.0, 9.0]), np.arange(3.0))
