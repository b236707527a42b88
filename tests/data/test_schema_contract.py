"""A dataset and what its columns are held to."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.schema_contract import (
    MAX_LEVELS,
    ColumnContract,
    contract_of,
    kind_of,
    violations,
)

REAL = pd.DataFrame(
    {
        "age": [30, 40, 50],
        "income": [1.0, np.nan, 3.0],
        "kind": ["a", "b", "a"],
        "vip": [True, False, True],
        "seen": pd.to_datetime(["2026-01-01"] * 3),
    }
)


def held_by(real):
    """What some rows say, taken at their word however few they are."""
    read = contract_of(open_dataset(real, "real"))
    return {name: replace(column, rows=None) for name, column in read.items()}


def found(frame, contract=None, **options):
    broken = violations(open_dataset(frame, "synthetic"), contract or held_by(REAL), **options)
    return {violation.column: (violation.rule, violation.found) for violation in broken}


def test_rows_like_the_real_ones_keep_the_contract():
    assert found(REAL) == {}
    # A family of types is one type: fewer digits, more digits, other units.
    other = REAL.astype({"age": "float32", "income": "float32", "seen": "datetime64[s]"})
    assert found(other) == {}


@pytest.mark.parametrize(
    ("column", "values", "rule", "words"),
    [
        ("age", ["30", "40", "50"], "type", "it is string, not number"),
        ("seen", ["x", "y", "z"], "type", "not time"),
        ("age", [30, None, 50], "nullability", "1 of 3 values are missing"),
        ("age", [30.0, np.nan, np.nan], "nullability", "2 of 3 values are missing"),
        ("kind", ["a", "c", "d"], "levels", "'c', 'd' are new"),
        ("vip", [None, True, True], "nullability", "1 of 3"),
    ],
)
def test_each_way_to_break_it_is_found(column, values, rule, words):
    broken = found(REAL.assign(**{column: values}))
    assert broken.keys() == {column}
    assert broken[column][0] == rule
    assert words in broken[column][1]


def test_missing_and_extra_columns():
    changed = REAL.drop(columns=["age", "vip"]).assign(more=1)
    assert {name: rule for name, (rule, _) in found(changed, optional=["vip"]).items()} == {
        "age": "missing",
        "more": "extra",
    }
    assert found(REAL.assign(more=1), extra=True) == {}


def test_many_levels_are_no_levels():
    names = [f"n{i}" for i in range(MAX_LEVELS + 1)]
    free = open_dataset(pd.DataFrame({"name": names}), "real")
    assert contract_of(free)["name"].levels is None
    few = held_by(pd.DataFrame({"name": names[:5]}))
    broken = violations(free, few)
    assert f"more than {MAX_LEVELS} different values" in broken[0].found
    seven = open_dataset(pd.DataFrame({"name": names[:12]}), "real")
    assert violations(seven, few)[0].found == "'n10', 'n11', 'n5', 'n6', 'n7' and 2 more are new"


def test_numbers_may_be_categories():
    held = contract_of(open_dataset(REAL, "real"), ["age"])
    assert held["age"].levels == {"30", "40", "50"}
    held = {"age": replace(held["age"], rows=None)}
    assert found(REAL.assign(age=[30, 40, 60]), held, extra=True)["age"][0] == "levels"


def test_what_chance_may_have_hidden_from_the_real_rows_is_no_violation():
    real = pd.DataFrame({"kind": ["a"] * 100, "x": [1.0] * 100})
    held = contract_of(open_dataset(real, "real"))

    def made(new):
        values = {
            "kind": ["b"] * new + ["a"] * (1000 - new),
            "x": [None] * new + [1.0] * (1000 - new),
        }
        return {column: rule for column, (rule, _) in found(pd.DataFrame(values), held).items()}

    # A share of 4.5 % is absent from 100 rows with probability 0.01.
    assert made(44) == {}
    assert made(46) == {"kind": "levels", "x": "nullability"}


def test_a_stated_type_may_be_exact():
    held = {"age": ColumnContract("int64"), "kind": ColumnContract("string")}
    assert found(REAL, held, extra=True) == {}
    assert found(REAL.astype({"age": "int32"}), held, extra=True)["age"] == (
        "type",
        "it is int32, not int64",
    )


def test_all_rows_of_files_are_looked_at(tmp_path):
    frame = pd.DataFrame({"x": np.arange(5000.0), "kind": ["a"] * 4999 + ["new"]})
    frame.loc[4998, "x"] = np.nan
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, tmp_path / "made.parquet", row_group_size=100)
    held = held_by(frame.iloc[:100])
    broken = violations(open_dataset(tmp_path / "made.parquet", "synthetic"), held)
    assert [(each.column, each.rule) for each in broken] == [
        ("x", "nullability"),
        ("kind", "levels"),
    ]


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        (pa.decimal128(5, 2), "number"),
        (pa.large_string(), "text"),
        (pa.dictionary(pa.int8(), pa.large_string()), "text"),
        (pa.duration("s"), "time"),
        (pa.list_(pa.float32()), "list<item: float>"),
    ],
)
def test_types_have_families(kind, family):
    assert kind_of(kind) == family


def test_levels_that_chance_cannot_have_hidden_are_named_with_their_share():
    kinds = ["a"] * 80 + ["b"] * 12 + ["c"] * 7 + ["d"]
    real = pd.DataFrame({"kind": kinds, "vip": [True] * 90 + [False] * 10})
    held = contract_of(open_dataset(real, "real"))
    made = pd.DataFrame({"kind": ["a"] * 200, "vip": [True] * 200})
    assert found(made, held) == {
        "kind": ("absent", "'b' (12.0% of the real rows), 'c' (7.0% of the real rows) are absent"),
        "vip": ("absent", "'False' (10.0% of the real rows) is absent"),
    }
    # So few synthetic rows may lack them by chance.
    assert found(made.iloc[:20], held) == {}
    # What somebody states need not all occur.
    stated = {"kind": ColumnContract("text", levels=frozenset("abcd")), "vip": ColumnContract()}
    assert found(made, stated) == {}


def test_an_honest_generator_rarely_lacks_a_level():
    shares = np.array([0.5, 0.3, *[0.2 / 20] * 20])
    names = np.array([f"n{i}" for i in range(len(shares))])
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        real, made = (pd.DataFrame({"kind": rng.choice(names, n, p=shares)}) for n in (300, 600))
        broken = violations(
            open_dataset(made, "synthetic"), contract_of(open_dataset(real, "real"))
        )
        alarms += any(violation.rule == "absent" for violation in broken)
    assert alarms <= 6
