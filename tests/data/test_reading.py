"""Rows that stay in their files: the same rows, a piece at a time."""

import os
import re
from decimal import Decimal
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.data import text_formats
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.errors import ConfigError, DataError

exhaustive = settings(max_examples=60)

ROWS = 23
TABLE = pa.table(
    {
        "n": pa.array([None if i % 5 == 0 else i for i in range(ROWS)], pa.int64()),
        "x": [i / 2 for i in range(ROWS)],
        "c": pa.array([f"level {i % 4}" for i in range(ROWS)]).dictionary_encode(),
        "s": [None if i == 7 else f"é {i}" for i in range(ROWS)],
        "d": [Decimal(i) / 4 for i in range(ROWS)],
        "t": [pd.Timestamp("2024-02-28").date()] * ROWS,
        "l": [[float(i), 1.0] for i in range(ROWS)],
        "l.element": [i % 2 == 0 for i in range(ROWS)],
    }
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The same rows in every kind of place."""
    folder = tmp_path_factory.mktemp("sources")
    flat = TABLE.drop_columns(["l", "c"]).append_column("c", TABLE["c"].cast(pa.string()))
    pq.write_table(TABLE, folder / "one.parquet", row_group_size=4)
    (folder / "several").mkdir()
    (folder / "several csv").mkdir()
    for number, (start, stop) in enumerate(((0, 1), (1, 12), (12, ROWS))):
        part = TABLE.slice(start, stop - start)
        # Files differ in the order of columns, in row groups and in levels.
        names = part.column_names[:: -1 if number else 1]
        part = part.set_column(2, "c", part["c"].cast(pa.string()).dictionary_encode())
        pq.write_table(part.select(names), folder / f"several/{number}.parquet", row_group_size=5)
        pa_csv.write_csv(flat.slice(start, stop - start), folder / f"several csv/{number}.csv")
    pa_csv.write_csv(flat, folder / "one.csv")
    found = {path.name: open_dataset(path, "real") for path in folder.iterdir()}
    return {**found, "memory": open_dataset(TABLE, "real")}


PLACES = ("one.parquet", "several", "one.csv", "several csv", "memory")


def same(frame, other):
    pd.testing.assert_frame_equal(frame, other, check_categorical=False)


@pytest.fixture(autouse=True)
def small_csv_blocks(monkeypatch):
    monkeypatch.setattr(text_formats, "TEXT_BLOCK", 300)


# --- all rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rows", [1, 3, 4, 22, 23, 24, 65_536])
def test_batches_are_the_rows_in_order_and_of_the_size_asked_for(sources, place, rows):
    dataset = sources[place]
    batches = list(dataset.batches(rows=rows))
    assert [len(batch) for batch in batches] == [
        min(rows, ROWS - at) for at in range(0, ROWS, rows)
    ]
    for number, batch in enumerate(batches):
        at = range(number * rows, number * rows + len(batch))
        same(batch, dataset.frame(at))


@pytest.mark.parametrize("place", PLACES)
def test_one_batch_of_everything_is_the_frame(sources, place):
    dataset = sources[place]
    (batch,) = dataset.batches()
    same(batch, dataset.frame())
    same(batch, sources["memory"].frame()[dataset.columns].astype(batch.dtypes))
    assert batch["d"].dtype == np.float64


@pytest.mark.parametrize("place", PLACES)
def test_batches_of_some_columns(sources, place):
    batches = list(sources[place].batches(["x", "n"], rows=9))
    assert [batch.columns.tolist() for batch in batches] == [["x", "n"]] * 3
    same(pd.concat(batches, ignore_index=True), sources["memory"].frame()[["x", "n"]])


@pytest.mark.parametrize("name", ["l", "l.element"])
def test_a_column_with_a_dot_is_not_part_of_another(sources, name):
    for place in ("one.parquet", "several"):
        dataset = sources[place].select([name])
        assert dataset.table.to_pydict() == {name: TABLE[name].to_pylist()}
        assert dataset.frame([5]).columns.tolist() == [name]


@pytest.mark.parametrize("place", PLACES)
def test_an_unknown_column_is_a_key_error(sources, place):
    with pytest.raises(KeyError):
        sources[place].select(["z"])
    with pytest.raises(KeyError):
        sources[place].batches(["z"])


@pytest.mark.parametrize("place", PLACES)
def test_a_batch_has_at_least_one_row(sources, place):
    with pytest.raises(ConfigError, match=r"option 'rows'.*it is 0"):
        sources[place].batches(rows=0)


def test_passes_do_not_disturb_one_another(sources):
    for place in PLACES:
        for one, other in zip(*(sources[place].batches(rows=2) for _ in range(2)), strict=True):
            same(one, other)


@pytest.mark.parametrize("place", PLACES)
def test_schema_and_columns_are_those_of_the_table(sources, place):
    dataset = sources[place]
    table = dataset.table
    assert table.schema.equals(dataset.schema)
    assert (table.column_names, table.num_rows) == (dataset.columns, dataset.rows)


def test_a_selection_is_another_dataset(sources):
    for place in PLACES:
        dataset = sources[place]
        assert dataset.select(dataset.columns) == dataset
        assert dataset.select(["x"]) != dataset


# --- some rows -----------------------------------------------------------------------------------


@exhaustive
@given(positions=st.lists(st.integers(0, ROWS - 1), max_size=30), place=st.sampled_from(PLACES))
def test_frame_takes_positions_from_anywhere(sources, positions, place):
    dataset = sources[place]
    found, whole = dataset.frame(np.array(positions, dtype=np.int64)), dataset.frame()
    same(found, whole.iloc[positions].reset_index(drop=True).astype(found.dtypes))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("positions", [[-1], [0, -1], [ROWS], [0, ROWS, 1]], ids=str)
def test_positions_outside_are_refused(sources, place, positions):
    with pytest.raises(IndexError):
        sources[place].frame(positions)


# --- damage --------------------------------------------------------------------------------------


def damaged(path, group, column):
    """Overwrite the pages of one column in one row group; the footer stays as it is."""
    rows = {"a": range(100), "b": [f"row {i}" for i in range(100)]}
    pq.write_table(pa.table(rows), path, row_group_size=25)
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(column)
    content = bytearray(path.read_bytes())
    start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)
    return open_dataset(path, "synthetic")


@pytest.mark.parametrize(
    "read",
    [
        lambda dataset: dataset.table,
        lambda dataset: dataset.frame(),
        lambda dataset: dataset.frame([99, 60]),
        lambda dataset: list(dataset.batches()),
        lambda dataset: list(dataset.batches(["b"], rows=10)),
    ],
    ids=["table", "frame", "some rows", "batches", "batches of a column"],
)
def test_a_damaged_page_is_found_and_the_file_named_when_rows_are_read(tmp_path, read):
    dataset = damaged(tmp_path / "torn.parquet", group=2, column=1)
    with pytest.raises(DataError, match=r"'synthetic'.*torn\.parquet' cannot be read as parquet"):
        read(dataset)


def test_what_is_not_asked_for_is_not_read(tmp_path):
    dataset = damaged(tmp_path / "torn.parquet", group=2, column=1)
    assert dataset.frame([80, 3])["b"].tolist() == ["row 80", "row 3"]
    assert dataset.select(["a"]).frame([60])["a"].tolist() == [60]
    assert sum(batch["a"].sum() for batch in dataset.batches(["a"])) == sum(range(100))


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("change", ["rewritten", "appended", "touched", "removed"])
def test_a_file_that_changes_after_it_was_opened_is_refused(tmp_path, kind, change):
    path = tmp_path / f"rows.{kind}"

    def write(numbers):
        rows = pa.table({"x": numbers})
        pq.write_table(rows, path) if kind == "parquet" else pa_csv.write_csv(rows, path)

    write([1, 2, 3])
    dataset = open_dataset(path, "real")
    if change == "rewritten":
        path.unlink()
        write([3, 2, 1])
    elif change == "appended":
        path.write_bytes(path.read_bytes() + b"4\n")
    elif change == "touched":
        os.utime(path, (0, 0))
    else:
        path.unlink()
    problem = "cannot be read" if change == "removed" else "changed while it was read"
    for read in (
        lambda: dataset.table,
        lambda: dataset.frame([0]),
        lambda: next(dataset.batches()),
    ):
        with pytest.raises(DataError, match=rf"rows\.{kind}' {problem}"):
            read()


class ChangingFiles(LocalFileSystem):
    """Local files that somebody writes again as soon as they are opened."""

    protocol = "changing"

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("changing://"))

    def open(self, path, *args, **more):
        os.utime(self._strip_protocol(path), (0, 0))
        return super().open(path, *args, **more)

    def checksum(self, path):
        return Path(self._strip_protocol(path)).stat().st_mtime_ns


def test_a_file_that_changes_while_it_is_opened_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(TABLE, path)
    fsspec.register_implementation("changing", ChangingFiles, clobber=True)
    with pytest.raises(DataError, match=r"rows\.parquet' changed while it was read"):
        open_dataset(f"changing://{path}", "real")


def test_a_file_that_changes_while_a_batch_is_out_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": range(100)}), path, row_group_size=10)
    batches = open_dataset(path, "real").batches(rows=10)
    next(batches)
    os.utime(path, (0, 0))
    with pytest.raises(DataError, match=r"rows\.parquet' changed while it was read"):
        list(batches)


# --- types of CSV files --------------------------------------------------------------------------

CELLS = {
    "whole": st.sampled_from(["-3", "0", "1", "12"]),
    "float": st.sampled_from(["0.5", "1e3", "-0.0", "12345678901234567890"]),
    "boolean": st.sampled_from(["true", "False", "0", "1"]),
    "date": st.sampled_from(["2024-02-29", "1969-12-31"]),
    "moment": st.sampled_from(["2024-02-29 10:00:00", "2024-02-29T10:00:00.25"]),
    "zone": st.sampled_from(["2024-02-29 10:00:00Z", "2024-02-29 10:00:00.5+0100"]),
    "time": st.just("10:11:12"),
    "text": st.sampled_from(["a", "é", '"b,c"', '"two\nlines"', '""', "NA"]),
    "missing": st.sampled_from(["", "NaN", "null"]),
}


@st.composite
def columns_of_cells(draw):
    """Columns whose later cells may be of another kind than the first ones."""
    rows = draw(st.integers(1, 40))
    columns = []
    for _ in range(draw(st.integers(1, 3))):
        early, late = (draw(st.sampled_from(sorted(CELLS))) for _ in range(2))
        turn = draw(st.integers(0, rows))
        cells = [draw(CELLS[early if row < turn else late]) for row in range(rows)]
        # A line with nothing in it is not a row.
        columns.append([cell or "null" for cell in cells])
    return columns


@settings(exhaustive, max_examples=300)
@given(columns=columns_of_cells(), block=st.sampled_from([100, 200, 1000]))
def test_a_csv_file_has_the_types_and_values_of_reading_it_whole(tmp_path_factory, columns, block):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    header = ",".join("abc"[: len(columns)])
    lines = [header, *map(",".join, zip(*columns, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    text_formats.TEXT_BLOCK = block
    dataset = open_dataset(path, "real")

    def read(codes):
        return pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                null_values=["", "NaN", "nan", "NULL", "null"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                column_types=codes,
            ),
        )

    # Numbers with a leading zero, or of more digits than fit, are codes.
    whole = read({})
    numeric = {f.name for f in whole.schema if f.type in (pa.int64(), pa.float64())}
    whole = read(
        {
            name: pa.string()
            for name, cells in zip("abc", columns, strict=False)
            if name in numeric and any(re.match(r"\s*[+-]?(0\d|\d{19,}\s*$)", c) for c in cells)
        }
    )
    assert dataset.schema.equals(whole.schema)
    assert dataset.rows == whole.num_rows
    assert dataset.table.equals(whole)


def late(path, line):
    path.write_bytes(b"a,b\n" + b"1,x\n" * 400 + line)
    return path


@pytest.mark.parametrize("line", [b"2\n", b"2,y,z\n", b"2,\xff\n"], ids=repr)
def test_a_bad_line_far_down_a_csv_file_is_found_when_opening(tmp_path, line):
    with pytest.raises(DataError, match=r"a\.csv' cannot be read as csv"):
        open_dataset(late(tmp_path / "a.csv", line), "real")


def test_lines_inside_quotes_are_read_wherever_they_fall(tmp_path, monkeypatch):
    monkeypatch.undo()
    text = "\n".join(["line"] * 30)
    path = tmp_path / "a.csv"
    path.write_text("x,s\n" + "".join(f'{i},"{text[: i % 150]}"\n' for i in range(30_000)))
    assert path.stat().st_size > 2 * text_formats.TEXT_BLOCK
    dataset = open_dataset(path, "real")
    assert dataset.rows == 30_000
    assert dataset.frame([29_000])["s"].tolist() == [text[: 29_000 % 150]]


# --- types of several files ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_whole_numbers_beside_fractions_are_fractions_in_every_batch(tmp_path, kind):
    for name, values in (("a", [1, 2]), ("b", [0.5, None]), ("c", [None, None])):
        rows = pa.table({"x": values, "i": [1, 2]})
        if kind == "parquet":
            pq.write_table(rows, tmp_path / f"{name}.parquet")
        else:
            pa_csv.write_csv(rows, tmp_path / f"{name}.csv")
    dataset = open_dataset(tmp_path, "real")
    assert dataset.schema.field("x").type == pa.float64()
    batches = [batch["x"] for batch in dataset.batches(rows=2)]
    assert [batch.dtype for batch in batches] == [np.float64] * 3
    np.testing.assert_equal(np.concatenate(batches), [1, 2, 0.5, np.nan, np.nan, np.nan])
    np.testing.assert_equal(dataset.frame([3, 0])["x"].to_numpy(), [np.nan, 1])


def test_a_number_too_long_for_a_fraction_is_found_when_opening_wherever_it_is(tmp_path):
    pq.write_table(pa.table({"x": [0.5]}), tmp_path / "a.parquet")
    numbers = [*range(99), 2**53 + 1]
    pq.write_table(pa.table({"x": numbers}), tmp_path / "b.parquet", row_group_size=10)
    with pytest.raises(DataError, match="columns of incompatible types"):
        open_dataset(tmp_path, "real")


# --- memory --------------------------------------------------------------------------------------


def peak(batches):
    start = pa.total_allocated_bytes()
    return max(pa.total_allocated_bytes() - start for _ in batches)


def test_arrow_holds_a_part_of_a_file_however_many_there_are(tmp_path):
    peaks = {}
    for groups in (4, 16):
        path = tmp_path / f"{groups}.parquet"
        rows = pa.table(
            {f"c{i}": np.random.default_rng(int(i)).normal(size=groups * 20_000) for i in "01"}
        )
        pq.write_table(rows, path, row_group_size=20_000)
        del rows
        before = pa.total_allocated_bytes()
        dataset = open_dataset(path, "real")
        assert pa.total_allocated_bytes() - before < 10_000
        peaks[groups] = peak(dataset.batches(rows=5000))
    assert 0 < peaks[16] < 1.5 * peaks[4]
    assert peaks[16] < 16 * 20_000 * 2 * 8 / 2
