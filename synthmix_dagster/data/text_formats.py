"""Text files, a bounded piece at a time: CSV in its dialects, JSON lines, and arrays of JSON.

All rows have to be read for the columns and their number, but not kept.
"""

import codecs
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from synthmix_dagster.data.locations import Location
from synthmix_dagster.data.options import CsvOptions

Ints = NDArray[np.int64]
Pieces = Iterator[tuple[int, pa.Table]]

#: Bytes of a piece of a text file.
TEXT_BLOCK = 2**20
#: Marks a column of codes: numbers that are text, because they would not come back as they were.
CODES = {b"synthmix": b"codes"}
#: Leading zeros, hexadecimal digits, or more digits than 64 bits hold.
_CODE = r"^\s*[+-]?(0\d|0[xX]|\d{19,}\s*$)"
#: What separates columns besides commas.
_DELIMITERS = (";", "\t", "|")
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


class UnreadableError(ValueError):
    """A file that cannot be read as it is, and what would help."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.fix = fix


def holds(wanted: Ints | None, start: int, stop: int) -> bool:
    """Whether any of the sorted positions lies between two others."""
    if wanted is None:
        return True
    before_start, before_stop = np.searchsorted(wanted, (start, stop))
    return bool(before_start < before_stop)


def compression_of(file: Location) -> str | None:
    """How a file is compressed, by its ending."""
    name = file.name.lower()
    return next((kind for end, kind in _COMPRESSIONS.items() if name.endswith(end)), None)


@dataclass(frozen=True)
class Csv:
    """What is empty is missing, in text as in numbers; "NA" is text, for it may be Namibia.

    Columns of numbers with leading zeros, in hexadecimal, or with more digits than 64 bits hold,
    are codes: text.
    """

    options: CsvOptions = field(default_factory=CsvOptions)

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        import pyarrow.csv

        self._require_dialect(file)
        try:
            with self._reader(file, None) as reader:
                schema, rows = reader.schema, sum(batch.num_rows for batch in reader)
        except pa.ArrowInvalid:
            # The types of the first block are the narrowest that hold it, so if they hold every
            # other block as well, they are those of the file. They do not: it takes it whole.
            with file.stream(compression_of(file)) as source:
                table = pyarrow.csv.read_csv(
                    source, read_options=self._read_options(), **self._options(file, None)
                )
            schema, rows = table.schema, table.num_rows
        for column, found in zip(schema.names, schema.types, strict=True):
            if pa.types.is_binary(found):
                raise UnreadableError(
                    f"column '{column}' is not UTF-8",
                    "State the encoding, such as csv: {encoding: latin-1}",
                )
        return self._with_codes(file, schema), rows

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        first = 0
        with self._reader(file, schema) as reader:
            for batch in reader:
                if holds(wanted, first, first + batch.num_rows):
                    yield first, pa.Table.from_batches([batch])
                first += batch.num_rows

    def _with_codes(self, file: Location, schema: pa.Schema) -> pa.Schema:
        """The columns, with those of numbers that are codes as text."""
        numbers = [
            each.name
            for each in schema
            if (pa.types.is_integer(each.type) or pa.types.is_floating(each.type))
            and each.name not in self.options.types
        ]
        if not numbers or len(set(schema.names)) < len(schema.names):
            return schema
        codes: set[str] = set()
        with self._reader(file, pa.schema([(name, pa.string()) for name in numbers])) as reader:
            for batch in reader:
                for name in numbers:
                    if name not in codes:
                        found = pc.any(pc.match_substring_regex(batch[name], _CODE)).as_py()
                        codes |= {name} if found else set()
        fields = [
            pa.field(each.name, pa.string(), metadata=CODES) if each.name in codes else each
            for each in schema
        ]
        return pa.schema(fields)

    def _require_dialect(self, file: Location) -> None:
        """Look at the first line: most dialects show there."""
        with file.stream(compression_of(file)) as source:
            lines = source.read(TEXT_BLOCK).split(b"\n")
        line = lines[min(self.options.skip_rows, len(lines) - 1)]
        try:
            text = line.decode(self.options.encoding)
        except UnicodeDecodeError:
            raise UnreadableError(
                f"its first line is not {self.options.encoding}",
                "State the encoding, such as csv: {encoding: latin-1}",
            ) from None
        if self.options.delimiter is None and self._delimiter(file) not in text:
            for delimiter in _DELIMITERS:
                if delimiter in text:
                    raise UnreadableError(
                        f"it looks separated by {delimiter!r}",
                        f"Set csv: {{delimiter: {json.dumps(delimiter)}}}, and decimal: ',' if "
                        "numbers have a decimal comma",
                    )

    def _reader(self, file: Location, schema: pa.Schema | None) -> Any:
        import pyarrow.csv

        source = file.stream(compression_of(file))
        return pyarrow.csv.open_csv(
            source, read_options=self._read_options(), **self._options(file, schema)
        )

    def _read_options(self) -> Any:
        import pyarrow.csv

        given = self.options
        named = list(given.names) or None
        skipped = given.skip_rows + (1 if named and given.header else 0)
        return pyarrow.csv.ReadOptions(
            block_size=TEXT_BLOCK,
            encoding=given.encoding,
            skip_rows=skipped,
            column_names=named,
            autogenerate_column_names=not given.header and not named,
        )

    def _delimiter(self, file: Location) -> str:
        usual = "\t" if ".tsv" in file.name.lower() else ","
        return self.options.delimiter or usual

    def _options(self, file: Location, schema: pa.Schema | None) -> dict[str, Any]:
        import pyarrow.csv

        given = self.options
        stated = {name: type_named(name, kind) for name, kind in given.types.items()}
        return {
            # Otherwise a block may begin inside quotes, and a file with such lines be refused.
            "parse_options": pyarrow.csv.ParseOptions(
                delimiter=self._delimiter(file),
                quote_char=given.quote or False,
                newlines_in_values=bool(given.quote),
            ),
            "convert_options": pyarrow.csv.ConvertOptions(
                null_values=list(given.null_values),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                decimal_point=given.decimal,
                timestamp_parsers=[*given.time_formats, pyarrow.csv.ISO8601],
                column_types=stated if schema is None else schema,
                include_columns=None if schema is None else schema.names,
            ),
        }


def type_named(column: str, name: str) -> pa.DataType:
    """The Arrow type of a name, such as ``string`` or ``decimal(10, 2)``.

    Raises
    ------
    UnreadableError
    """
    head, _, rest = name.partition("(")
    try:
        if head.strip() in ("decimal", "decimal128") and rest:
            precision, _, scale = rest.rstrip(") ").partition(",")
            return pa.decimal128(int(precision), int(scale or 0))
        return pa.type_for_alias(name)
    except ValueError:
        raise UnreadableError(
            f"unknown type '{name}' of column '{column}'",
            "Use one of string, int64, float64, bool, date32, timestamp[us], decimal(10, 2)",
        ) from None


class JsonLines:
    """One object a line, or one array of objects. A field that an object lacks is missing there."""

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        schema, rows = pa.schema([]), 0
        for block in JsonLines._blocks(file):
            table = JsonLines._parse(block, None)
            schema, rows = _joined(schema, table.schema), rows + table.num_rows
        return schema, rows

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        first = 0
        for block in JsonLines._blocks(file):
            table = JsonLines._parse(block, schema)
            if holds(wanted, first, first + table.num_rows):
                yield first, table
            first += table.num_rows

    @staticmethod
    def _blocks(file: Location) -> Iterator[bytes]:
        """Whole lines, about a block of bytes at a time."""
        held = b""
        with file.stream(compression_of(file)) as source:
            while read := source.read(TEXT_BLOCK):
                if not held and read.lstrip()[:1] == b"[":
                    yield from _lines_of_array(read, source)
                    return
                whole, newline, rest = (held + read).rpartition(b"\n")
                held = rest if newline else whole + rest
                if whole.strip() and newline:
                    yield whole + newline
        if held.strip():
            yield held

    @staticmethod
    def _parse(block: bytes, schema: pa.Schema | None) -> pa.Table:
        import pyarrow.json

        options = pyarrow.json.ParseOptions(
            explicit_schema=schema,
            unexpected_field_behavior="infer" if schema is None else "ignore",
        )
        whole = pyarrow.json.ReadOptions(block_size=len(block) + 1)
        return pyarrow.json.read_json(io.BytesIO(block), whole, options)


def _lines_of_array(read: bytes, source: Any) -> Iterator[bytes]:
    """The objects of one array, each as a line, about a block of bytes at a time."""
    decode = json.JSONDecoder().raw_decode
    utf8 = codecs.getincrementaldecoder("utf-8-sig")()
    text, ended = utf8.decode(read).lstrip()[1:], False
    while not ended:
        lines, at = [], 0
        while True:
            while at < len(text) and text[at] in " \t\r\n,":
                at += 1
            if at < len(text) and text[at] == "]":
                ended = True
                break
            try:
                value, at = decode(text, at)
            except json.JSONDecodeError:
                break
            if not isinstance(value, dict):
                raise UnreadableError(
                    f"its array holds {json.dumps(value)[:40]}, not objects only",
                    "Write one object for each row",
                )
            lines.append(json.dumps(value))
        if lines:
            yield ("\n".join(lines) + "\n").encode()
        text = text[at:]
        if not ended:
            more = source.read(TEXT_BLOCK)
            if not more:
                raise UnreadableError("its array does not end", "Write the file again")
            text += utf8.decode(more)


def _joined(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Types that hold the values of two blocks; what looks like a time in one only is text."""
    either = {field.name: field.type for field in one}
    fields = []
    for each in other:
        kinds = {each.type, either.get(each.name, each.type)}
        if any(map(pa.types.is_string, kinds)) and any(map(pa.types.is_timestamp, kinds)):
            one = one.set(one.names.index(each.name), pa.field(each.name, pa.string()))
            each = pa.field(each.name, pa.string())
        fields.append(each)
    return pa.unify_schemas([one, pa.schema(fields)], promote_options="permissive")


def agreed_codes(schemas: Sequence[pa.Schema]) -> list[pa.Schema]:
    """Columns that are codes in one file of a dataset are text in all of them."""
    codes = {each.name for schema in schemas for each in schema if each.metadata == CODES}
    return [
        pa.schema(
            [
                pa.field(each.name, pa.string())
                if each.name in codes and not pa.types.is_null(each.type)
                else each
                for each in schema
            ]
        )
        if codes
        else schema
        for schema in schemas
    ]
