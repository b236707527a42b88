"""One column of the user as a run of encoded coordinates; `fit_codes` learns how."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.columns import (
    Kind,
    as_numbers,
    as_vectors,
    level_names,
)
from synthmix_dagster.encoding.embed import Embedding, embedded
from synthmix_dagster.encoding.options import Scaling

if TYPE_CHECKING:
    from sklearn.preprocessing import QuantileTransformer

Points = NDArray[Any]

#: What a category has slots for beside its levels.
MISSING, RARE, UNSEEN = "missing", "rare", "unseen"


@dataclass(frozen=True, eq=False)
class ColumnCode:
    """How one column of the user becomes a run of encoded coordinates.

    Attributes
    ----------
    column : str
        Name in the user's data.
    kind : str
        ``numeric``, ``boolean``, ``datetime``, ``categorical``, ``vector``; ``constant`` for a
        number that is the same in all real rows (one slot: is it another?); ``presence`` for a
        column whose values say nothing but which is missing in some rows.
    start, stop : int
        The coordinates this column occupies, as a half-open range.
    weight : float
        Factor on the column's part of a squared distance.
    center : float or ndarray
        What becomes the origin: a number, or for vectors one number a coordinate.
    scale : float
        What becomes one unit.
    scaling : str
        Where `scale` comes from: ``standard``, ``robust``, ``rank``, or empty where a unit is a
        unit.
    ranks : QuantileTransformer, optional
        With ranks: from values to their share of the real rows that are lower.
    levels : tuple of str
        Levels that have a slot of their own (categorical columns).
    pooled : frozenset of str
        Levels that share the slot ``rare``.
    slots : tuple of str
        Extra slots, in order, out of ``rare``, ``unseen`` and ``missing``.
    unseen, clipped : int
        Synthetic values with a level that no real row has, whichever slot they share; beyond the
        real extremes, where ranks end.
    origin : float
        Subtracted from numbers, exactly, before anything else is done with them.
    embedding : Embedding, optional
        What makes vectors of the values.
    """

    column: str
    kind: Kind
    start: int
    stop: int
    weight: float = 1.0
    center: Any = 0.0
    scale: float = 1.0
    scaling: Scaling | Literal[""] = ""
    ranks: "QuantileTransformer | None" = None
    levels: tuple[str, ...] = ()
    pooled: frozenset[str] = frozenset()
    slots: tuple[str, ...] = ()
    unseen: int = 0
    clipped: int = 0
    origin: float = 0.0
    embedding: Embedding | None = None

    @property
    def tells_missing(self) -> bool:
        """Whether a missing value lies elsewhere than a usual one."""
        return self.kind == "presence" or MISSING in self.slots

    def fill(self, block: Points, values: pd.Series) -> None:
        """Write the encoded values into `block`, zeros of shape (n_rows, stop - start)."""
        if self.kind == "categorical":
            self._fill_levels(block, values)
        elif self.kind == "presence":
            block[:, 0] = values.isna()
        elif self.kind == "vector":
            known = values.notna().to_numpy()
            block[known, : len(self.center)] = self._scaled(self.vectors(values))
        else:
            numbers = as_numbers(values, self.origin)
            known = ~np.isnan(numbers)
            if self.kind == "constant":
                rounded = rounding_of(values, self.origin)
                block[known, 0] = differs(numbers[known], self.center, rounded)
            else:
                block[known, 0] = self._scaled(numbers[known])
        if self.slots and self.kind != "categorical":
            block[values.isna().to_numpy(), -1] = 1.0
        if self.weight != 1.0:
            block *= np.sqrt(self.weight)

    def vectors(self, values: pd.Series) -> Points:
        """Vectors of the values that are there, before they are scaled."""
        if self.embedding is None:
            return as_vectors(values)
        return as_vectors(embedded(values, self.embedding, "synthetic"))

    def _scaled(self, numbers: Points) -> Points:
        if self.ranks is not None:
            numbers = self.ranks.transform(numbers[:, None])[:, 0] if len(numbers) else numbers
        return np.asarray((numbers - self.center) / self.scale)

    def _fill_levels(self, block: Points, values: pd.Series) -> None:
        codes, distinct = pd.factorize(level_names(values))
        if block.shape[1] == 1:
            # What is neither level is as far from the one as from the other.
            place = {self.levels[0]: 0.0, self.levels[1]: 1.0}
            places = np.array([*(place.get(level, 0.5) for level in distinct), 0.5])
            block[:, 0] = places[codes]
            return
        position = {level: i for i, level in enumerate(self.levels)}
        extra = {slot: len(self.levels) + i for i, slot in enumerate(self.slots)}
        position |= dict.fromkeys(self.pooled, extra.get(RARE, -1))
        # A level met for the first time after fitting goes where unseen or rare levels live; with
        # neither slot it stays at the origin, equally far from every known level.
        fallback = extra.get(UNSEEN, extra.get(RARE, -1))
        slots = [position.get(level, fallback) for level in distinct]
        # factorize numbers what is missing -1, which takes the last entry.
        at = np.array([*slots, extra.get(MISSING, -1)])[codes]
        rows = np.flatnonzero(at >= 0)
        block[rows, at[rows]] = np.sqrt(0.5)


def rounding_of(values: pd.Series, origin: float) -> float:
    """What rounding is relative to: the size of floats; integers have none."""
    return 0.0 if pd.api.types.is_integer_dtype(values.dtype) else origin


def differs(numbers: Points, constant: float, rounded: float = 0.0) -> NDArray[np.bool_]:
    """Whether numbers are another than a constant, both without an origin that was `rounded`."""
    size = max(abs(constant + rounded), 1e-300)
    return np.asarray(np.abs(numbers - constant) > 1e-9 * size)
