"""How files of each format are looked at and read, a bounded piece at a time.

Looking gives the columns and the number of rows, which these files write down. Text is in
`text_formats`.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol

import pyarrow as pa

from synthmix_dagster.data.locations import Location
from synthmix_dagster.data.options import ReadOptions
from synthmix_dagster.data.text_formats import Csv, Ints, JsonLines, Pieces, holds

#: Maximum rows of a piece of a Parquet file.
PIECE_ROWS = 65_536


class Format(Protocol):
    """What a format must provide."""

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        """Columns and number of rows."""

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        """Columns of a schema, with the number of the first row of each piece.

        No piece of Parquet or Arrow files has more than `rows` rows; pieces that hold none of the
        sorted positions in `wanted` may be left out.
        """


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


class Orc:
    """Stripes are skipped where nothing is wanted of them."""

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        from pyarrow import orc

        with file.open() as source:
            opened = orc.ORCFile(source)
            return opened.schema, opened.nrows

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        from pyarrow import orc

        first = 0
        with file.open() as source:
            opened = orc.ORCFile(source)
            for number in range(opened.nstripes):
                stripe = opened.read_stripe(number, columns=schema.names)
                for start in range(0, len(stripe), rows):
                    piece = stripe.slice(start, rows)
                    if holds(wanted, first, first + len(piece)):
                        yield first, pa.Table.from_batches([piece]).select(schema.names)
                    first += len(piece)


_READERS: dict[str, Format] = {
    "parquet": Parquet(),
    "arrow": Arrow(),
    "orc": Orc(),
    "json lines": JsonLines(),
    "json": JsonLines(),
}


def reader_of(kind: str, options: ReadOptions) -> Format:
    """What reads files of a format, in the dialect that the options state."""
    return Csv(options.csv) if kind == "csv" else _READERS[kind]
