"""The check of all rows to be released: exact where it can be, and silent where all is chance."""

import numpy as np
import pyarrow as pa
import pytest

from synthmix_dagster.data.profile import Profile
from synthmix_dagster.gates.coverage import _p_values, judge_released_rows


def judged(measured, released, target=None):
    profile = Profile.of(measured, measured.column_names, target)
    return judge_released_rows(profile, profile.count([released]))


def test_counts_are_compared_by_the_exact_test():
    from scipy.stats import binomtest

    pairs = [(0, 0), (3, 9), (40, 12), (100, 0), (0, 50), (99, 40)]
    first, second = np.array(pairs).T
    found = _p_values(first, second, 100, 50)
    for (a, b), p_value in zip(pairs, found, strict=True):
        if a + b > 75:
            a, b = 100 - a, 50 - b
        tails = [
            binomtest(b, a + b, 1 / 3, alternative=side).pvalue if a + b else 1.0
            for side in ("greater", "less")
        ]
        assert p_value == pytest.approx(min(1, 2 * min(tails)))


def heavy(rng, n):
    return pa.table({"x": rng.standard_cauchy(n), "y": rng.integers(0, 2, n)})


def rare_levels(rng, n):
    """Nearly one level, and otherwise texts that never come again."""
    alone = rng.random(n) < 0.002
    names = [f"t{rng.integers(10**9)}" if each else "usual" for each in alone]
    return pa.table({"kind": names, "one": [1.0] * n})


def many_levels(rng, n):
    return pa.table({"kind": [f"c{code}" for code in rng.zipf(1.5, n) % 5000]})


def rounded(rng, n):
    x = np.round(rng.gamma(0.3, size=n), 2)
    return pa.table({"x": x, "y": np.where(rng.random(n) < 0.1, np.nan, x), "z": x > 1})


@pytest.mark.parametrize("draw", [heavy, rare_levels, many_levels, rounded])
@pytest.mark.parametrize(("n", "k"), [(40, 4_000), (4_000, 4_000), (4_000, 60)])
def test_uniform_draws_of_the_same_rows_pass(draw, n, k):
    for seed in range(8):
        rng = np.random.default_rng([seed, n, k])
        rows = draw(rng, 10_000)
        measured, released = (rows.take(rng.permutation(10_000)[:size]) for size in (n, k))
        target = "y" if "y" in rows.column_names else None
        verdict = judged(measured, released, target)
        assert verdict.passed, verdict.sentence


def shifted(rows):
    return rows.set_column(0, "x", pa.array(rows["x"].to_numpy() + 3))


def relabelled(rows):
    """Right values in every column, but beside the wrong labels."""
    return rows.set_column(1, "y", pa.array(rows["y"].to_numpy()[::-1].copy()))


def holed(rows):
    return rows.set_column(0, "x", pa.array([None] * rows.num_rows, pa.float64()))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(shifted, "in x: "), (relabelled, "beside"), (holed, "lack a value")],
)
def test_other_rows_than_the_measured_ones_are_refused_by_column(spoil, words):
    rng = np.random.default_rng(3)
    x = rng.normal(size=3_000)
    rows = pa.table({"x": x, "y": x + rng.normal(0, 0.5, 3_000)})
    verdict = judged(rows.slice(0, 1_000), spoil(rows.slice(1_000)), "y")
    assert not verdict.passed
    assert words in verdict.sentence


def test_a_single_value_that_is_infinite_or_far_out_is_refused():
    rows = pa.table({"x": np.linspace(0, 1, 5_000)})
    for value, words in ((np.inf, "1 infinite values in 'x'"), (-1e9, "the value -1e+09 in 'x'")):
        spoilt = pa.table({"x": [*rows["x"].to_pylist(), value]})
        verdict = judged(rows.slice(0, 500), spoilt)
        assert not verdict.passed
        assert words in verdict.sentence
