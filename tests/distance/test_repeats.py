"""Synthetic rows that repeat each other: how many they count as, in floor and interval too."""

import numpy as np
import pandas as pd
import pytest
from measuring import measure

from synthmix_dagster.distance.repeats import distinct_share

OPTIONS = {"directions": 10, "permutations": 19}


def numbers(rng, n, shift=0.0):
    return pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc")).assign(
        a=lambda frame: frame["a"] + shift
    )


def repeated(frame, times):
    return pd.concat([frame] * times, ignore_index=True)


def test_it_is_kishs_number_of_the_distinct_rows():
    rng = np.random.default_rng(0)
    real, rows = rng.normal(size=(50, 2)), rng.normal(size=(4, 2))
    copies = np.array([1, 2, 3, 4])
    share = distinct_share(real, np.repeat(rows, copies, axis=0))
    assert share * copies.sum() == pytest.approx(copies.sum() ** 2 / np.sum(copies**2))
    # Zero has two signs and is one value.
    assert distinct_share(real, np.array([[0.0, 1.0], [-0.0, 1.0]])) == 0.5


def test_rows_of_few_levels_repeat_in_any_sample():
    rng = np.random.default_rng(0)
    real, synthetic = (rng.integers(0, 3, (200, 2)).astype(float) for _ in range(2))
    assert distinct_share(real, synthetic) is None


def test_what_a_few_real_rows_repeat_is_taken_off():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(2000, 2))
    # Every fiftieth real row has one other like it; so has every fiftieth synthetic one.
    real = np.concatenate((half[:1000], half[:20]))
    synthetic = np.concatenate((half[1000:], half[1000:1020]))
    assert distinct_share(real, synthetic) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_floor_and_interval_of_repeated_rows_are_those_of_the_distinct_ones():
    covered, floors, honest = [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        real, made = numbers(rng, 400), numbers(rng, 40)
        report = measure(real, repeated(made, 15), **OPTIONS)
        assert report.distinct_share == pytest.approx(1 / 15)
        assert report.distinct_rows == pytest.approx(40)
        covered.append(report.interval[0] <= 0 <= report.interval[1])
        floors.append(report.floor)
        honest.append(measure(real, made, **OPTIONS).floor)
    # Without allowing for repeats no interval holds the gap of what the rows were drawn from.
    assert np.mean(covered) >= 0.9
    # One over the number of rows is a little steep for a floor of so few.
    assert np.mean(honest) == pytest.approx(np.mean(floors), rel=0.2)
    assert np.mean(floors) > np.mean(honest)
    assert any("count as 40 distinct ones" in note for note in report.notes)


def test_the_gap_stays_that_of_all_rows_and_a_shift_stays_within_the_interval():
    rng = np.random.default_rng(0)
    real, made = numbers(rng, 400), numbers(rng, 40, shift=2.0)
    report = measure(real, repeated(made, 15), **OPTIONS)
    assert 1.7 < report.gap < 2.5
    assert report.interval[0] <= 2.0 <= report.interval[1]


def test_distinct_rows_change_nothing():
    rng = np.random.default_rng(0)
    report = measure(numbers(rng, 100), numbers(rng, 200), **OPTIONS)
    assert report.distinct_share == 1.0
    assert not any("distinct" in note for note in report.notes)
