"""Rows that stay in their files until they are needed, and are then read a piece at a time.

Opening looks at every file once: its bytes for the fingerprint, its columns and the number of its
rows. Every row keeps its number in its file, whatever is filtered out before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data import left_out
from synthmix_dagster.data.common_schema import clash, common_schema, promoted
from synthmix_dagster.data.filtering import filter_mask
from synthmix_dagster.data.formats import PIECE_ROWS, Format, reader_of
from synthmix_dagster.data.lake_tables import LakeTable
from synthmix_dagster.data.locations import Location
from synthmix_dagster.data.number_text import NumberRange
from synthmix_dagster.data.options import ReadOptions
from synthmix_dagster.data.plain_types import (
    notes_on_types,
    plain_schema,
    plain_table,
    ranges_of,
    require_usable,
    with_precision,
    without_precision,
)
from synthmix_dagster.data.stored_files import naming, require_unchanged, require_unique, sha256_of
from synthmix_dagster.data.text_formats import Ints, agreed_codes, holds
from synthmix_dagster.data.view import View
from synthmix_dagster.errors import DataError

#: Column of a snapshot that holds a hash of the content of its row, and is never handed out.
HASH = "\0content"
#: Files opened at a time; digests are most of the work and release the interpreter lock.
_READERS = 2


@dataclass(frozen=True)
class StoredFile:
    """One file, as it was when it was opened.

    Attributes
    ----------
    location : Location
        Where it lies; the same file elsewhere is equal.
    rows : int
        Rows in the file.
    schema : pyarrow.Schema
    sha256 : str
        Digest of the bytes.
    state : tuple
        Size, time of the last change and the like, by which a later change is noticed.
    kept : int
        Rows that meet the filters.
    raw : pyarrow.Schema
        Columns as the file has them, before they became plain types.
    reader : Format
        What reads it.
    notes : tuple of str
        Columns that were left out or changed.
    numbers : mapping of str to NumberRange
        What values there are in columns of numbers of any length.
    """

    location: Location = field(compare=False)
    rows: int
    schema: pa.Schema
    sha256: str
    state: tuple[Any, ...] = field(compare=False)
    kept: int
    raw: pa.Schema = field(compare=False)
    reader: Format = field(compare=False, repr=False)
    notes: tuple[str, ...] = ()
    numbers: Mapping[str, NumberRange] = field(default_factory=dict, compare=False)


class Piece(NamedTuple):
    """Consecutive rows of one file.

    Attributes
    ----------
    first : int
        Position of the first row among those of the dataset.
    file : StoredFile
    numbers : ndarray of int
        Number of every row in its file.
    table : pyarrow.Table
    """

    first: int
    file: StoredFile
    numbers: Ints
    table: pa.Table


@dataclass(frozen=True)
class StoredRows:
    """The rows of some files, in order. Has the verbs of an Arrow table that a dataset needs.

    Attributes
    ----------
    dataset : str
        What messages call the dataset.
    files : tuple of StoredFile
    stored : pyarrow.Schema
        Columns of the files and of their folders' names, in types that hold the values of all.
    names : tuple of (str, str)
        Columns to hand out: their name, and the one they have where they are stored.
    view : View
    options : ReadOptions
    repeated : ndarray of int, optional
        Of rows that are stored with hashes of their content and go by it: hashes that occur more
        than once, sorted.
    """

    dataset: str
    files: tuple[StoredFile, ...]
    stored: pa.Schema
    names: tuple[tuple[str, str], ...]
    view: View
    options: ReadOptions = field(default_factory=ReadOptions)
    repeated: NDArray[np.uint64] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def open(
        cls,
        locations: Sequence[Location],
        dataset: str,
        view: View | None = None,
        options: ReadOptions | None = None,
        table: LakeTable | None = None,
    ) -> "StoredRows":
        """Look at files, or at those of a table, which says what columns there are.

        A column that some of them lack is missing in their rows.

        Raises
        ------
        DataError
            A file cannot be read, or column types are incompatible.
        """
        view, options = view or View(), options or ReadOptions()
        readers = {} if table is None else table.readers
        asking = asked_of_files(view, options, table)
        with ThreadPoolExecutor(_READERS) as pool:
            files = list(
                pool.map(
                    lambda each: open_file(each, dataset, asking, readers.get(each.name)),
                    locations,
                )
            )
        rows = cls.of(files, dataset, view, options, table)
        for file in rows.files:
            rows.require_lossless(file)
        return rows.with_kept([rows.kept_of(file) for file in rows.files]) if view.filters else rows

    @classmethod
    def of(
        cls,
        files: Sequence[StoredFile],
        dataset: str,
        view: View,
        options: ReadOptions,
        table: LakeTable | None = None,
    ) -> "StoredRows":
        """The rows of files that were looked at; none of their values has been compared yet."""
        agreed = agreed_codes([file.raw for file in files])
        files = [
            _in_plain_types(file, raw, _ranges_of_all(files), options)
            for file, raw in zip(files, agreed, strict=True)
        ]
        stored = (
            common_schema(
                [file.schema for file in files],
                [file.location.partition for file in files],
                dataset,
            )
            if table is None
            else plain_schema(table.schema, options.timezone)
        )
        names = tuple(view.handed_out(stored.names, dataset).items())
        return cls(dataset, tuple(files), stored, names, view, options)

    def kept_of(self, file: StoredFile) -> int:
        """Rows of a file that meet the filters."""
        counted = replace(self, names=())
        return sum(piece.table.num_rows for piece in counted._file_pieces(file, PIECE_ROWS))

    def with_kept(self, kept: Sequence[int]) -> "StoredRows":
        """The same rows, of whose files is known how many rows meet the filters."""
        found = (replace(file, kept=n) for file, n in zip(self.files, kept, strict=True))
        return replace(self, files=tuple(found))

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return sum(file.kept for file in self.files)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return [name for name, _ in self.names]

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        fields = [self.stored.field(column).with_name(name) for name, column in self.names]
        return pa.schema(fields, self.stored.metadata)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of columns that were left out or changed."""
        return tuple(dict.fromkeys(note for file in self.files for note in file.notes))

    def select(self, columns: Sequence[str]) -> "StoredRows":
        """The same rows with some of the columns; the others are not read."""
        names = dict(self.names)
        return replace(self, names=tuple((column, names[column]) for column in columns))

    def read(self) -> pa.Table:
        """All rows."""
        pieces = [piece.table for piece in self.pieces()]
        return pa.concat_tables([self.schema.empty_table(), *pieces])

    def take(self, positions: Sequence[int] | Ints) -> pa.Table:
        """Rows at some positions, in that order. No more is held than these and one piece."""
        wanted, places = np.unique(np.asarray(positions, dtype=np.int64), return_inverse=True)
        taken = [self.schema.empty_table()]
        for piece in self.pieces(wanted=wanted):
            stop = piece.first + piece.table.num_rows
            here = slice(*np.searchsorted(wanted, (piece.first, stop)))
            taken.append(piece.table.take(pa.array(wanted[here] - piece.first)))
        return pa.concat_tables(taken).take(pa.array(places))

    def slices(self, rows: int) -> Iterator[pa.Table]:
        """All rows, in tables of `rows` rows wherever files and their parts begin and end."""
        held = self.schema.empty_table()
        for piece in self.pieces(rows):
            held = pa.concat_tables([held, piece.table])
            while held.num_rows >= rows:
                yield held.slice(0, rows)
                held = held.slice(rows)
        if held.num_rows:
            yield held

    def pieces(self, rows: int = PIECE_ROWS, wanted: Ints | None = None) -> Iterator[Piece]:
        """Rows in order.

        Parameters
        ----------
        rows : int
            Maximum rows of a piece of a Parquet or Arrow file.
        wanted : ndarray of int, optional
            Sorted positions; parts of files that hold none of them are skipped.
        """
        first = 0
        for file in self.files:
            if holds(wanted, first, first + file.kept):
                at = first
                # What is filtered out before a row is only known after reading.
                here = None if wanted is None or self.view.filters else wanted - first
                for piece in self._file_pieces(file, rows, here):
                    yield piece._replace(first=at if here is None else first + piece.first)
                    at += piece.table.num_rows
            first += file.kept

    def _file_pieces(
        self, file: StoredFile, rows: int, wanted: Ints | None = None
    ) -> Iterator[Piece]:
        needed = dict.fromkeys([column for _, column in self.names] + self.view.filtered_columns)
        in_file = set(file.schema.names)
        there = pa.schema([file.raw.field(c) for c in needed if c in in_file])
        with naming(file.location, self.dataset):
            require_unchanged(file.location, file.state, self.dataset)
            for start, piece in self._raw_pieces(file, there, rows, wanted):
                table = self._completed(piece, file, list(needed))
                numbers = np.arange(start, start + table.num_rows, dtype=np.int64)
                if self.view.filters:
                    mask = filter_mask(self.view, table)
                    numbers, table = numbers[mask.to_numpy()], table.filter(mask)
                table = table.select([column for _, column in self.names])
                yield Piece(start, file, numbers, table.rename_columns(self.column_names))
            require_unchanged(file.location, file.state, self.dataset)

    def _raw_pieces(
        self, file: StoredFile, there: pa.Schema, rows: int, wanted: Ints | None
    ) -> Iterator[tuple[int, pa.Table]]:
        if there.names:
            for start, piece in file.reader.pieces(file.location, there, rows, wanted):
                yield start, plain_table(piece, file.raw, file.schema)
            return
        # Only columns of the folder's name are needed: nothing has to be read.
        for start in range(0, file.rows, rows):
            size = min(rows, file.rows - start)
            yield start, pa.table({"": pa.nulls(size)})

    def _completed(self, piece: pa.Table, file: StoredFile, needed: list[str]) -> pa.Table:
        """The piece with what its folder's name says, and in types that go for all files."""
        columns, in_file = [], set(file.schema.names)
        for column in needed:
            kind = self.stored.field(column).type
            if column in in_file:
                columns.append(promoted(piece.column(column), kind))
            else:
                value = pa.scalar(file.location.partition.get(column)).cast(kind)
                columns.append(pa.repeat(value, piece.num_rows))
        if not columns:
            return piece
        fields = [pa.field(c, self.stored.field(c).type) for c in needed]
        return pa.table(columns, schema=pa.schema(fields, self.stored.metadata))

    def widened(self, file: StoredFile) -> list[str]:
        """Columns of a file that have a narrower type there than in all files together."""
        stored = set(self.stored.names)
        return [
            each.name
            for each in file.schema
            if each.name in stored
            and each.type != self.stored.field(each.name).type
            and not pa.types.is_null(each.type)
        ]

    def require_lossless(self, file: StoredFile) -> None:
        """Whether 64-bit integers fit a float depends on their values: look at all of them."""
        changed = tuple((name, name) for name in self.widened(file))
        try:
            if changed:
                one = replace(self, files=(file,), names=changed, view=View())
                for _ in one._file_pieces(file, PIECE_ROWS):
                    pass
        except DataError as error:
            if not isinstance(error.__context__, pa.ArrowInvalid | pa.ArrowTypeError):
                raise
            raise clash(self.dataset, error.__context__) from error


