"""Evaluation rows: by a column that marks them, or held out by the identity of rows."""

import hashlib
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import Dataset, open_dataset
from synthmix_dagster.data.identity import scan
from synthmix_dagster.data.priority import priorities
from synthmix_dagster.errors import ConfigError, DataError

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
        The column does not exist, is not boolean, has missing values, or is constant.
    """
    if column not in real.columns:
        raise DataError(
            f"it has no column '{column}' (columns are {', '.join(real.columns)})",
            dataset=real.name,
            fix="Set 'evaluation_column' to a boolean column of the real dataset",
        )
    kind = real.schema.field(column).type
    marked = real.select([column]).table.column(column)
    if not pa.types.is_boolean(kind) or marked.null_count:
        found = f"{marked.null_count} missing values" if marked.null_count else f"the type {kind}"
        raise DataError(
            f"it has {found}, so it cannot mark the evaluation rows",
            dataset=real.name,
            column=column,
            fix="Make it boolean: true for evaluation rows, which the generator never saw",
        )
    rest = real.select([name for name in real.columns if name != column])
    return _split(rest, marked.to_numpy(), f"column {column}")


def split_evaluation(
    real: Any, *, share: float = 0.2, key: str | Collection[str] | None = None, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold out real rows before a generator is fitted, to evaluate it on them.

    Parameters
    ----------
    real : path, DataFrame or Arrow table
    share : float
        Approximate share of the rows to hold out.
    key : sequence of str, optional
        Columns that identify a row. With them a row stays on its side whatever else is added.
    seed : int

    Returns
    -------
    generator_input, evaluation : DataFrame
        Fit the generator on the first, and pass both to `recommend_ratio`, the second one as
        ``evaluation``.

    Raises
    ------
    ConfigError
        The share is not between 0 and 1.
    DataError
        A side would be empty.

    Examples
    --------
    >>> import pandas as pd
    >>> rest, evaluation = split_evaluation(pd.DataFrame({"x": range(1000)}), share=0.2)
    >>> len(rest) + len(evaluation), 150 < len(evaluation) < 250
    (1000, True)
    """
    rest, evaluation = split_by_share(open_dataset(real, "real"), share, key=key, seed=seed)
    return rest.frame(), evaluation.frame()


def split_by_share(
    real: Dataset, share: float, *, key: str | Collection[str] | None = None, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Split by the identity of rows, as `split_evaluation` does.

    Returns
    -------
    rest, evaluation : Dataset
    """
    if not 0 < share < 1:
        raise ConfigError(f"it is {share}", option="share", fix="Set it above 0 and below 1")
    keys = [key] if isinstance(key, str) else list(key or ())
    ids = np.concatenate([part.ids for part in scan(real, keys, columns=[])])
    # Another hash than that of a mix, so that the split is independent of the selection.
    low = priorities(ids, f"{seed}|evaluation") < share * _PRIORITIES
    return _split(real, low, f"share {share} seed {seed} key {','.join(keys)}")


def _split(real: Dataset, evaluation: NDArray[np.bool_], how: str) -> tuple[Dataset, Dataset]:
    table = real.table
    parts = []
    for name, kept in ((real.name, ~evaluation), ("evaluation", evaluation)):
        if not kept.any():
            raise DataError(
                f"no rows are left for '{name}' ({how})",
                dataset=real.name,
                fix="Change the split so that both sides get rows",
            )
        digest = hashlib.sha256(f"{real.fingerprint}|{how}|{name}".encode()).hexdigest()
        parts.append(Dataset(name, table.filter(pa.array(kept)), digest, origin=real.origin))
    return parts[0], parts[1]
