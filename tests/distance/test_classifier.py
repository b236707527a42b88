"""The classifier two-sample test: honest at equality, and what no projection sees."""

import numpy as np
import pandas as pd
import pytest
from measuring import measure

from synthmix_dagster import DistanceReport
from synthmix_dagster.distance import classifier
from synthmix_dagster.distance.classifier import classifier_test


def generator(*seed):
    return np.random.default_rng(seed)


def decoupled(rng, n, *, broken):
    """Five numbers, two of which go together; `broken` lets each go alone."""
    x = rng.normal(size=(n, 5))
    common = rng.normal(size=n)
    x[:, 0] = 0.8 * common + 0.6 * x[:, 0]
    x[:, 1] = 0.8 * common + 0.6 * x[:, 1]
    if broken:
        x[:, 1] = rng.permutation(x[:, 1])
    return x


def parity(rng, n, *, broken):
    """Five bits, the last the parity of the others unless `broken`."""
    bits = rng.integers(0, 2, (n, 5)).astype(float)
    if not broken:
        bits[:, 4] = bits[:, :4].sum(axis=1) % 2
    return bits


@pytest.mark.parametrize(
    ("n", "m"),
    [
        (30, 60),
        pytest.param(60, 60, marks=pytest.mark.slow),
        pytest.param(50, 150, marks=pytest.mark.slow),
    ],
)
def test_at_equality_a_p_value_is_small_as_often_as_it_says(n, m, monkeypatch):
    from scipy.stats import binomtest

    # Whatever the trees are, hits on rows they were not trained on are independent.
    monkeypatch.setattr(classifier, "TREES", 10)
    tests = [
        classifier_test(rng.normal(size=(n, 3)), rng.normal(size=(m, 3)), rng)
        for seed in range(120)
        for rng in [generator(seed, n, m)]
    ]
    small = sum(test.p_value <= 0.05 for test in tests)
    held = sum(test.interval[0] <= 0.5 <= test.interval[1] for test in tests)
    assert binomtest(small, len(tests), 0.05).pvalue > 0.01
    assert binomtest(held, len(tests), 0.95).pvalue > 0.01


@pytest.mark.parametrize(("attack", "least"), [(decoupled, 0.55), (parity, 0.7)])
def test_it_sees_what_projections_do_not(attack, least):
    real, synthetic = (
        attack(generator(1), 1000, broken=False),
        attack(generator(2), 2000, broken=True),
    )
    frames = [pd.DataFrame(rows).add_prefix("c") for rows in (real, synthetic)]
    report = measure(*frames, classifier=True, permutations=9)
    # The gap is under the threshold of 0.3 that the docs begin with.
    assert report.gap < 0.3
    assert report.classifier.accuracy > least
    assert report.classifier.interval[0] > 0.52
    assert report.classifier.p_value < 1e-3
    assert DistanceReport.from_dict(report.to_dict()) == report


def test_its_excess_is_at_most_the_total_variation_distance():
    rng = generator(0)
    # Half of the synthetic rows lie where no real row does: the total variation distance is 1/2.
    real = rng.uniform(0, 1, (1500, 1))
    synthetic = rng.uniform(0, 2, (1500, 1))
    test = classifier_test(real, synthetic, rng)
    assert 0.7 < test.accuracy < 0.78
    assert test.interval[0] < 0.75


def test_sides_that_are_always_told_apart_have_an_interval_with_a_width():
    test = classifier_test(np.zeros((40, 1)), np.ones((60, 1)), generator(0))
    assert test.accuracy == 1.0
    assert 0.9 < test.interval[0] < test.interval[1] <= 1.0
    assert (test.n_real, test.n_synthetic) == (20, 30)


def test_undecided_trees_guess():
    test = classifier_test(np.zeros((40, 1)), np.zeros((40, 1)), generator(0))
    assert test.accuracy == 0.5
    assert test.p_value == 0.5


def test_rows_of_one_group_are_judged_together_and_count_as_few():
    rng = generator(3)
    groups = np.repeat(np.arange(10), 30)
    rows = rng.normal(size=(10, 2))[groups] + 0.01 * rng.normal(size=(300, 2))
    others = rng.normal(size=(10, 2))[groups] + 0.01 * rng.normal(size=(300, 2))
    test = classifier_test(rows, others, rng, (groups, groups))
    alone = classifier_test(rows, others, generator(3))
    # Single rows betray their group; whole groups that were never seen do not.
    assert alone.accuracy > 0.95 > test.accuracy
    assert np.ptp(test.interval) > 2 * np.ptp(alone.interval)
    assert test.p_value > 1e-4


def test_it_is_made_only_on_request():
    rows = pd.DataFrame(generator(0).normal(size=(60, 2))).add_prefix("c")
    assert measure(rows, rows + 1, permutations=0, directions=5).classifier is None


def test_more_rows_than_it_takes_are_drawn(monkeypatch):
    monkeypatch.setattr(classifier, "MAX_ROWS", 40)
    rng = generator(0)
    test = classifier_test(rng.normal(size=(200, 1)), rng.normal(size=(30, 1)), rng)
    assert (test.n_real, test.n_synthetic) == (20, 15)
