"""Whole numbers beyond floats, levels that look alike, numbers that were read as text."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthmix_dagster import measure_distance
from synthmix_dagster.errors import DataError


def frame(seed, rows=60, **more):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pd.DataFrame({"x": x, "y": 2 * x + rng.normal(size=rows), **more})


def test_levels_that_differ_in_spaces_or_case_are_named():
    sides = [frame(0, c=["a", "b"] * 30), frame(1, c=["a ", "B"] * 30)]
    (note,) = [n for n in measure_distance(*sides, permutations=0).notes if "unseen" in n]
    assert "'a ' looks like 'a'" in note
    assert "'B' looks like 'b'" in note


def test_numbers_that_were_read_as_text_come_with_the_option():
    comma = [frame(seed, p=[f"{i},{seed}5" for i in range(60)]) for seed in (0, 1)]
    with pytest.raises(DataError, match="decimal comma: set csv"):
        measure_distance(*comma, permutations=0)
    marked = [frame(seed, p=[*(f"{i}.{seed}5" for i in range(59)), "n/a"]) for seed in (0, 1)]
    with pytest.raises(DataError, match=r"null_values: \['', 'n/a'\]"):
        measure_distance(*marked, permutations=0)


@pytest.mark.parametrize("start", [2**62, 2**63], ids=["int64", "uint64"])
@pytest.mark.parametrize("missing", [False, True])
def test_large_whole_numbers_are_told_apart(start, missing):
    kind = "uint64" if start == 2**63 else "int64"
    first = np.arange(60, dtype=kind) + np.asarray(start, dtype=kind)
    far = frame(1, i=pa.array(first + np.asarray(600, dtype=kind)).to_pandas())
    table = pa.Table.from_pandas(frame(0)).append_column(
        "i", pa.array(first, mask=np.arange(60) == 3 if missing else None)
    )
    report = measure_distance(table, far, permutations=0)
    assert report.gap > 10
    near = frame(1, i=first[::-1].copy())
    assert measure_distance(table, near, permutations=0).gap < 1
