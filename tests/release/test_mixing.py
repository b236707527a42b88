"""From a ratio to a release: exactly k synthetic rows, every real row once."""

import datetime as dt
import hashlib
import re
import struct
import tempfile
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixes import PROVENANCE, SOURCE, files_of, frame, ids_of, real, rows_of, synthetic

from synthmix_dagster import mix, verify_release
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.mixing import mix_datasets
from synthmix_dagster.release.options import MixOptions
from synthmix_dagster.release.shares import requested_rows

# How many rows


@pytest.mark.parametrize(
    ("ratio", "n", "k"),
    [
        (0, 7, 0),
        (0.0, 7, 0),
        (0.5, 9, 4),
        (0.5, 11, 6),
        (0.04, 10, 0),
        (0.06, 10, 1),
        (1, 7, 7),
        (2.5, 4, 10),
        (100, 1, 100),
    ],
)
def test_a_ratio_asks_for_the_nearest_count_and_halves_go_to_even(ratio, n, k):
    assert requested_rows(ratio, n, 100) == k


@settings(max_examples=300)
@given(k=st.integers(0, 10**6), n=st.integers(1, 10**6))
def test_the_ratio_of_a_whole_count_asks_for_that_count(k, n):
    assert requested_rows(k / n, n, k) == k


@pytest.mark.parametrize("ratio", [-0.1, -1, float("nan"), float("inf"), float("-inf")])
def test_a_ratio_that_is_not_a_finite_share_is_refused(ratio):
    with pytest.raises(ConfigError, match="option 'ratio'"):
        requested_rows(ratio, 10, 10)


@pytest.mark.parametrize(
    ("n", "available"),
    [
        (30, 80),
        (7, 10),
        pytest.param(
            100_000,
            199_996,
        ),
    ],
)
def test_the_largest_ratio_that_a_message_names_is_accepted(n, available):
    with pytest.raises(ConfigError) as caught:
        requested_rows(available / n * 2, n, available)
    named = re.search(r"at most ([\d.e+]+),", caught.value.fix)[1]
    assert requested_rows(float(named), n, available) <= available


@settings(max_examples=10)
@given(n=st.integers(1, 12), m=st.integers(1, 25), data=st.data())
def test_a_release_holds_every_real_row_once_and_exactly_k_synthetic_ones(n, m, data):
    k = data.draw(st.sampled_from([0, m]) | st.integers(0, m))
    with tempfile.TemporaryDirectory() as output:
        sides = (frame(start, start + rows) for start, rows in ((0, n), (1000, m)))
        release = mix(*(side[["id", "x"]] for side in sides), ratio=k / n, output=output)
        chosen = ids_of(release, "synthetic")
        assert sorted(ids_of(release, "real")) == list(range(n))
        assert len(chosen) == len(set(chosen)) == k
        assert set(chosen) <= set(range(1000, 1000 + m))
        realised = release.manifest["realised"]
        assert (realised["rows"], realised["real_rows"], realised["duplicates"]) == (n + k, n, 0)
        assert (realised["synthetic_rows"], realised["ratio"]) == (k, k / n)
        assert (realised["generators"], realised["strata"]) == ({"synthetic": k}, {})


def test_copies_of_a_row_are_kept_as_often_as_they_occur(tmp_path):
    twins = pd.DataFrame({"x": [1] * 5 + [2] * 3})
    release = mix(twins, twins, ratio=1, output=tmp_path)
    for source in ("real", "synthetic"):
        assert Counter(rows_of(release, source)["x"].to_pylist()) == {1: 5, 2: 3}


# Which values


def exotic(n, start=0):
    index = range(start, start + n)
    nan = struct.unpack("d", struct.pack("Q", 0x7FF8_0000_DEAD_BEEF))[0]
    floats = [nan, -0.0, float("inf"), 5e-324, 0.1, None]
    base = dt.datetime(2024, 2, 29, 12, 0, 0, 123456)
    return pa.table(
        {
            "id": pa.array(index, pa.int64()),
            "f": pa.array([floats[i % 6] for i in index], pa.float64()),
            "f32": pa.array([i / 3 for i in index], pa.float32()),
            "u": pa.array([2**64 - 1 - i for i in index], pa.uint64()),
            "b": pa.array([[True, None, False][i % 3] for i in index]),
            "s": pa.array([["é\0", "", None, "日本"][i % 4] for i in index]),
            "raw": pa.array([bytes([i % 256, 0]) for i in index]),
            "t": pa.array([base + dt.timedelta(hours=i) for i in index], pa.timestamp("us", "UTC")),
            "ns": pa.array(index, pa.timestamp("ns")),
            "day": pa.array([base.date()] * n),
            "d": pa.array([Decimal(i) / 8 for i in index], pa.decimal128(12, 3)),
            "l": pa.array([[i, None][: i % 3] for i in index], pa.list_(pa.int32())),
            "empty": pa.nulls(n),
        }
    )


