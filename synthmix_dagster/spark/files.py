"""Files whose rows executors read, with the readers and identities of the Arrow engine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.formats import PIECE_ROWS, Parquet, reader_of
from synthmix_dagster.data.identity import key_ids, place_of
from synthmix_dagster.data.lake_tables import LakeTable
from synthmix_dagster.data.locations import Location
from synthmix_dagster.data.number_text import NumberRange
from synthmix_dagster.data.options import ReadOptions
from synthmix_dagster.data.reading import StoredFile, StoredRows, asked_of_files, open_file
from synthmix_dagster.data.remote import Stretch
from synthmix_dagster.data.view import View
from synthmix_dagster.spark.rows import SparkRows, Work, over_each, spread

#: Bytes that a task reads, about, before and after columns are left out.
_MIN_TASK, _MAX_TASK = 2**22, 2**27
#: Tasks that files are cut into at least, if they are large enough.
_MIN_TASKS = 200
#: Files that one task looks at, at most.
_LOOKED_AT = 16


class Span(NamedTuple):
    """Consecutive rows of a file.

    Attributes
    ----------
    file : int
        Number of the file.
    start, stop : int
        Numbers of rows in the file.
    groups : tuple of int
        Numbers of the rows with which its row groups begin; none of a whole file.
    """

    file: int
    start: int
    stop: int
    groups: tuple[int, ...]


class Unit(NamedTuple):
    """A part of a file that can be read without the rest of it."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class FileRows(SparkRows):
    """Rows of files.

    Attributes
    ----------
    session : pyspark.sql.SparkSession
    stored : StoredRows
    tasks : tuple of tuple of Span
        Consecutive rows that a task reads.
    """

    session: Any = field(repr=False, compare=False)
    stored: StoredRows
    tasks: tuple[tuple[Span, ...], ...] = field(repr=False)

    @property
    def num_rows(self) -> int:
        return self.stored.num_rows

    @property
    def schema(self) -> pa.Schema:
        return self.stored.schema

    @property
    def view(self) -> View:
        return self.stored.view

    @property
    def has_places(self) -> bool:
        return True

    def select(self, columns: Sequence[str]) -> "FileRows":
        return replace(self, stored=self.stored.select(columns))

    def mapped(self, work: Work, out: str, key: Sequence[str] = (), most: int | None = None) -> Any:
        tasks = self.tasks if most is None else _fewer(self.tasks, most)
        handed, wanted = self.stored, list(self.stored.column_names)
        read = handed if set(key) <= set(wanted) else _with(handed, key)

        def read_and_work(task: int) -> Iterator[pa.RecordBatch]:
            yield from work(task, _stretches(read, tasks[task], wanted, key))

        return spread(self.session, read_and_work, len(tasks), out)

    def first(self, rows: int) -> pa.Table:
        return next(self.stored.pieces(rows)).table.slice(0, rows)


def open_rows(
    session: Any,
) -> Callable[..., StoredRows]:
    """What opens files in the place of `StoredRows.open`: executors look at them."""

    def opened(
        locations: Sequence[Location],
        dataset: str,
        view: View,
        options: ReadOptions,
        table: LakeTable | None = None,
    ) -> StoredRows:
        asking = asked_of_files(view, options, table)
        readers = {} if table is None else table.readers

        def look(location: Location) -> dict[str, Any]:
            return _plain(open_file(location, dataset, asking, readers.get(location.name)))

        files = []
        for location, found in zip(locations, _over(session, look, locations), strict=True):
            reader = readers.get(location.name) or reader_of(location.format, asking)
            files.append(StoredFile(location=location, reader=reader, **_of_plain(found)))
        rows = StoredRows.of(files, dataset, view, options, table)
        widened = [file for file in rows.files if rows.widened(file)]
        _over(session, rows.require_lossless, widened)
        return rows.with_kept(_over(session, rows.kept_of, rows.files)) if view.filters else rows

    return opened


