"""Cells of columns: what lies in which, whatever the pieces and types that rows come in."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmix_dagster.data.profile import Profile

VALUES = st.lists(
    st.one_of(st.none(), st.floats(-3, 3, width=16), st.sampled_from([0.0, 1.0])), min_size=1
)


@given(first=VALUES, second=VALUES)
def test_every_number_is_in_the_cell_that_its_edges_say(first, second):
    first, second = (pa.array(values, pa.float64()) for values in (first, second))
    cells = Profile.of(pa.table({"x": first}), ["x"]).count([pa.table({"x": second})]).columns["x"]
    expected = [0] * cells.size
    for value in second.to_pylist():
        if value is None:
            expected[-1] += 1
            continue
        below = sum(edge < value for edge in cells.edges)
        expected[2 * below + (value in cells.edges)] += 1
    assert list(cells.counts) == expected


@pytest.mark.parametrize("cut", [1, 7, 400])
def test_pieces_and_their_order_change_nothing(cut):
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "x": rng.normal(size=400),
            "kind": rng.choice(list("abc"), 400),
            "name": [f"n{number % 90}" for number in range(400)],
            "y": rng.integers(0, 3, 400),
        }
    )
    profile = Profile.of(table, table.column_names, "y")
    assert [cells.kind for cells in profile.columns.values()] == [
        "number",
        "level",
        "hash",
        "number",
    ]
    pieces = [table.slice(at, cut) for at in range(0, 400, cut)]
    assert profile.count(pieces) == profile.count(reversed(pieces)) == profile
    for name, cells in profile.columns.items():
        assert sum(cells.counts) == 400
        assert sum(cells.with_target) == (0 if name == "y" else 400)


@pytest.mark.parametrize(
    "values",
    [
        [dt.date(2020, 1, 1), None],
        [dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc), None],
        [dt.timedelta(days=1), None],
        [Decimal("1.50"), None],
        [[1.0, 2.0], None],
        [7, None],
    ],
)
def test_what_is_a_number_to_the_numerics_is_one_here(values):
    cells = Profile.of(pa.table({"x": values}), ["x"]).columns["x"]
    assert (cells.kind, len(cells.edges), cells.counts) == ("number", 1, (0, 1, 0, 1))


def test_levels_do_not_depend_on_how_they_are_stored():
    plain = pa.array(["a", None, "b", "a"])
    profile = Profile.of(pa.table({"kind": plain}), ["kind"])
    packed = pa.table({"kind": plain.dictionary_encode()})
    assert profile.count([packed]) == profile
    assert profile.columns["kind"].counts == (2, 1, 0, 1)
    other = profile.count([pa.table({"kind": ["c", "c"]})])
    assert other.columns["kind"].counts == (0, 0, 2, 0)


def test_infinite_and_extreme_numbers_are_kept_apart():
    profile = Profile.of(pa.table({"x": [0.0, 1.0]}), ["x"])
    cells = profile.count([pa.table({"x": [np.inf, -5.0]}), pa.table({"x": [9.0]})]).columns["x"]
    assert (cells.infinite, cells.extent) == (1, (-5.0, 9.0))
