"""Which real rows judge: evaluation rows by a column that marks them, or put aside by identity."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.tables.dataset import Dataset
from synthmix_dagster.tables.selection import priorities, row_ids

_PRIORITIES = 2.0**62


def split_by_column(real: Dataset, column: str) -> tuple[Dataset, Dataset]:
    """Split by a boolean column, which neither side keeps.

    Returns
    -------
    rest, evaluation : Dataset
        Rows where the column is false, and where it is true.

    Raises
    ------
    DataError
        The column is missing, is not boolean, has missing values, or is the same everywhere.
    """
    if column not in real.columns:
        raise DataError(
            f"it has no column '{column}' ({', '.join(real.columns)})",
            dataset=real.name,
            fix="Name a boolean column of the real dataset as 'evaluation_column'",
        )
    kind = real.schema.field(column).type
    marked = real.select([column]).table.column(column)
    if not pa.types.is_boolean(kind) or marked.null_count:
        found = f"{marked.null_count} missing values" if marked.null_count else f"the type {kind}"
        raise DataError(
            f"it has {found}, and cannot say which rows judge",
            dataset=real.name,
            column=column,
            fix="Make it boolean: true for evaluation rows, which the generator never saw",
        )
    rest = real.select([name for name in real.columns if name != column])
    return _split(rest, marked.to_numpy(), f"column {column}")


def split_by_identity(
    real: Dataset, *, share: float, key: Sequence[str], seed: int
) -> tuple[Dataset, Dataset]:
    """Split by a hash of the rows' identities: with a key, rows stay where they are.

    Parameters
    ----------
    real : Dataset
    share : float
        Share of evaluation rows, about.
    key : sequence of str
    seed : int
    """
    if not 0 < share < 1:
        raise ConfigError(f"it is {share}", option="share", fix="Set it above 0 and below 1")
    # Another seed than that of a mix: rows that are put aside are no sample of those mixed.
    low = priorities(row_ids(real, key), seed + 1) < share * _PRIORITIES
    return _split(real, low, f"share {share} seed {seed} key {','.join(key)}")


def _split(real: Dataset, evaluation: NDArray[np.bool_], how: str) -> tuple[Dataset, Dataset]:
    table = real.table
    parts = []
    for name, kept in ((real.name, ~evaluation), ("evaluation", evaluation)):
        if not kept.any():
            raise DataError(
                f"no row is left for '{name}' ({how})",
                dataset=real.name,
                fix="Mark or keep some rows on either side",
            )
        digest = hashlib.sha256(f"{real.fingerprint}|{how}|{name}".encode()).hexdigest()
        parts.append(Dataset(name, table.filter(pa.array(kept)), digest))
    return parts[0], parts[1]