def cut(session: Any, stored: StoredRows) -> FileRows:
    """Files as tasks of about the same size; executors look where they can be cut."""
    if stored.view.filters:
        # Which rows come before a row is only known after reading its file from the beginning.
        units = [[Unit(file.rows, 0)] for file in stored.files]
    else:
        units = _over(session, units_of, stored.files)
    spans = [
        (span, size)
        for number, of_file in enumerate(units)
        for span, size in _spans(number, [Unit(*unit) for unit in of_file], _whole(stored, number))
    ]
    total = sum(size for _, size in spans)
    most = min(_MAX_TASK, max(_MIN_TASK, total // _MIN_TASKS))
    tasks: list[list[Span]] = [[]]
    held = 0
    for span, size in spans:
        if tasks[-1] and held + size > most:
            tasks.append([])
            held = 0
        tasks[-1].append(span)
        held += size
    return FileRows(session, stored, tuple(_joined(task) for task in tasks))


def units_of(file: StoredFile) -> list[tuple[int, int]]:
    """Rows and bytes of the parts of a file that can be read by themselves: its row groups."""
    if type(file.reader) is Parquet:
        import pyarrow.parquet

        with file.location.open() as source, pyarrow.parquet.ParquetFile(source) as opened:
            groups = [opened.metadata.row_group(i) for i in range(opened.num_row_groups)]
            return [(group.num_rows, group.total_byte_size) for group in groups]
    with file.location.open() as source:
        return [(file.rows, source.size())]


def _whole(stored: StoredRows, number: int) -> bool:
    """Whether a file is read from its beginning to its end."""
    return bool(stored.view.filters) or type(stored.files[number].reader) is not Parquet


def _spans(number: int, units: Sequence[Unit], whole: bool) -> Iterator[tuple[Span, int]]:
    starts = [0, *accumulate(unit.rows for unit in units)]
    for unit, start in zip(units, starts, strict=False):
        if unit.rows or whole:
            groups = () if whole else (start,)
            yield Span(number, start, start + unit.rows, groups), unit.bytes


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours in one file as one."""
    joined: list[Span] = []
    for span in spans:
        before = joined[-1] if joined else None
        if before is not None and (before.file, before.stop) == (span.file, span.start):
            joined[-1] = before._replace(stop=span.stop, groups=before.groups + span.groups)
        else:
            joined.append(span)
    return tuple(joined)


def _fewer(tasks: Sequence[tuple[Span, ...]], most: int) -> list[tuple[Span, ...]]:
    """Consecutive tasks put together, so that there are no more than some."""
    bounds = np.linspace(0, len(tasks), min(most, len(tasks)) + 1).astype(int).tolist()
    return [
        _joined([span for task in tasks[start:stop] for span in task])
        for start, stop in pairwise(bounds)
    ]


def _with(stored: StoredRows, key: Sequence[str]) -> StoredRows:
    """The same rows with the columns of the key, by the names of the view."""
    every = stored.view.handed_out(stored.stored.names, stored.dataset)
    names = dict(stored.names) | {column: every[column] for column in key}
    return replace(stored, names=tuple(names.items()))


def _stretches(
    stored: StoredRows, spans: Sequence[Span], wanted: Sequence[str], key: Sequence[str]
) -> Iterator[Stretch]:
    """Rows of some spans with their identities; runs on an executor."""
    firsts = [0, *accumulate(file.kept for file in stored.files)]
    for span in spans:
        file = stored.files[span.file]
        one = replace(stored, files=(file,))
        groups = np.array(span.groups, dtype=np.int64) if span.groups else None
        for piece in one.pieces(PIECE_ROWS, groups):
            numbers, table, first = piece.numbers, piece.table, piece.first
            if groups is not None:
                here = slice(*np.searchsorted(numbers, (span.start, span.stop)))
                numbers, table, first = (
                    numbers[here],
                    table.slice(here.start, here.stop - here.start),
                    first + here.start,
                )
            if len(numbers):
                ids = (
                    key_ids(table, key, stored.dataset)
                    if key
                    else place_of(file.location.name) + numbers
                )
                places = firsts[span.file] + first + np.arange(len(numbers), dtype=np.int64)
                yield Stretch(ids, places, table.select(list(wanted)))


def _over(session: Any, look: Callable[[Any], Any], each: Sequence[Any]) -> list[Any]:
    """What executors find when they look at some things, several a task."""
    if not each:
        return []
    size = min(_LOOKED_AT, max(1, len(each) // _MIN_TASKS))

    def some(task: int) -> list[Any]:
        return [look(one) for one in each[task * size : (task + 1) * size]]

    return [one for found in over_each(session, some, -(-len(each) // size)) for one in found]


def _plain(file: StoredFile) -> dict[str, Any]:
    """What an executor has seen of a file, as plain values."""
    return {
        "rows": file.rows,
        "raw": bytes(file.raw.serialize()),
        "sha256": file.sha256,
        "state": file.state,
        "notes": file.notes,
        "numbers": {name: tuple(vars(seen).values()) for name, seen in file.numbers.items()},
    }


def _of_plain(found: dict[str, Any]) -> dict[str, Any]:
    raw = pa.ipc.read_schema(pa.py_buffer(found["raw"]))
    return {
        **found,
        "raw": raw,
        "schema": raw,
        "kept": found["rows"],
        "numbers": {name: NumberRange(*seen) for name, seen in found["numbers"].items()},
    }
