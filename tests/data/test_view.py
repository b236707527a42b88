"""Filters, columns and new names: data, never code."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.filtering import filter_mask
from synthmix_dagster.data.identity import row_ids
from synthmix_dagster.data.view import View
from synthmix_dagster.errors import ConfigError, DataError

FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3, 4],
        "x": [0.5, None, 2.5, 3.5],
        "s": ["a", "b", None, "a"],
        "t": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]),
        "c": pd.Categorical(["u", "v", "u", "w"]),
    }
)


def kept(filters, source=FRAME):
    return open_dataset(source, "real", filters=filters).table["n"].to_pylist()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("n", ">", 2)], [3, 4]),
        ([["n", "<=", 2]], [1, 2]),
        ([("n", ">", 1.5), ("s", "=", "a")], [4]),
        ([[("n", "==", 1)], [("s", "is null")]], [1, 3]),
        ([("s", "!=", "a")], [2]),
        ([("s", "in", ["a", "z"])], [1, 4]),
        ([("s", "not in", ["a"])], [2]),
        ([("x", "is not null"), ("x", "<", 3)], [1, 3]),
        ([("t", ">=", "2024-03-01")], [3, 4]),
        ([("t", "<", dt.datetime(2024, 2, 1))], [1]),
        ([("c", "==", "u")], [1, 3]),
    ],
    ids=str,
)
def test_filters_keep_the_rows_that_meet_them(filters, expected, tmp_path):
    assert kept(filters) == expected
    FRAME.to_parquet(tmp_path / "rows.parquet", row_group_size=1)
    assert kept(filters, tmp_path / "rows.parquet") == expected


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ([("m", ">", 1)], "no column 'm'"),
        ([("n", "=>", 1)], "unknown value '=>'"),
        ([("n", ">")], "has 0 values"),
        ([("n", "is null", 1)], "has 1 values"),
        ([("n", "in", "12")], "needs a list"),
        ([("n", ">", "two")], "cannot be compared with 'two'"),
        (["n > 1"], "is not a valid condition"),
        ([("n",)], "is not a valid condition"),
        ([("n", ">", 1, 2)], "is not a valid condition"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stored", [True, False])
def test_a_filter_that_cannot_be_understood_is_refused(filters, named, stored, tmp_path):
    FRAME.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ConfigError, match=named):
        kept(filters, tmp_path / "rows.parquet" if stored else FRAME)


def test_nothing_left_is_refused():
    with pytest.raises(DataError, match="no rows match its filters"):
        kept([("n", ">", 9)])


@pytest.mark.parametrize("stored", [True, False])
def test_columns_are_kept_in_the_order_asked_for_and_renamed(tmp_path, stored):
    FRAME.to_parquet(tmp_path / "rows.parquet")
    dataset = open_dataset(
        tmp_path / "rows.parquet" if stored else FRAME,
        "real",
        columns=["s", "n"],
        rename={"n": "x"},
        filters=[("x", ">", 1)],
    )
    assert dataset.table.to_pydict() == {"s": [None, "a"], "x": [3, 4]}
    assert dataset.select(["x"]).frame([1])["x"].tolist() == [4]
    assert [len(batch) for batch in dataset.batches(rows=1)] == [1, 1]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"columns": ["n", "y"]}, "no column 'y'"),
        ({"rename": {"y": "z"}}, "no column 'y'"),
        ({"rename": {"n": "x"}}, "two columns .* have the name 'x'"),
        ({"columns": ["n", "n"]}, "two columns .* have the name 'n'"),
        ({"columns": ["n"], "rename": {"x": "z"}}, "no column 'x'"),
    ],
    ids=str,
)
def test_a_view_of_columns_that_are_not_there_is_refused(options, named):
    with pytest.raises(ConfigError, match=named):
        open_dataset(FRAME, "real", **options)


def test_an_open_dataset_cannot_be_viewed_again():
    with pytest.raises(ConfigError, match="is already open"):
        open_dataset(open_dataset(FRAME, "real"), "real", columns=["n"])


def test_a_row_keeps_its_identity_whatever_is_filtered_out(tmp_path):
    pq.write_table(pa.table({"n": range(100)}), tmp_path / "a.parquet", row_group_size=7)
    whole = row_ids(open_dataset(tmp_path, "real"))
    some = open_dataset(tmp_path, "real", filters=[("n", "in", [3, 50, 99])])
    assert row_ids(some).tolist() == whole[[3, 50, 99]].tolist()
    assert some.frame([2, 0])["n"].tolist() == [99, 3]


def test_a_view_belongs_to_the_fingerprint(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    options = [{}, {"columns": ["n"]}, {"filters": [("n", ">", 1)]}, {"filters": [("n", ">", 0)]}]
    prints = [open_dataset(tmp_path, "real", **o).fingerprint for o in options]
    assert len(set(prints)) == 4
    assert prints[2] == open_dataset(tmp_path, "real", filters=[["n", ">", 1]]).fingerprint


@settings(max_examples=200)
@given(
    values=st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=30),
    operator=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    bound=st.integers(-4, 4),
)
def test_comparisons_agree_with_those_of_numpy(values, operator, bound):
    table = pa.table({"x": pa.array(values, "i8")})
    mask = filter_mask(View.of(filters=[("x", operator, bound)]), table)
    compare = {
        "==": np.equal, "!=": np.not_equal, "<": np.less,
        "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    }[operator]  # fmt: skip
    assert mask.to_pylist() == [v is not None and bool(compare(v, bound)) for v in values]
