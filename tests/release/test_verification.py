"""Realised, not requested: what the shards hold is counted from the shards."""

import hashlib
import json
import shutil
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mixes import edit_manifest, frame

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.release.arrow_engine import ArrowEngine
from synthmix_dagster.release.mixing import mix_datasets
from synthmix_dagster.release.verification import require_realised


def sides():
    return frame(0, 60), {"gan": frame(1000, 1100), "copula": frame(2000, 2100)}


@pytest.fixture
def release(tmp_path):
    real, generated = sides()
    ratios = {"gan": 0.5, "copula": 0.25}
    return mix(real, generated, ratio=ratios, output=tmp_path, stratify="g", rows_per_shard=40)


def test_what_is_realised_is_what_pandas_counts(release):
    rows = release.to_pandas()
    realised = release.manifest["realised"]
    assert realised["rows"] == len(rows) == 105
    assert realised["generators"] == rows["synthmix_generator"].value_counts().to_dict()
    assert realised["real_rows"] == (rows["synthmix_source"] == "real").sum()
    assert realised["nulls"] == rows[["id", "x", "g"]].isna().sum().to_dict()
    part = rows["synthmix_generator"].fillna("real")
    table = pd.crosstab(rows["g"].fillna("<missing>"), part)
    for stratum, counts in realised["strata"].items():
        assert counts == {"rows": table.loc[stratum].sum(), **table.loc[stratum].to_dict()}
    real, _ = sides()
    pd.testing.assert_frame_equal(
        rows[part == "real"][list(real)].sort_values("id", ignore_index=True), real
    )


def rewritten(release, change):
    """Another content of the second shard, with a manifest that knows its digest."""
    shard = release.shards[1]
    pq.write_table(change(pq.read_table(shard)), shard)
    digest = hashlib.sha256(shard.read_bytes()).hexdigest()
    edit_manifest(release, lambda manifest: manifest["shards"][1].update(sha256=digest))


def replaced(column, position, value):
    def change(rows):
        values = rows[column].to_pylist()
        values[position] = value
        number = rows.column_names.index(column)
        return rows.set_column(number, column, [pa.array(values, rows[column].type)])

    return change


CHANGES = {
    "one row fewer": (lambda rows: rows.slice(1), "104 rows"),
    "one row twice": (lambda rows: pa.concat_tables([rows, rows.slice(39)]), "106 rows"),
    "one row for another": (
        lambda rows: pa.concat_tables([rows.slice(0, 1), rows.slice(0, 39)]),
        "where its manifest says",
    ),
    "another order": (lambda rows: rows.take(pa.array([1, 0, *range(2, 40)])), "1 duplicates"),
    "a value less": (replaced("x", 7, None), r"1 nulls x"),
    "another stratum": (replaced("g", 7, "z"), r"strata"),
    "another row": (replaced("synthmix_row_id", 7, 12345), r"duplicates"),
    "an unknown generator": (replaced("synthmix_generator", 7, "vae"), "none of its inputs"),
    "no source": (replaced("synthmix_source", 7, None), "none of its inputs"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_any_difference_is_found_by_counting_alone(release, case):
    change, named = CHANGES[case]
    rewritten(release, change)
    with pytest.raises(ReleaseError, match=named):
        verify_release(release.path)


def test_no_link_is_followed_inside_a_release(release, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(release.path, elsewhere)
    (release.path / "latest").symlink_to(elsewhere)
    assert load_release(release.path).path == release.path.resolve()
    with pytest.raises(ReleaseError, match="'latest' is a link"):
        verify_release(release.path)
    (release.path / "latest").unlink()
    (release.path / "data" / "more").symlink_to(elsewhere / "data")
    with pytest.raises(ReleaseError, match="'data/more' is a link"):
        verify_release(release.path)


def test_a_renamed_release_is_refused(release):
    renamed = release.path.rename(release.path.with_name("0" * 16))
    with pytest.raises(ReleaseError, match=f"it is release {release.release_id}"):
        verify_release(renamed)


@pytest.mark.parametrize(
    ("change", "sealed", "named"),
    [
        (lambda m: m["evidence"].update(mix="another"), False, "altered after it was written"),
        (
            lambda m: m["inputs"]["real"].update(rows=31),
            True,
            "its inputs and settings are those of",
        ),
        (lambda m: m["mix"].update(seed=5), True, "its inputs and settings are those of"),
        (lambda m: m["notes"].append("a cap"), True, "its inputs and settings are those of"),
    ],
)
def test_a_manifest_edited_by_hand_is_refused(release, change, sealed, named):
    edit_manifest(release, change, sealed=sealed)
    with pytest.raises(ReleaseError, match=named):
        verify_release(release.path)


def test_shards_that_changed_places_are_found_by_their_ends(release):
    contents = [shard.read_bytes() for shard in release.shards[:2]]
    for shard, content in zip(release.shards, contents[::-1], strict=False):
        shard.write_bytes(content)
    with pytest.raises(ReleaseError, match=r"1 duplicates where its manifest says 0"):
        require_realised(release)


def doubled(rows):
    return pa.concat_tables([rows.slice(0, 1), rows.slice(0, rows.num_rows - 1)])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (doubled, "where its manifest says"),
        (replaced("x", 0, None), "1 nulls x where its manifest says 0"),
    ],
    ids=["writes a row twice", "loses a value"],
)
def test_an_engine_that_is_wrong_publishes_nothing(tmp_path, change, named):
    class Wrong(ArrowEngine):
        def shuffle(self, parts, draft, layout):
            written = super().shuffle(parts, draft, layout)
            (shard,) = written.shards
            path = draft.folder.path / shard.path
            pq.write_table(change(pq.read_table(path)), path)
            known = {
                "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            return replace(written, shards=[replace(shard, **known)])

    real, synthetic = frame(0, 60), frame(1000, 1100)
    sides = open_dataset(real, "real"), open_dataset(synthetic, "synthetic")
    with pytest.raises(ReleaseError, match=named):
        mix_datasets(*sides, ratio=1, output=tmp_path, engine=Wrong())
    assert not (tmp_path / "latest").exists()


@pytest.mark.parametrize(
    "values",
    [[[1], None, []] * 5, [{"a": None}, None, {"a": 1}] * 5, [None] * 15],
    ids=["list", "struct", "nothing"],
)
def test_missing_values_of_columns_whose_footer_does_not_count_them(tmp_path, values):
    table = pa.table({"v": values, "n": pa.array([1, None, 3] * 5)})
    release = mix(table, table, ratio=1, output=tmp_path)
    assert release.manifest["realised"]["nulls"] == {"v": 2 * values.count(None), "n": 10}


def test_the_footer_counts_missing_values_whatever_a_column_is_called_and_holds(tmp_path):
    numbers, texts = pa.array([None, 1, None, 0, 1]), pa.array([None, "a", None, "b", "b"])
    columns = dict.fromkeys(("a.b", "", "é", "x y", "list", "element"), numbers)
    columns |= {str(kind): numbers.cast(kind) for kind in (pa.int8(), pa.bool_(), pa.float16())}
    columns |= {str(kind): numbers.cast(kind) for kind in (pa.duration("s"), pa.timestamp("us"))}
    columns |= {str(kind): texts.cast(kind) for kind in (pa.large_string(), pa.binary())}
    table = pa.table({**columns, "s.t": texts})
    release = mix(table, table, ratio=1, output=tmp_path)
    assert release.manifest["realised"]["nulls"] == dict.fromkeys(table.column_names, 4)


def test_the_recount_of_a_whole_release_agrees(release):
    require_realised(release)
    assert json.dumps(release.manifest["realised"])
