"""Whether synthetic rows fit the columns of the real ones, and the casts that lose nothing."""

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.fingerprint import row_hashes
from synthmix_dagster.errors import DataError


def align(table: pa.Table, schema: pa.Schema, dataset: str) -> pa.Table:
    """Give rows the columns, order and types of a schema.

    Only casts that lose nothing are made. Missing columns are filled with nulls; further ones
    are left out.

    Raises
    ------
    DataError
        A value does not fit.

    Examples
    --------
    >>> align(pa.table({"x": [1.0, 2.0]}), pa.schema([("x", pa.int8())]), "synthetic")["x"].type
    DataType(int8)
    """
    columns, there = [], set(table.column_names)
    for field in schema:
        if field.name in there:
            columns.append(_cast(table.column(field.name), field, dataset))
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.table(columns, schema=schema)


def require_pair(real: Dataset, synthetic: Dataset) -> None:
    """Refuse two sides that cannot be compared: the same rows, or times of different clocks.

    Raises
    ------
    DataError
    """
    kinds = {field.name: unpacked(field.type) for field in real.schema}
    for field in synthetic.schema:
        kind, other = unpacked(field.type), kinds.get(field.name)
        if other is None or not (pa.types.is_timestamp(kind) and pa.types.is_timestamp(other)):
            continue
        if (kind.tz is None) != (other.tz is None):
            naive = synthetic.name if kind.tz is None else real.name
            raise DataError(
                f"its times have no time zone; on the other side they are in {kind.tz or other.tz}",
                dataset=naive,
                column=field.name,
                fix=f"State it with the option 'timezone' of the dataset, such as "
                f"timezone: {kind.tz or other.tz}",
            )
    if real.rows == synthetic.rows and _same_rows(real, synthetic):
        raise DataError(
            f"it holds the same {real.rows} rows as '{real.name}'",
            dataset=synthetic.name,
            fix="Pass the rows that the generator made; check both paths",
        )


def _same_rows(one: Dataset, other: Dataset) -> bool:
    """Whether two datasets hold the same rows, in whatever order and format."""
    if one.fingerprint == other.fingerprint:
        return True
    columns = one.columns
    if set(columns) != set(other.columns):
        return False
    # Most pairs differ in their first column already.
    if len(columns) > 1 and not _same_content(one, other, columns[:1]):
        return False
    return _same_content(one, other, columns)


def _same_content(one: Dataset, other: Dataset, columns: Sequence[str]) -> bool:
    """Whether the rows are the same in some columns, by the sum of their hashes."""
    schema = pa.schema([(name, unpacked(one.schema.field(name).type)) for name in columns])
    sums = [
        dataset.select(list(columns)).over(partial(_sum_of_hashes, schema, dataset.name))
        for dataset in (one, other)
    ]
    if any(part is None for parts in sums for part in parts):
        return False
    first, second = (sum(parts) % 2**64 for parts in sums)  # type: ignore[arg-type]
    return first == second


def _sum_of_hashes(schema: pa.Schema, dataset: str, tables: Iterable[pa.Table]) -> int | None:
    """Sum of the hashes of all rows in the types of a schema; None where they do not fit it."""
    total = 0
    for table in tables:
        try:
            aligned = align(table, schema, dataset)
        except DataError:
            return None
        total += int(row_hashes(aligned).sum(dtype=np.uint64))
    return total


def require_fit(synthetic: Dataset, real: Dataset, optional: Sequence[str] = ()) -> None:
    """Look at every synthetic value whose column has another type than the real one.

    Parameters
    ----------
    synthetic, real : Dataset
    optional : sequence of str
        Real columns that the synthetic rows may lack.

    Raises
    ------
    DataError
        A column is missing, or a value does not fit.
    """
    there, may_lack = set(synthetic.columns), set(optional)
    for name in real.columns:
        if name not in there and name not in may_lack:
            raise DataError(
                "the synthetic rows lack this column of the real rows",
                dataset=synthetic.name,
                column=name,
                fix="Generate it, or add it to 'ignore' to leave it empty in the synthetic rows",
            )
    wanted = {field.name: unpacked(field.type) for field in real.schema}
    kinds = {field.name: unpacked(field.type) for field in synthetic.schema}
    other = [name for name in wanted if name in kinds and kinds[name] != wanted[name]]
    if other:
        schema = pa.schema([(name, wanted[name]) for name in other])
        synthetic.select(other).over(partial(_require_all_fit, schema, synthetic.name))


def _require_all_fit(schema: pa.Schema, dataset: str, tables: Iterable[pa.Table]) -> None:
    for table in tables:
        align(table, schema, dataset)


def released_schema(real: Dataset) -> pa.Schema:
    """The real columns without metadata, nullable, categories as the values they stand for.

    Categories differ from file to file and from side to side, so that rows travel without them.
    """
    return pa.schema([pa.field(field.name, unpacked(field.type)) for field in real.schema])


def unpacked(kind: pa.DataType) -> pa.DataType:
    """The type of a column's values, where categories stand for them."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _cast(values: pa.ChunkedArray, field: pa.Field, dataset: str) -> pa.ChunkedArray:
    """Cast, cast back, and compare: Arrow's own safe cast rounds floats and drops times of day."""
    values = values.cast(unpacked(values.type))
    if values.type == field.type:
        return values
    if pa.types.is_null(field.type):
        raise DataError(
            f"it holds no values, so its type is unknown; in {dataset} it is {values.type}",
            dataset="real",
            column=field.name,
            fix="Write it with an explicit type, or drop it from both datasets",
        )
    if pa.types.is_null(values.type):
        return pa.chunked_array([pa.nulls(len(values), field.type)], type=field.type)
    problem = ""
    try:
        cast = values.cast(field.type, safe=True)
        if _same(cast.cast(values.type), values):
            return cast
    except (ValueError, TypeError, pa.ArrowException) as error:
        problem = f" ({error})"
    raise DataError(
        f"its type {values.type} does not convert to the real {field.type} without loss{problem}",
        dataset=dataset,
        column=field.name,
        fix="Round or convert it in the generator",
    )


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Equality for which NaN is NaN, as Arrow's is not."""
    if not pa.types.is_floating(one.type):
        return bool(one.equals(other))
    valid = one.is_valid().equals(other.is_valid())
    return valid and np.array_equal(one.to_numpy(), other.to_numpy(), equal_nan=True)
