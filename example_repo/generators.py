"""A small, decent generator of tables: one decision tree a column (as synthpop does).

Columns are made one after the other. A tree predicts each from the columns before it, and a value
is drawn from the rows that ended in the same leaf. It stands in for the reader's own generator
(SDV, a GAN, a language model): the mix only ever sees its rows.
"""

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeRegressor


class CartGenerator:
    """Sequential tree generator with the customary ``fit`` and ``sample``."""

    def __init__(self, leaf_rows: int = 20, seed: int = 0) -> None:
        self.leaf_rows = leaf_rows
        self.seed = seed

    def fit(self, frame: pd.DataFrame) -> "CartGenerator":
        """Learn every column from those before it."""
        self._rows = frame.reset_index(drop=True)
        codes = _codes(self._rows)
        self._columns = list(frame.columns)
        self._trees: list[DecisionTreeRegressor] = []
        self._leaves: list[dict[int, np.ndarray]] = []
        for i in range(1, len(self._columns)):
            tree = DecisionTreeRegressor(min_samples_leaf=self.leaf_rows, random_state=self.seed)
            tree.fit(codes[:, :i], codes[:, i])
            leaf = tree.apply(codes[:, :i])
            self._trees.append(tree)
            self._leaves.append({at: np.flatnonzero(leaf == at) for at in np.unique(leaf)})
        return self

    def sample(self, rows: int) -> pd.DataFrame:
        """Draw new rows."""
        rng = np.random.default_rng(self.seed)
        donors = [rng.integers(0, len(self._rows), rows)]
        fitted = _codes(self._rows)
        codes = np.empty((rows, len(self._columns)))
        codes[:, 0] = fitted[donors[0], 0]
        for i, (tree, leaves) in enumerate(zip(self._trees, self._leaves, strict=True), start=1):
            leaf = tree.apply(codes[:, :i])
            donor = np.empty(rows, dtype=int)
            for at in np.unique(leaf):
                here = leaf == at
                donor[here] = rng.choice(leaves[at], here.sum())
            donors.append(donor)
            codes[:, i] = fitted[donor, i]
        return pd.DataFrame(
            {
                name: self._rows[name].to_numpy()[donor]
                for name, donor in zip(self._columns, donors, strict=True)
            }
        )


def _codes(frame: pd.DataFrame) -> np.ndarray:
    """Numbers as they are, text as codes, missing values below all others."""
    columns = []
    for name in frame.columns:
        values = frame[name]
        if not pd.api.types.is_numeric_dtype(values.dtype):
            values = pd.Series(pd.factorize(values, sort=True)[0], dtype=float)
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        lowest = np.nanmin(numbers)
        columns.append(np.where(np.isnan(numbers), lowest - 1.0, numbers))
    return np.column_stack(columns)
