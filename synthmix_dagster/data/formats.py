"""How files of each format are looked at and read, a bounded piece at a time.

Looking gives the columns and the number of rows. Parquet and Arrow files write them down; of text
all rows have to be read for them, but not kept.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.locations import Location

Ints = NDArray[np.int64]
Pieces = Iterator[tuple[int, pa.Table]]

#: Maximum rows of a piece of a Parquet file, and bytes of one of a text file.
PIECE_ROWS = 65_536
TEXT_BLOCK = 2**20


class Format(Protocol):
    """What a format must provide."""

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        """Columns and number of rows."""

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        """Columns of a schema, with the number of the first row of each piece.

        No piece of Parquet or Arrow files has more than `rows` rows; pieces that hold none of the
        sorted positions in `wanted` may be left out.
        """


def holds(wanted: Ints | None, start: int, stop: int) -> bool:
    """Whether any of the sorted positions lies between two others."""
    if wanted is None:
        return True
    before_start, before_stop = np.searchsorted(wanted, (start, stop))
    return bool(before_start < before_stop)


class Parquet:
    """Row groups are skipped where nothing is wanted of them."""

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        import pyarrow.parquet

        with file.open() as source, pyarrow.parquet.ParquetFile(source) as opened:
            return opened.schema_arrow, opened.metadata.num_rows

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        import pyarrow.parquet

        with (
            file.open() as source,
            pyarrow.parquet.ParquetFile(source, pre_buffer=False) as opened,
        ):
            sizes = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
            for group, end in enumerate(accumulate(sizes)):
                first = end - sizes[group]
                if holds(wanted, first, end):
                    for batch in opened.iter_batches(rows, [group], columns=schema.names):
                        yield first, pa.Table.from_batches([batch])
                        first += batch.num_rows


class Arrow:
    """Arrow and Feather files: batches as they were written, cut where they are long."""

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        with file.open() as source, pa.ipc.open_file(source) as opened:
            schema = opened.schema
        first = schema.names[:1]
        return schema, sum(len(batch) for batch in Arrow._batches(file, schema, first))

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        first = 0
        for batch in Arrow._batches(file, None, schema.names):
            for start in range(0, len(batch), rows):
                piece = batch.slice(start, rows)
                if holds(wanted, first, first + len(piece)):
                    yield first, pa.Table.from_batches([piece])
                first += len(piece)

    @staticmethod
    def _batches(
        file: Location, schema: pa.Schema | None, columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        with file.open() as source:
            names = (schema or pa.ipc.open_file(source).schema).names
            places = {name: place for place, name in enumerate(names)}
            options = pa.ipc.IpcReadOptions(included_fields=[places[c] for c in columns])
            with pa.ipc.open_file(source, options=options) as opened:
                for number in range(opened.num_record_batches):
                    yield opened.get_batch(number)


class Csv:
    """What is empty is missing, in text as in numbers; "NA" is text, for it may be Namibia."""

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        import pyarrow.csv

        try:
            with Csv._reader(file, None) as reader:
                schema, rows = reader.schema, sum(batch.num_rows for batch in reader)
        except pa.ArrowInvalid:
            # The types of the first block are the narrowest that hold it, so if they hold every
            # other block as well, they are those of the file. They do not: it takes it whole.
            with file.stream(_compression(file)) as source:
                table = pyarrow.csv.read_csv(source, **Csv._options(None))
            schema, rows = table.schema, table.num_rows
        for column, found in zip(schema.names, schema.types, strict=True):
            if pa.types.is_binary(found):
                raise ValueError(f"column '{column}' is not UTF-8")
        return schema, rows

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        first = 0
        with Csv._reader(file, schema) as reader:
            for batch in reader:
                if holds(wanted, first, first + batch.num_rows):
                    yield first, pa.Table.from_batches([batch])
                first += batch.num_rows

    @staticmethod
    def _reader(file: Location, schema: pa.Schema | None) -> Any:
        import pyarrow.csv

        blocks = pyarrow.csv.ReadOptions(block_size=TEXT_BLOCK)
        source = file.stream(_compression(file))
        return pyarrow.csv.open_csv(source, read_options=blocks, **Csv._options(schema))

    @staticmethod
    def _options(schema: pa.Schema | None) -> dict[str, Any]:
        import pyarrow.csv

        return {
            # Otherwise a block may begin inside quotes, and a file with such lines be refused.
            "parse_options": pyarrow.csv.ParseOptions(newlines_in_values=True),
            "convert_options": pyarrow.csv.ConvertOptions(
                null_values=["", "NaN", "nan", "NULL", "null"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                column_types=schema,
                include_columns=None if schema is None else schema.names,
            ),
        }


class JsonLines:
    """One object a line. A field that a line lacks is missing there."""

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
        with file.stream(_compression(file)) as source:
            while read := source.read(TEXT_BLOCK):
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


READERS: dict[str, Format] = {
    "parquet": Parquet(),
    "arrow": Arrow(),
    "csv": Csv(),
    "json lines": JsonLines(),
}


def _compression(file: Location) -> str | None:
    return "gzip" if file.name.lower().endswith(".gz") else None


def _joined(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Types that hold the values of two blocks; what looks like a time in one only is text."""
    either = {field.name: field.type for field in one}
    fields = []
    for field in other:
        kinds = {field.type, either.get(field.name, field.type)}
        if any(map(pa.types.is_string, kinds)) and any(map(pa.types.is_timestamp, kinds)):
            one = one.set(one.names.index(field.name), pa.field(field.name, pa.string()))
            field = pa.field(field.name, pa.string())
        fields.append(field)
    return pa.unify_schemas([one, pa.schema(fields)], promote_options="permissive")
