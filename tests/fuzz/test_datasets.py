"""Any table, as a frame or as a file: its rows come back as they were, or an error names it."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import cases, result_or_named
from hypothesis import given
from hypothesis import strategies as st
from odd_tables import KINDS, tables

from synthmix_dagster import measure_distance, mix, open_dataset, recommend_ratio
from synthmix_dagster.data.dataset import Dataset


def written(table: pa.Table, folder: Path, ending: str) -> pa.Table | Path | None:
    """A frame, or a file; None where the format does not hold the types or values."""
    path = folder / f"rows.{ending}"
    try:
        if ending == "parquet":
            pq.write_table(table, path, row_group_size=7)
        elif ending == "arrow":
            with pa.ipc.new_file(path, table.schema) as file:
                file.write_table(table, max_chunksize=7)
        else:
            return table
    except (pa.ArrowException, OSError, ValueError):
        return None
    return path


def values_of(column: pa.ChunkedArray) -> list[str]:
    """Values as text, the same for a type and the usual one of the same values."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        return [str(None if v is None else int(v.scaleb(20))) for v in column.to_pylist()]
    if pa.types.is_temporal(column.type):
        wide = pa.int64() if column.type.bit_width == 64 else pa.int32()
        column = column.cast(wide)
    return [repr(value) for value in column.to_pylist()]


def same_rows(opened: Dataset, table: pa.Table) -> None:
    held = opened.table
    if any("running number" in note for note in opened.notes):
        table = table.select(range(1, table.num_columns))
    assert held.column_names == table.column_names
    for name in table.column_names:
        assert values_of(held[name]) == values_of(table[name])


def opens(table: pa.Table, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = written(table, Path(folder), ending)
        if source is None:
            return
        opened = result_or_named(lambda: open_dataset(source, "made"), "'made'")
        if opened is None:
            return
        if ending == "frame":
            same_rows(opened, table)
        else:
            # As the format has it: Parquet knows neither seconds nor fixed zones.
            reader = pq.read_table if ending == "parquet" else _read_arrow
            same_rows(opened, reader(source))
        some = np.array([0, table.num_rows - 1])
        frame = result_or_named(lambda: opened.frame(some), "'made'")
        whole = result_or_named(lambda: list(opened.batches(rows=5)), "'made'")
        assert frame is None or len(frame) == 2
        assert whole is None or sum(map(len, whole)) == table.num_rows


def _read_arrow(path: Path) -> pa.Table:
    with pa.ipc.open_file(path) as file:
        return file.read_all()


ENDINGS = st.sampled_from(["frame", "parquet", "arrow"])


@cases(40)
@given(table=tables(), ending=ENDINGS)
def test_opening(table: pa.Table, ending: str) -> None:
    opens(table, ending)


@pytest.mark.slow
@cases(600)
@given(table=tables(), ending=ENDINGS)
def test_opening_at_length(table: pa.Table, ending: str) -> None:
    opens(table, ending)


def compared(real: pa.Table, shuffled: bool, task: str) -> None:
    """Measure, recommend: a finite gap, or an error that names a side, a column or an option."""
    other = real.slice(2)
    if shuffled:
        other = pa.concat_tables([other.slice(5), other.slice(0, 4)])
    target = real.column_names[0]
    quick = {"permutations": 9, "directions": 5}
    for options in ({}, {"target": target, "task": task}, {"categorical": real.column_names}):
        report = result_or_named(
            lambda options=options: measure_distance(real, other, **quick, **options),
            "'real'",
            "'synthetic'",
            "option '",
        )
        assert report is None or np.isfinite(report.gap)
    found = result_or_named(
        lambda: recommend_ratio(real, other, target=target, task=task, max_ratio=1.0),
        "'real'",
        "'synthetic'",
        "option '",
    )
    assert found is None or 0 <= found.ratio <= 1


TASKS = st.sampled_from(["regression", "classification"])


@cases(6)
@given(real=tables(min_rows=13), shuffled=st.booleans(), task=TASKS)
def test_comparing(real: pa.Table, shuffled: bool, task: str) -> None:
    compared(real, shuffled, task)


@pytest.mark.slow
@cases(150)
@given(real=tables(min_rows=13), shuffled=st.booleans(), task=TASKS)
def test_comparing_at_length(real: pa.Table, shuffled: bool, task: str) -> None:
    compared(real, shuffled, task)


def mixed(real: pa.Table) -> None:
    """Every real row is in the release, value by value."""
    other = real.slice(1)
    with tempfile.TemporaryDirectory() as folder:
        release = result_or_named(
            lambda: mix(real, other, ratio=0.5, output=Path(folder) / "out"),
            "'real'",
            "'synthetic'",
            "option '",
            "release at '",
        )
        if release is None:
            return
        rows = result_or_named(release.to_arrow)
        assert rows is not None
        for name in real.column_names:
            own = _counted(real[name])
            held = _counted(rows[name])
            assert all(held.get(value, 0) >= count for value, count in own.items()), name


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
        # Parquet knows no seconds, and Arrow stores them as milliseconds.
        wide = pa.timestamp("ms") if pa.types.is_timestamp(column.type) else column.type
        column = column.cast(wide) if column.type.unit == "s" else column
    if pa.types.is_time32(column.type):
        column = column.cast(pa.time32("ms"))
    if pa.types.is_date64(column.type):
        column = column.cast(pa.date32(), safe=False)
    counts: dict[str, int] = {}
    for value in values_of(column):
        counts[value] = counts.get(value, 0) + 1
    return counts


@cases(5)
@given(real=tables(min_rows=2))
def test_mixing(real: pa.Table) -> None:
    mixed(real)


@pytest.mark.slow
@cases(150)
@given(real=tables(min_rows=2))
def test_mixing_at_length(real: pa.Table) -> None:
    mixed(real)


def test_every_type_is_tried() -> None:
    assert len({str(kind) for kind, _ in KINDS}) >= 45
