"""Categories that both sides have come back as categories, with their levels and their order."""

import gc

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster_duckdb import DuckDBResource

from synthmix_dagster import mix, verify_release
from synthmix_dagster.data.warehouse import Warehouse
from synthmix_dagster.release.table_target import write_table

LEVELS = ["low", "mid", "high", "never seen"]


def rows(values, levels=LEVELS, *, ordered=True):
    kind = pd.CategoricalDtype(levels, ordered=ordered)
    return pd.DataFrame({"x": range(len(values)), "c": pd.Categorical(values, dtype=kind)})


REAL = rows(["low", "high", "mid", None, "low"])


def mixed(folder, real, synthetic, **options):
    made = mix(real, synthetic, ratio=1.0, output=folder / "mixes", rows_per_shard=4, **options)
    assert verify_release(made.store) == made
    return made


@pytest.mark.parametrize("kind", ["frames", "files"])
def test_levels_and_order_survive(tmp_path, kind):
    synthetic = rows(["high", "low", "high", "mid", None, "low"])
    sides = [REAL, synthetic]
    if kind == "files":
        sides = []
        for name, frame in (("real", REAL), ("synthetic", synthetic)):
            frame.to_parquet(tmp_path / f"{name}.parquet")
            sides.append(str(tmp_path / f"{name}.parquet"))
    made = mixed(tmp_path, *sides)
    column = made.to_pandas()["c"]
    assert column.dtype == pd.CategoricalDtype(LEVELS, ordered=True)
    whole = pd.concat([REAL, synthetic]).reset_index(drop=True)
    drawn = pd.merge(made.to_pandas(), whole.astype({"c": str}), how="inner", on="x")
    assert len(drawn) >= len(made.to_pandas())
    counts = column[made.to_pandas()["synthmix_source"] == "real"].value_counts()
    assert counts.to_dict() == REAL["c"].value_counts().to_dict()
    # Whoever reads a shard by other means has them as well.
    shard = pq.read_table(made.store.path / made.shard_names[0])
    assert shard.schema.field("c").type == pa.dictionary(pa.int32(), pa.string(), ordered=True)
    assert {each.name: each.type for each in made.details.columns}["c"] == str(
        shard.schema.field("c").type
    )


@pytest.mark.parametrize(
    ("levels", "ordered", "expected", "kept"),
    [
        (["low", "high"], True, LEVELS, True),
        (["low", "new"], True, [*LEVELS, "new"], True),
        (["high", "low"], True, LEVELS, False),
        (LEVELS, False, LEVELS, False),
    ],
    ids=["some of them", "one more", "another order", "no order"],
)
def test_levels_of_both_sides_join(tmp_path, levels, ordered, expected, kept):
    synthetic = rows([levels[0], levels[1]] * 3, levels, ordered=ordered)
    column = mixed(tmp_path, REAL, synthetic).to_pandas()["c"]
    assert column.dtype == pd.CategoricalDtype(expected, ordered=kept)


def test_values_stay_values_where_one_side_has_no_categories(tmp_path):
    synthetic = rows(["high", "low"] * 3).astype({"c": str})
    made = mixed(tmp_path, REAL, synthetic)
    assert pa.types.is_large_string(made.to_arrow().schema.field("c").type) or (
        pa.types.is_string(made.to_arrow().schema.field("c").type)
    )


def test_a_column_of_many_levels_stays_text(tmp_path):
    names = [f"n{i}" for i in range(1001)]
    made = mixed(tmp_path, rows(["n1"] * 5, names), rows(["n2"] * 6, names))
    assert not pa.types.is_dictionary(made.to_arrow().schema.field("c").type)


def test_levels_are_strata_as_their_values_are(tmp_path):
    synthetic = rows(["high", "low", "high", "mid", "low", "low"])
    made = mixed(tmp_path, REAL, synthetic, stratify="c")
    plain = mixed(
        tmp_path / "plain",
        REAL.astype({"c": str}).replace({"c": {"nan": None}}),
        synthetic.astype({"c": str}),
        stratify="c",
    )
    assert made.details.realised.strata == plain.details.realised.strata
    assert made.details.realised.nulls == plain.details.realised.nulls


def test_a_table_has_the_values_of_categories(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    database = str(tmp_path / "w.duckdb")
    made = mixed(tmp_path, REAL, rows(["high", "low", "high", "mid", None, "low"]))
    assert pa.types.is_dictionary(made.to_arrow().schema.field("c").type)
    given = Warehouse("warehouse", DuckDBResource(database=database))
    assert write_table(made, given, "churn").field("c").type == pa.string()
    # DuckDB opens a file once more only as it was opened before; a writer may still be in memory.
    gc.collect()
    with duckdb.connect(database, read_only=True) as connection:
        found = connection.sql("select c from churn").fetchall()
    assert [value for (value,) in found] == made.to_arrow()["c"].to_pylist()
