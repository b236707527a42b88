"""One schema for the rows of several files: all columns, in types that hold all values."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from synthmix_dagster.errors import DataError


def common_schema(
    schemas: Sequence[pa.Schema], folders: Sequence[Mapping[str, str | None]], dataset: str
) -> pa.Schema:
    """All columns of all files, and those of their folders' names.

    Raises
    ------
    DataError
        Two files have incompatible types of one column.
    """
    try:
        empty = [schema.empty_table() for schema in _agreed_categories(schemas)]
        schema = pa.concat_tables(empty, promote_options="permissive").schema
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise clash(dataset, error) from error
    for column in dict.fromkeys(name for folder in folders for name in folder):
        if column not in schema.names:
            values = [folder[column] for folder in folders if folder.get(column) is not None]
            whole = all(_is_whole(value) for value in values)
            schema = schema.append(pa.field(column, pa.int64() if whole else pa.string()))
    return schema


def _agreed_categories(schemas: Sequence[pa.Schema]) -> list[pa.Schema]:
    """Columns that are categories in some files only are the values they stand for."""
    packed: set[str] = set()
    plain: set[str] = set()
    for schema in schemas:
        for each in schema:
            dictionary = pa.types.is_dictionary(each.type)
            if not pa.types.is_null(each.type):
                (packed if dictionary else plain).add(each.name)
    mixed = packed & plain

    def agreed(each: pa.Field) -> pa.Field:
        dictionary = each.name in mixed and pa.types.is_dictionary(each.type)
        return each.with_type(each.type.value_type) if dictionary else each

    return [pa.schema(map(agreed, each), each.metadata) for each in schemas]


def clash(dataset: str, error: BaseException) -> DataError:
    """What is said of columns whose types do not go together."""
    return DataError(
        f"its files have columns of incompatible types ({error})",
        dataset=dataset,
        fix="Write all files with one schema",
    )


def _is_whole(text: str | None) -> bool:
    """Whether a text is a whole number as Python would write it, so that nothing gets lost."""
    return text is not None and text.lstrip("-").isdecimal() and text == str(int(text))


def promoted(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in a type that holds the values of other files as well."""
    if values.type == kind:
        return values
    if pa.types.is_dictionary(values.type) and not pa.types.is_dictionary(kind):
        return promoted(values.cast(values.type.value_type), kind)
    field = pa.schema([("x", kind)])
    both = [field.empty_table(), pa.table({"x": values})]
    return pa.concat_tables(both, promote_options="permissive").column("x")
