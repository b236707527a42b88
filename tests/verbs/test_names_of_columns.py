"""pandas also has numbers for names of columns; they are taken as text."""

import numpy as np
import pandas as pd

from synthmix_dagster import measure_distance, recommend_ratio


def frame(seed):
    x = np.random.default_rng(seed).normal(size=(60, 3))
    return pd.DataFrame({1: x[:, 0], 2: x[:, 0] + x[:, 1], 3: x[:, 2]})


def test_names_of_columns_may_be_numbers():
    sides = frame(0), frame(1)
    report = measure_distance(*sides, target=2, ignore=[3], weights={1: 2.0}, permutations=0)
    assert {column.column for column in report.columns} == {"1", "2"}
    assert recommend_ratio(*sides, target=2, task="regression").ratio >= 0
