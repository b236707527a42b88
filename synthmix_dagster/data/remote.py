"""Rows that are not read here: a cluster holds them, and answers for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.view import View


class Stretch(NamedTuple):
    """Some rows of a dataset.

    Attributes
    ----------
    ids : ndarray of int of shape (n_rows,)
        Their identities.
    numbers : ndarray of int of shape (n_rows,)
        Their places among all rows of the dataset; of rows without an order, the identities.
    table : pyarrow.Table
    """

    ids: NDArray[np.int64]
    numbers: NDArray[np.int64]
    table: pa.Table


#: What is done with some of the rows where they are; it returns plain values and arrays.
Kernel = Callable[[Iterable[Stretch]], Any]


class RemoteRows(Protocol):
    """The rows of a dataset that lie on a cluster.

    Only what kernels return travels: samples, counts and histograms, never a dataset.
    """

    @property
    def num_rows(self) -> int:
        """Number of rows."""

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""

    @property
    def view(self) -> View:
        """What is handed out of the source."""

    @property
    def has_places(self) -> bool:
        """Whether a row is known by its file and its number in it."""

    def select(self, columns: Sequence[str]) -> "RemoteRows":
        """The same rows with some of the columns; the others are not read."""

    def over(self, kernel: Kernel, key: Sequence[str] = ()) -> Iterator[Any]:
        """Hand all rows with their identities to a kernel, and yield what it makes of each part.

        Parameters
        ----------
        kernel : callable
            Called once for each part, with consecutive rows of it; runs on the cluster.
        key : sequence of str
            Columns that identify a row.
        """

    def summed(self, kernel: Kernel, size: int, key: Sequence[str] = ()) -> NDArray[np.int64]:
        """Hand all rows to a kernel, and add up the whole numbers that it makes of each part.

        The cluster adds them up, so that the driver sees them once.

        Parameters
        ----------
        kernel : callable
            As in `over`; it returns `size` whole numbers.
        size : int
        key : sequence of str
        """

    def digested(self, words: Kernel, bits: int) -> Mapping[int, bytes]:
        """SHA-256 of two words of every row, in their order, by the leading bits of the first.

        Parameters
        ----------
        words : callable
            From rows to arrays of shape (n_rows, 2) of whole numbers without a sign; runs on the
            cluster.
        bits : int
        """


def is_remote(source: object) -> TypeGuard[RemoteRows]:
    """Whether rows lie on a cluster."""
    return hasattr(type(source), "over")
