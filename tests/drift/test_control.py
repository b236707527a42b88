import numpy as np
import pytest

from synthmix_dagster.drift.control import EWMA_WEIGHT, change_point, control_chart


def test_the_average_starts_from_the_mean_of_the_warm_up() -> None:
    scores = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 4.0])
    level, expected = 2.0, []
    for score in scores:
        level = (1 - EWMA_WEIGHT) * level + EWMA_WEIGHT * score
        expected.append(level)
    chart = control_chart(scores, 3)
    np.testing.assert_allclose(chart.average, expected)
    assert np.isnan(chart.low[:5]).all()
    assert np.isfinite(chart.low[5:]).all()
    assert not chart.outside[:5].any()


def test_limits_do_not_follow_what_came_late() -> None:
    scores = np.random.default_rng(0).standard_normal(40)
    moved = scores.copy()
    moved[20:] += 50
    before, after = control_chart(scores, 5), control_chart(moved, 5)
    np.testing.assert_array_equal(before.high, after.high)
    assert after.outside[20]
    assert after.outside[-1]


def test_limits_are_wider_where_little_is_known() -> None:
    rng = np.random.default_rng(1)
    outside = np.array([control_chart(rng.standard_normal(60), 3).outside for _ in range(300)])
    # Three standard deviations would be left by chance far more often right after three batches.
    assert outside[:, 3:10].mean() < 0.01
    assert outside.mean() < 0.01


@pytest.mark.parametrize("first", [1, 7, 19])
def test_a_step_is_found_where_it_is(first: int) -> None:
    scores = np.random.default_rng(first).normal(0, 0.1, 20)
    scores[first:] += 1
    assert change_point(scores, np.arange(1, 21)) == first


def test_the_change_of_blocks_is_found_at_a_border_of_batches() -> None:
    rng = np.random.default_rng(2)
    scores = rng.standard_normal((12, 8))
    scores[9:] += 2
    assert change_point(scores.ravel(), np.arange(8, 97, 8)) == 9


def test_the_estimate_is_the_most_likely_split_of_normal_scores() -> None:
    scores = np.random.default_rng(3).normal(size=25)
    errors = [
        np.sum((scores[:k] - scores[:k].mean()) ** 2)
        + np.sum((scores[k:] - scores[k:].mean()) ** 2)
        for k in range(1, 25)
    ]
    assert change_point(scores, np.arange(1, 26)) == 1 + int(np.argmin(errors))