def asked_of_files(view: View, options: ReadOptions, table: LakeTable | None) -> ReadOptions:
    """Options to look at files with: the key names all columns that are read in any case."""
    columns = () if table is None else tuple(table.schema.names)
    return replace(options, key=(*_asked(view, options), *columns))


def open_file(
    location: Location, dataset: str, options: ReadOptions, reader: Format | None
) -> StoredFile:
    """Look at one file: its bytes, its columns and the number of its rows.

    Raises
    ------
    DataError
        It cannot be read.
    """
    reader = reader or reader_of(location.format, options)
    with naming(location, dataset):
        state, digest = location.state(), sha256_of(location)
        raw, rows = reader.look(location)
        require_unique(raw.names, dataset)
        require_usable(raw, dataset)
        numbers = left_out.stored_index(raw, options.key)
        counting = left_out.running_number(
            raw, lambda schema: reader.pieces(location, schema, PIECE_ROWS, None)
        )
        if counting is not None and counting not in options.key:
            numbers.append(counting)
        raw = pa.schema([each for each in raw if each.name not in numbers], raw.metadata)
        unsettled = without_precision(raw)
        ranges = {}
        if unsettled:
            columns = pa.schema([raw.field(name) for name in unsettled])
            pieces = reader.pieces(location, columns, PIECE_ROWS, None)
            ranges = ranges_of((piece for _, piece in pieces), unsettled)
        require_unchanged(location, state, dataset)
    notes = tuple(map(left_out.note, numbers))
    return StoredFile(location, rows, raw, digest, state, rows, raw, reader, notes, ranges)


def _ranges_of_all(files: Sequence[StoredFile]) -> dict[str, NumberRange]:
    """Values of the columns of numbers of any length, in all files."""
    found: dict[str, NumberRange] = {}
    for file in files:
        for name, seen in file.numbers.items():
            found[name] = found.get(name, NumberRange()).joined(seen)
    return found


def _in_plain_types(
    file: StoredFile, raw: pa.Schema, ranges: Mapping[str, NumberRange], options: ReadOptions
) -> StoredFile:
    raw = with_precision(raw, ranges)
    notes = (*file.notes, *notes_on_types(raw, options.timezone))
    return replace(file, raw=raw, schema=plain_schema(raw, options.timezone), notes=notes)


def _asked(view: View, options: ReadOptions) -> tuple[str, ...]:
    """Columns that are read although they look like an index: the key, and what is asked for."""
    return (*options.key, *(view.columns or ()), *view.rename, *view.filtered_columns)