def test_rows_of_every_type_come_back_bit_identical(tmp_path):
    sides = {"real": exotic(24), "synthetic": exotic(40, start=1000)}
    release = mix(*sides.values(), ratio=1.0, output=tmp_path, key=["id"], rows_per_shard=10)
    for source, given_rows in sides.items():
        got = rows_of(release, source).sort_by("id")
        start = given_rows["id"][0].as_py()
        want = given_rows.take(pa.array([i - start for i in got["id"].to_pylist()]))
        assert got.schema.equals(want.schema)
        floats = [t["f"].fill_null(7.0).to_numpy().view("u8").tolist() for t in (got, want)]
        assert floats[0] == floats[1]
        assert got.drop_columns(["f"]).to_pylist() == want.drop_columns(["f"]).to_pylist()
        assert got["f"].null_count == want["f"].null_count
    assert ids_of(release, "real") != sorted(ids_of(release, "real"))


def test_categories_come_back_where_the_sides_differ_in_them(tmp_path):
    sides = [
        pd.DataFrame({"c": pd.Categorical(v)}) for v in (["a", "b", None], ["c", "b", "b", "d"])
    ]
    release = mix(*sides, ratio=4 / 3, output=tmp_path, stratify="c")
    assert Counter(rows_of(release, "real")["c"].to_pylist()) == Counter(["a", "b", None])
    assert Counter(rows_of(release, "synthetic")["c"].to_pylist()) == Counter("bbcd")


@pytest.mark.parametrize(
    "kind",
    [
        "arrow",
        "duckdb",
        pytest.param(
            "polars",
        ),
    ],
)
@pytest.mark.parametrize("both", [True, False])
def test_frames_of_every_library_can_be_mixed(tmp_path, kind, both):
    def convert(rows):
        arrow = pa.Table.from_pandas(rows)
        if kind == "polars":
            return pytest.importorskip("polars").from_arrow(arrow)
        if kind == "duckdb":
            return pytest.importorskip("duckdb").sql("select * from arrow")
        return arrow

    release = mix(
        convert(real()), convert(synthetic()) if both else synthetic(), ratio=0.5, output=tmp_path
    )
    got = rows_of(release, "real").to_pandas().sort_values("id")
    assert got["g"].isna().tolist() == real()["g"].isna().tolist()
    assert got["x"].tolist() == real()["x"].tolist()
    assert len(ids_of(release, "synthetic")) == 15


def test_provenance_comes_last_and_says_where_a_row_is_from(tmp_path):
    release = mix(real(), synthetic(), ratio=1, output=tmp_path, key=["id"])
    rows = rows_of(release)
    assert rows.column_names == ["id", "x", "g", *PROVENANCE]
    for row in rows.to_pylist():
        expected = ("real", None) if row["id"] < 1000 else ("synthetic", "synthetic")
        assert (row[SOURCE], row["synthmix_generator"]) == expected
        assert row["synthmix_row_id"] == row["id"]
    assert release.manifest["inputs"]["real"]["identity"] == {"by": "key", "columns": ["id"]}


def test_the_two_sources_are_shuffled_together(tmp_path):
    release = mix(frame(0, 400), frame(1000, 1400), ratio=1, output=tmp_path)
    is_real = [source == "real" for source in rows_of(release)[SOURCE].to_pylist()]
    assert abs(sum(is_real[:400]) - 200) < 50
    runs = 1 + sum(a != b for a, b in pairwise(is_real))
    assert abs(runs - 401) < 80


def test_rows_of_one_number_in_files_of_one_name_do_not_stand_side_by_side(tmp_path):
    for folder, start in (("real", 0), ("synthetic", 1000)):
        (tmp_path / folder).mkdir()
        frame(start, start + 200).to_parquet(tmp_path / folder / "a.parquet")
    release = mix(tmp_path / "real", tmp_path / "synthetic", ratio=1, output=tmp_path / "out")
    numbers = [i % 1000 for i in rows_of(release)["id"].to_pylist()]
    assert sum(a == b for a, b in pairwise(numbers)) < 10


def test_synthetic_columns_may_stand_in_any_order_and_further_ones_are_left_out(tmp_path):
    plain = mix(real(), synthetic(), ratio=1, output=tmp_path / "a", key=["id"])
    other = synthetic()[["g", "x", "id"]].assign(score=1.0, **{SOURCE: "generator"})
    moved = mix(real(), other, ratio=1, output=tmp_path / "b", key=["id"])
    assert files_of(moved, "data") == files_of(plain, "data")


