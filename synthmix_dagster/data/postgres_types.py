"""Types that the driver of PostgreSQL hands over in another form than their values.

It hands `money` over in cents without saying so, and types that it does not know as the bytes of
the server's protocol. So the statement asks the server for values.
"""

import pyarrow as pa

from synthmix_dagster.data.plain_types import AS_TEXT

#: Where the driver says what the server calls the type of a column.
_TYPE = b"POSTGRESQL:type"


def in_values(text: str, schema: pa.Schema) -> str:
    """A statement whose columns arrive as values.

    Parameters
    ----------
    text : str
        Without a semicolon at its end.
    schema : pyarrow.Schema
        Its columns, as the driver would hand them over.

    Examples
    --------
    >>> price = pa.field("price", pa.int64(), metadata={"POSTGRESQL:type": "money"})
    >>> in_values("select price from t", pa.schema([price])).replace(chr(10), " ")
    'SELECT c1::numeric AS "price" FROM (select price from t ) AS synthmix(c1)'
    """
    kinds = [_asked_as(each) for each in schema]
    if not any(kinds):
        return text
    columns, names = [], []
    for number, (each, kind) in enumerate(zip(schema, kinds, strict=True), start=1):
        name = each.name.replace('"', '""')
        columns.append(f'c{number}{"" if kind is None else f"::{kind}"} AS "{name}"')
        names.append(f"c{number}")
    # A comment may stand at the end of its last line.
    return (
        f"SELECT {', '.join(columns)} FROM ({text}\n) "  # noqa: S608 - a statement of the user
        f"AS synthmix({', '.join(names)})"
    )


def _asked_as(each: pa.Field) -> str | None:
    """The type that a column is asked for in, unless it arrives well."""
    if (each.metadata or {}).get(_TYPE) == b"money":
        return "numeric"
    if _is_opaque(each.type):
        # Numbers arrive as texts, whatever else as bytes of the protocol.
        return None if pa.types.is_string(each.type.storage_type) else "text"
    if pa.types.is_list(each.type) and isinstance(each.type.value_type, pa.BaseExtensionType):
        return "float8[]" if "type_name=numeric" in str(each.type.value_type) else "text[]"
    return None


def _is_opaque(kind: pa.DataType) -> bool:
    return getattr(kind, "extension_name", "") == "arrow.opaque"


def marked(reader: pa.RecordBatchReader, schema: pa.Schema) -> pa.RecordBatchReader:
    """The rows of such a statement, of whose columns those that are read as text say so.

    Parameters
    ----------
    reader : pyarrow.RecordBatchReader
    schema : pyarrow.Schema
        The columns that they had.
    """
    fields = [
        each.with_metadata(AS_TEXT) if _asked_as(had) == "text" else each
        for each, had in zip(reader.schema, schema, strict=True)
    ]
    said = pa.schema(fields, reader.schema.metadata)
    batches = (pa.record_batch(batch.columns, schema=said) for batch in reader)
    return pa.RecordBatchReader.from_batches(said, batches)
