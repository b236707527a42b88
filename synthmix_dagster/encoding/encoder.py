"""Rows as points: the ground space in which distances and kernels are measured.

One unit is one real standard deviation. A categorical column becomes one slot a level, each worth
``1/sqrt(2)``, so that two different levels are exactly one unit apart; a boolean or a
missing-value indicator is one slot of 0 and 1, one unit apart as well; a vector is a block with the
total variance of one column.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from synthmix_dagster.encoding.codes import ColumnCode
from synthmix_dagster.encoding.columns import (
    column_kind,
    require_finite,
    require_named,
    shared_columns,
    some_names,
)
from synthmix_dagster.encoding.fit_codes import fit_code
from synthmix_dagster.encoding.options import FARTHEST, Columns
from synthmix_dagster.errors import DataError


@dataclass(frozen=True)
class Encoder:
    """A fitted map from frames to points.

    Attributes
    ----------
    codes : tuple of ColumnCode
        One entry a column that is used, in the order of the real frame.
    dimension : int
        Number of encoded coordinates.
    notes : tuple of str
        What a reader has to know: columns dropped, values pooled, unseen or missing.
    """

    codes: tuple[ColumnCode, ...]
    dimension: int
    notes: tuple[str, ...]

    @classmethod
    def fit(
        cls, real: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns = Columns()
    ) -> "Encoder":
        """Learn scales and levels from `real`.

        Parameters
        ----------
        real, synthetic : DataFrame
            The two datasets; columns are matched by name.
        columns : Columns
            Which of them take part, as what, and on what scale.

        Raises
        ------
        ConfigError
            A name in `columns` is in neither dataset.
        DataError
            No column is shared, types differ, values are infinite, or a column is free text.

        Examples
        --------
        >>> real = pd.DataFrame({"x": np.arange(30.0), "c": ["a", "b", "c"] * 10})
        >>> Encoder.fit(real, real).dimension
        4
        >>> Encoder.fit(real, real, Columns(ignore="c")).dimension
        1
        """
        require_named(columns, [*map(str, real.columns), *map(str, synthetic.columns)])
        left_out = set(columns.left_out)
        notes = _unmatched(real, synthetic, left_out)
        codes: list[ColumnCode] = []
        start = 0
        for name in shared_columns(real.columns, synthetic.columns, left_out):
            code, remarks = fit_code(
                real[name],
                synthetic[name],
                categorical=name in columns.categorical,
                scaling=columns.scaling,
                weight=columns.weights.get(str(name), 1.0),
                embed=columns.embed.get(str(name)),
            )
            notes += remarks
            if code is not None and synthetic[name].isna().all():
                notes.append(f"{name} has no value in synthetic")
            if code is not None:
                codes.append(replace(code, start=start, stop=start + code.stop))
                start += code.stop
        if not codes:
            raise DataError(
                "every shared column is constant or empty",
                dataset="real",
                fix="Check that the right file was read, and that it has more than one row",
            )
        return cls(codes=tuple(codes), dimension=start, notes=tuple(notes))

    @property
    def columns(self) -> list[str]:
        """Columns that are used, in the order of the coordinates."""
        return [code.column for code in self.codes]

    def code(self, column: str) -> ColumnCode:
        """How a column that is used is encoded."""
        return self.codes[self.columns.index(column)]

    def require(self, frame: pd.DataFrame, dataset: str) -> None:
        """Refuse rows that lack a column, or hold it in another type, or with infinite values.

        Raises
        ------
        DataError
            The first column that cannot be encoded as the real ones were.
        """
        for code in self.codes:
            if code.column not in frame.columns:
                raise DataError(
                    "this column of the real dataset is not there",
                    dataset=dataset,
                    column=code.column,
                    fix="Add it, or add it to 'ignore'",
                )
            values = frame[code.column]
            if code.embedding is not None:
                # What it cannot take, it refuses itself.
                code.embedding.vectors(values.dropna().unique().tolist()[:1], dataset)
                continue
            kind = column_kind(values, dataset, categorical=code.kind == "categorical")
            expected = "numeric" if code.kind == "constant" else code.kind
            if code.kind != "presence" and kind not in (expected, "empty"):
                raise DataError(
                    f"it is {kind} ({values.dtype}) but {code.kind} in the real dataset",
                    dataset=dataset,
                    column=code.column,
                    fix="Convert it, or add the column to 'ignore'",
                )
            if kind in ("numeric", "datetime"):
                require_finite(values, dataset)

    def transform(self, frame: pd.DataFrame, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Encode a frame.

        Parameters
        ----------
        frame : DataFrame
            Rows with every column the encoder was fitted on.
        dtype : dtype
            Precision of the points; every column is scaled in double precision.

        Returns
        -------
        ndarray of shape (n_rows, dimension)
            Points in units of real standard deviations.
        """
        points = np.zeros((len(frame), self.dimension), dtype=dtype)
        # What overflows here is too far, see `require_near`.
        with np.errstate(over="ignore", invalid="ignore"):
            for code in self.codes:
                code.fill(points[:, code.start : code.stop], frame[code.column])
        return points

    def require_near(self, points: NDArray[Any], dataset: str) -> None:
        """Refuse encoded rows that are too far out to be computed with.

        Raises
        ------
        DataError
            A value lies more than `FARTHEST` units from the origin.
        """
        extent = np.maximum(points.max(axis=0), -points.min(axis=0))
        for code in self.codes:
            own = float(extent[code.start : code.stop].max()) / math.sqrt(code.weight)
            # Not a number is what two infinities leave: values too large, or a scale too small.
            if not own <= FARTHEST:
                far = f"{own:.3g}" if math.isfinite(own) else "more than 1e38"
                raise DataError(
                    f"it holds a value {far} real standard deviations out",
                    dataset=dataset,
                    column=code.column,
                    fix="Replace what stands for a missing value by one, give the column another "
                    "unit, or set 'scaling' to 'rank'",
                )


def _unmatched(real: pd.DataFrame, synthetic: pd.DataFrame, left_out: Collection[str]) -> list[str]:
    """Notes on columns of one dataset only."""
    notes = []
    for dataset, own, other in (("real", real, synthetic), ("synthetic", synthetic, real)):
        only = [c for c in own.columns if c not in set(other.columns) and c not in left_out]
        if only:
            notes.append(f"left out, only in {dataset}: {some_names(only)}")
    return notes
