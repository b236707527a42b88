"""Whether synthetic rows fit the columns of the real ones, and the casts that lose nothing."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.dataset import Dataset
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
        for table in synthetic.select(other).tables():
            align(table, schema, synthetic.name)


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