def test_ignored_and_key_columns_that_synthetic_rows_lack_are_empty(tmp_path):
    release = mix(
        real().assign(note="n"),
        synthetic().drop(columns="id"),
        ratio=0.5,
        output=tmp_path,
        key=["id"],
        ignore=["note"],
    )
    assert set(rows_of(release, "real")["note"].to_pylist()) == {"n"}
    empty = rows_of(release, "synthetic").select(["id", "note"]).to_pylist()
    assert empty == [{"id": None, "note": None}] * 15
    assert rows_of(release).schema.field("id").type == pa.int64()


# Shards, strata, evidence


@pytest.mark.parametrize(("per_shard", "sizes"), [(7, [7] * 6 + [3]), (45, [45]), (15, [15] * 3)])
def test_shards_split_the_rows_without_changing_their_order(tmp_path, per_shard, sizes):
    one = mix(real(), synthetic(), ratio=0.5, output=tmp_path / "one")
    cut = mix(real(), synthetic(), ratio=0.5, output=tmp_path / "cut", rows_per_shard=per_shard)
    shards = cut.manifest["shards"]
    assert [shard["rows"] for shard in shards] == sizes
    assert [shard["path"] for shard in shards] == sorted(f"data/{n}" for n in files_of(cut, "data"))
    for shard in shards:
        assert shard["bytes"] == (cut.path / shard["path"]).stat().st_size
    parts = pa.concat_tables(pq.read_table(cut.path / shard["path"]) for shard in shards)
    assert parts.equals(rows_of(one))


@pytest.mark.parametrize("per_shard", [0, -1])
def test_shards_of_no_rows_are_refused(tmp_path, per_shard):
    with pytest.raises(ConfigError, match="rows_per_shard"):
        mix(real(), synthetic(), ratio=1, output=tmp_path, rows_per_shard=per_shard)


def test_a_stratified_mix_keeps_the_shares_of_the_synthetic_rows(tmp_path):
    labels = ["a"] * 50 + ["b"] * 25 + [None] * 5
    release = mix(real(), frame(1000, 1080, g=labels), ratio=0.5, output=tmp_path, stratify="g")
    exact = {"a": Fraction(50 * 15, 80), "b": Fraction(25 * 15, 80), None: Fraction(5 * 15, 80)}
    counts = Counter(rows_of(release, "synthetic")["g"].to_pylist())
    assert counts == {"a": 9, "b": 5, None: 1}
    assert all(abs(counts[label] - share) < 1 for label, share in exact.items())
    stated = release.manifest["realised"]["strata"]
    assert {name: by["synthetic"] for name, by in stated.items()} == {
        "a": 9,
        "b": 5,
        "<missing>": 1,
        "c": 0,
    }
    assert sum(by["real"] for by in stated.values()) == 30


def test_the_manifest_says_what_was_mixed_and_keeps_the_evidence(tmp_path):
    real().to_parquet(tmp_path / "r.parquet")
    sides = open_dataset(tmp_path / "r.parquet", "real"), open_dataset(synthetic(), "synthetic")
    output = tmp_path / "out"
    evidence = Evidence(mix="demo", overrides={"gap": 0.25})
    release = mix_datasets(
        *sides, ratio=0.5, output=output, options=MixOptions(seed=4), evidence=evidence
    )
    manifest = release.manifest
    assert manifest["release_id"] == release.release_id == release.path.name
    assert manifest["evidence"] == {"mix": "demo", "overrides": {"gap": 0.25}}
    assert (manifest["mix"]["seed"], manifest["mix"]["synthetic_rows"]) == (4, 15)
    digest = hashlib.sha256((tmp_path / "r.parquet").read_bytes()).hexdigest()
    assert manifest["inputs"]["real"]["files"] == [
        {"name": "r.parquet", "rows": 30, "sha256": digest}
    ]
    assert manifest["inputs"]["real"]["identity"] == {"by": "file and row number"}
    assert manifest["inputs"]["synthetic"]["identity"] == {"by": "content"}
    for side in sides:
        assert manifest["inputs"][side.name]["fingerprint"] == side.fingerprint
    assert [column["name"] for column in manifest["columns"]] == ["id", "x", "g", *PROVENANCE]
    assert str(tmp_path) not in str(manifest)


def test_the_mix_is_the_same_from_the_package_and_from_its_module():
    import synthmix_dagster
    from synthmix_dagster.verbs import mixing

    assert synthmix_dagster.mix is mixing.mix is mix
    assert {"mix", "load_release", "verify_release"} <= set(synthmix_dagster.__all__)


def test_a_relative_output_is_resolved_where_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    release = mix(real(), synthetic(), ratio=0, output="out")
    monkeypatch.chdir("/")
    assert verify_release(release.path).path == tmp_path / "out" / "releases" / release.release_id
    assert Path(tmp_path / "out" / "latest").resolve() == release.path
