"""Types that everything behind the readers knows: extension types become what they stand for.

Database drivers hand numbers over as an extension over strings (``arrow.opaque``), and uuids and
JSON as types of their own. A release holds plain Arrow types.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import pyarrow as pa

from synthmix_dagster.data.number_text import NumberRange
from synthmix_dagster.data.text_formats import UnreadableError
from synthmix_dagster.errors import DataError

_NUMERIC = re.compile(r"(?:numeric|decimal|number)\s*(?:\((\d+)\s*,\s*(-?\d+)\))?", re.IGNORECASE)
#: Where the driver of PostgreSQL puts precision and scale, by which the server adds 4 to both.
_MODIFIER = b"POSTGRESQL:typmod"
#: Precision and scale of the type that holds every value, where the field does not state them.
_FOUND = b"synthmix:number"
#: Metadata of a column whose values a server wrote as text.
AS_TEXT = {b"synthmix:type": b"text"}
_NAME = b"ARROW:extension:name"
_PARAMETERS = b"ARROW:extension:metadata"


def plain_schema(schema: pa.Schema, timezone: str | None = None) -> pa.Schema:
    """The columns in plain types; timestamps without a zone are in the stated one.

    Examples
    --------
    >>> naive = pa.schema([("at", pa.timestamp("us"))])
    >>> plain_schema(naive, "Europe/Berlin").field("at").type
    TimestampType(timestamp[us, tz=Europe/Berlin])
    """
    fields = []
    for each in schema:
        kind, note = _plain(each, timezone)
        metadata = {
            k: v
            for k, v in (each.metadata or {}).items()
            if not k.startswith((b"ARROW:", *AS_TEXT))
        }
        changed = kind != each.type or note
        fields.append(pa.field(each.name, kind, metadata=metadata or None) if changed else each)
    return pa.schema(fields, schema.metadata)


def without_precision(schema: pa.Schema) -> list[str]:
    """Columns of numbers of any length: only their values say which type holds them all."""
    return [each.name for each in schema if _numeric(each) == _ANY]


def ranges_of(
    tables: Iterable[pa.Table], names: Iterable[str], seen: Mapping[str, NumberRange] | None = None
) -> dict[str, NumberRange]:
    """What values there are in columns of numbers of any length."""
    found = {name: NumberRange() for name in names} | dict(seen or {})
    for table in tables:
        for name in found:
            found[name] = found[name].including(_stored_text(table.column(name)))
    return found


def with_precision(schema: pa.Schema, ranges: Mapping[str, NumberRange]) -> pa.Schema:
    """The same columns, of which those without a precision say which type holds their values."""
    fields = []
    for each in schema:
        found = ranges.get(each.name)
        if found is not None and _numeric(each) == _ANY:
            kind = found.type
            of = f"{kind.precision},{kind.scale}" if pa.types.is_decimal(kind) else str(kind)
            metadata = {**(each.metadata or {}), _FOUND: of.encode()}
            each = each.with_metadata(metadata)
        fields.append(each)
    return pa.schema(fields, schema.metadata)


def usual_types(schema: pa.Schema) -> pa.Schema:
    """Columns in the types that Parquet files of their own have; libraries say large ones."""
    large = {
        pa.large_string(): pa.string(),
        pa.string_view(): pa.string(),
        pa.large_binary(): pa.binary(),
        pa.binary_view(): pa.binary(),
    }
    return pa.schema(
        [
            pa.field(
                each.name,
                large.get(each.type, each.type),
                each.nullable,
                AS_TEXT if _is_as_text(each) else None,
            )
            for each in schema
        ]
    )


def plain_table(table: pa.Table, raw: pa.Schema, plain: pa.Schema) -> pa.Table:
    """Some of the columns, as `plain_schema` has them."""
    columns = []
    for name in table.column_names:
        column, kind = table.column(name), plain.field(name).type
        try:
            if column.type != kind:
                column = _converted(column, raw.field(name), kind)
            columns.append(_with_clean_levels(column))
        except pa.ArrowException as error:
            raise UnreadableError(
                f"column '{name}' does not hold {kind} throughout: {error}",
                "Correct these values where they are written, or leave the column out",
            ) from error
    return pa.table(columns, names=table.column_names)


def require_usable(schema: pa.Schema, dataset: str) -> None:
    """Refuse types of which neither pandas nor Parquet knows the values.

    Raises
    ------
    DataError
    """
    for each in schema:
        if pa.types.is_union(each.type):
            raise DataError(
                f"its type is {each.type}, several types in one column",
                dataset=dataset,
                column=each.name,
                fix="Write it as one type, or as a column for each of them",
            )
        if pa.types.is_timestamp(each.type) and each.type.tz is not None:
            try:
                pa.scalar(0, each.type).as_py()
            except Exception:  # of zoneinfo or pytz, whichever pyarrow takes
                raise DataError(
                    f"unknown time zone '{each.type.tz}'",
                    dataset=dataset,
                    column=each.name,
                    fix="Write its times in a zone such as UTC or Europe/Berlin",
                ) from None


def usual_type(kind: pa.DataType) -> pa.DataType:
    """The type that Parquet, pandas and all functions of Arrow know for the same values.

    Examples
    --------
    >>> usual_type(pa.string_view()), usual_type(pa.run_end_encoded(pa.int32(), pa.int64()))
    (DataType(string), DataType(int64))
    """
    if pa.types.is_run_end_encoded(kind):
        return usual_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_decimal(kind) and (kind.bit_width < 128 or kind.scale < 0):
        digits = kind.precision - min(kind.scale, 0)
        wide = pa.decimal128 if digits <= 38 else pa.decimal256
        return wide(digits, max(kind.scale, 0)) if digits <= 76 else kind
    if pa.types.is_dictionary(kind):
        of, types = kind.value_type, pa.types
        text = types.is_string(of) or types.is_large_string(of)
        return kind if text or types.is_integer(of) or types.is_floating(of) else usual_type(of)
    return kind


def printed(values: pa.Array | pa.ChunkedArray) -> list[str]:
    """Values as Python prints them; Arrow prints times that Python has no object for.

    Examples
    --------
    >>> printed(pa.array([1.5, 2.0])), printed(pa.array([2**62], pa.timestamp("s")))
    (['1.5', '2.0'], ['<value out of range: 4611686018427387904>'])
    """
    try:
        return [str(value) for value in values.to_pylist()]
    except OverflowError:
        return [str(value) for value in values.cast(pa.string()).to_pylist()]


def notes_on_types(schema: pa.Schema, timezone: str | None = None) -> list[str]:
    """What a reader should know of columns whose type was changed."""
    return [f"'{each.name}' {note}" for each in schema if (note := _plain(each, timezone)[1])]


def _plain(each: pa.Field, timezone: str | None) -> tuple[pa.DataType, str]:
    name, _, storage = _extension(each)
    if name == "arrow.opaque":
        numeric = _numeric(each)
        if numeric is None and pa.types.is_nested(storage):
            return storage, f"has a type of its database and is read as {storage}"
        if numeric is None:
            return pa.string(), "has a type of its database and is read as text"
        numeric = pa.float64() if numeric == _ANY else numeric
        rounded = "holds numbers that no decimal holds, and is read as float64"
        return numeric, rounded if pa.types.is_floating(numeric) else ""
    if name == "arrow.uuid":
        return pa.string(), "holds uuids and is read as text"
    if name == "arrow.json":
        return pa.string(), "holds JSON and is read as text"
    if name == "arrow.bool8":
        return pa.bool_(), ""
    if name:
        return storage, f"has the type {name} and is read as {storage}"
    if _is_as_text(each):
        return each.type, "has a type of its database and is read as text"
    if timezone is not None and pa.types.is_timestamp(each.type) and each.type.tz is None:
        return pa.timestamp(each.type.unit, timezone), ""
    return usual_type(each.type), ""


def _is_as_text(each: pa.Field) -> bool:
    return not AS_TEXT.keys().isdisjoint(each.metadata or {})


#: Of a column of numbers of any length whose values have not been looked at.
_ANY = pa.null()


def _numeric(each: pa.Field) -> pa.DataType | None:
    """Type of a column of exact numbers of a database; None of any other."""
    name, parameters, _ = _extension(each)
    # The name of the type stands in its parameters, which pyarrow prints as well.
    found = _NUMERIC.search(parameters) if name == "arrow.opaque" else None
    if found is None:
        return None
    metadata = each.metadata or {}
    stated = metadata.get(_FOUND, b"").decode()
    if stated in ("int64", "double"):
        return pa.int64() if stated == "int64" else pa.float64()
    if stated:
        return _decimal(*map(int, stated.split(",")))
    if found.group(1) is not None:
        return _decimal(int(found.group(1)), int(found.group(2)))
    modifier = int(metadata.get(_MODIFIER, b"-1")) - 4
    if modifier < 0:
        return _ANY
    precision, scale = modifier >> 16, modifier & 0x7FF
    # Eleven bits, of which the first is the sign.
    return _decimal(precision, scale - 0x800 if scale & 0x400 else scale)


def _decimal(precision: int, scale: int) -> pa.DataType:
    """A decimal; PostgreSQL has longer ones than Arrow, whose values say what they need."""
    if precision > 76:
        return _ANY
    return (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, scale)


def _stored_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """What an extension type keeps its values as."""
    if isinstance(column.type, pa.BaseExtensionType):
        storage = column.type.storage_type
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], type=storage)
    return column.cast(pa.string())


def _extension(each: pa.Field) -> tuple[str, str, pa.DataType]:
    """Name, parameters and storage of an extension type; pyarrow does not know all of them."""
    metadata = each.metadata or {}
    if isinstance(each.type, pa.BaseExtensionType):
        serialised = getattr(each.type, "__arrow_ext_serialize__", lambda: b"")()
        parameters = f"{each.type} {serialised.decode(errors='replace')}"
        return str(each.type.extension_name), parameters, each.type.storage_type
    parameters = metadata.get(_PARAMETERS, b"").decode(errors="replace")
    return metadata.get(_NAME, b"").decode(), parameters, each.type


def _converted(column: pa.ChunkedArray, each: pa.Field, kind: pa.DataType) -> pa.ChunkedArray:
    name, _, storage = _extension(each)
    if not name:
        zone = pa.types.is_timestamp(column.type) and column.type.tz is None
        zone = zone and pa.types.is_timestamp(kind) and kind.tz is not None
        return _in_zone(column, kind) if zone else _in_usual_type(column, kind)
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], type=storage)
    if pa.types.is_string(kind) and _is_binary(storage):
        as_uuid = name == "arrow.uuid"
        return _mapped(column, lambda value: str(UUID(bytes=value)) if as_uuid else value.hex())
    return column.cast(kind)


def _is_binary(kind: pa.DataType) -> bool:
    of = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(one(kind) for one in of)


def _in_zone(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Local times of a zone; at a change of clocks the earlier ones."""
    import pyarrow.compute as pc

    return pc.assume_timezone(column, kind.tz, ambiguous="earliest", nonexistent="earliest")


def _in_usual_type(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The same values, see `usual_type`."""
    import pyarrow.compute as pc

    if pa.types.is_run_end_encoded(column.type):
        decoded = [pc.run_end_decode(chunk) for chunk in column.chunks]
        column = pa.chunked_array(decoded, type=column.type.value_type)
    if pa.types.is_dictionary(column.type):
        # Arrow cannot cast a dictionary of views: look its values up instead.
        chunks = [c.dictionary.cast(kind).take(c.indices) for c in column.chunks]
        return pa.chunked_array(chunks, type=kind)
    return column.cast(kind)


def _with_clean_levels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Categories with every level once, and none that is missing: pandas knows no others."""
    if not pa.types.is_dictionary(column.type):
        return column
    clean = []
    for chunk in column.chunks:
        levels = chunk.dictionary.drop_null().unique()
        if len(levels) < len(chunk.dictionary):
            import pyarrow.compute as pc

            places = pc.index_in(chunk.dictionary, value_set=levels, skip_nulls=True)
            indices = places.take(chunk.indices).cast(column.type.index_type)
            chunk = pa.DictionaryArray.from_arrays(indices, levels, ordered=column.type.ordered)
        clean.append(chunk)
    return pa.chunked_array(clean, type=column.type)


def _mapped(column: pa.ChunkedArray, change: Callable[[Any], str]) -> pa.ChunkedArray:
    values = [None if value is None else change(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.string())], type=pa.string())
