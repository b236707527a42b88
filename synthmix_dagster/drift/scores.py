"""How far a batch is from its reference: one score for the batch, and one for every block of it.

A score must be the same function of every batch, or scores of unchanged batches would not be
exchangeable. So scales, levels, slots and directions are fixed by the reference alone, and blocks
have one size for all batches: a larger batch has more of them, not larger ones.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.distance.attribution import contributions
from synthmix_dagster.distance.estimate import Points, cut_estimate
from synthmix_dagster.distance.folds import draw_cuts
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.distance.wasserstein import (
    CHUNK,
    Floats,
    Singles,
    cell_means,
    orthonormal_directions,
)
from synthmix_dagster.encoding.columns import as_numbers, column_kind
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.errors import DataError
from synthmix_dagster.seeds import rng_of

Ints = NDArray[np.int64]

#: Blocks that a batch as large as those of the reference is cut into.
BLOCKS = 32
#: Rows of a block at least; a smaller batch has fewer blocks.
MIN_BLOCK_ROWS = 20
#: Columns whose parts are kept with a score, the largest first.
MAX_COLUMNS = 30
#: Nothing in the data is called that.
_UNSEEN = "\N{REPLACEMENT CHARACTER} unseen"


@dataclass(frozen=True)
class Score:
    """What one series says of one batch.

    Attributes
    ----------
    square : float
        Signed, debiased squared distance, in squared standard deviations.
    rows : int
        Rows of the batch that were measured.
    blocks : tuple of float
        The same for every block of the batch; empty where there are none.
    columns : mapping of str to float
        Parts of the columns in `square`, the largest first.
    """

    square: float
    rows: int
    blocks: tuple[float, ...] = ()
    columns: Mapping[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values, rounded to what carries information."""
        return {
            "square": self.square,
            "rows": self.rows,
            # Seven digits: blocks that differ must not become ties.
            "blocks": [float(f"{value:.7g}") for value in self.blocks],
            "columns": {name: float(f"{part:.4g}") for name, part in (self.columns or {}).items()},
        }


def schema_of(
    frame: pd.DataFrame,
    ignore: Collection[str],
    categorical: Collection[str],
    embed: Collection[str] = (),
) -> str:
    """Names and kinds of the columns that take part, in one line; what is embedded is a vector.

    A column without any value says nothing of its kind, so it gets none: that a column went missing
    is drift, not another schema.

    Examples
    --------
    >>> schema_of(pd.DataFrame({"y": [1.5], "x": ["a"]}), (), ())
    'x categorical, y numeric'
    """
    kinds = {
        str(name): column_kind(frame[name], "batch", categorical=name in categorical)
        for name in frame.columns
        if name not in ignore and name not in embed
    }
    for name in embed:
        if name in frame.columns:
            kinds[str(name)] = "empty" if frame[name].isna().all() else "vector"
    return ", ".join(f"{name} {kind}" for name, kind in sorted(kinds.items()))


def same_schema(one: str, other: str) -> bool:
    """Whether two schemas agree, columns without any value aside.

    Examples
    --------
    >>> same_schema("x numeric, y empty", "x numeric, y boolean")
    True
    >>> same_schema("x numeric", "x categorical")
    False
    """
    first, second = (
        dict(column.rsplit(" ", 1) for column in schema.split(", ")) for schema in (one, other)
    )
    return first.keys() == second.keys() and all(
        "empty" in (kind, second[name]) or kind == second[name] for name, kind in first.items()
    )


def reference_score(
    reference: pd.DataFrame,
    batch: pd.DataFrame,
    *,
    block_rows: int,
    columns: Columns = Columns(),
    directions: int = DistanceOptions.directions,
    seed: int = DistanceOptions.seed,
) -> Score:
    """Measure a batch against its reference.

    Parameters
    ----------
    reference, batch : DataFrame
    block_rows : int
        Rows of a block, the same for every batch.
    columns : Columns
        Which columns take part, as what, and on what scale; those that the reference lacks do not
        count. Whole groups share a fold and a block.
    directions : int
        Directions wanted.
    seed : int
        Seed of directions, folds and blocks.

    Raises
    ------
    DataError
        The batch cannot be encoded as the reference was.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frames = [pd.DataFrame({"x": rng.normal(shift, 1, 2000)}) for shift in (0, 0, 1)]
    >>> [round(reference_score(frames[0], f, block_rows=60).square) for f in frames[1:]]
    [0, 1]
    """
    known = _of_reference(columns, reference)
    encoder = Encoder.fit(reference, _probe(reference, known), known)
    encoder.require(batch, "batch")
    sides = encoder.transform(reference, np.float32), encoder.transform(batch, np.float32)
    members = None
    if columns.groups is not None:
        members = _members(reference, columns.groups), _members(batch, columns.groups)
    d = encoder.dimension
    turned = orthonormal_directions(d, directions, rng_of(seed, "drift directions"))
    to_cut, to_deal = rng_of(seed, "drift folds"), rng_of(seed, "drift blocks")
    points = Points(*sides, draw_cuts(len(reference), len(batch), to_cut, members))
    square = float(np.mean(cut_estimate(points, turned, 2).squares)) * d
    parts = contributions(*sides, turned, points.cuts[0], 2).parts * d
    by_column = {
        code.column: float(np.sum(parts[code.start : code.stop])) for code in encoder.codes
    }
    largest = sorted(by_column.items(), key=lambda item: -abs(item[1]))[:MAX_COLUMNS]
    # The order in which reference rows were collected must not decide which share a fold.
    shuffled = sides[0][to_deal.permutation(len(reference))]
    dealt = deal(len(batch), block_rows, to_deal, None if members is None else members[1])
    return Score(
        square=square,
        rows=len(batch),
        blocks=tuple((block_squares(shuffled, sides[1], turned, dealt) * d).tolist()),
        columns=dict(largest),
    )


def deal(
    n: int, block_rows: int, rng: np.random.Generator, groups: Ints | None = None
) -> list[Ints]:
    """Deal rows out to the halves of blocks, whole groups if there are any.

    Returns
    -------
    list of ndarray of int
        Positions of the rows of each half: first half of the first block, second half of it, and
        so on. Fewer than ``2 * block_rows`` rows at the end of the deal are left over.

    Examples
    --------
    >>> halves = deal(100, 20, np.random.default_rng(0))
    >>> len(halves), {len(half) for half in halves}
    (10, {10})
    """
    if groups is None:
        half = block_rows // 2
        order = rng.permutation(n)
        return [order[at : at + half] for at in range(0, n // (2 * half) * 2 * half, half)]
    count = int(groups.max()) + 1
    blocks = min(n // block_rows, count // 2)
    place = np.empty(count, dtype=np.int64)
    place[rng.permutation(count)] = np.arange(count) % max(2 * blocks, 1)
    return [np.flatnonzero(place[groups] == half) for half in range(2 * blocks)]


def block_squares(
    reference: Singles, batch: Singles, directions: Floats, halves: list[Ints]
) -> Floats:
    """Debiased squared distance of every block to the reference, per direction.

    With s1, s2 the quantile functions of the halves of a block and r_a those of folds of the
    reference that are as large, it is ``<s1, s2> - 2 <(s1 + s2)/2, mean r_a> + mean <r_a, r_b>``
    over a and b that differ: products of independent terms, as in `distance.wasserstein`.

    Parameters
    ----------
    reference : ndarray of shape (n, d)
        In random order.
    batch : ndarray of shape (m, d)
    directions : ndarray of shape (n_directions, d)
    halves : list of ndarray of int
        From `deal`.

    Returns
    -------
    ndarray of shape (n_blocks,)
    """
    if not halves:
        return np.empty(0)
    cells = min(len(reference) // 2, *(len(half) for half in halves))
    folds = np.array_split(np.arange(len(reference)), max(2, len(reference) // cells))
    cells = min(cells, *(len(fold) for fold in folds))
    squares = np.zeros(len(halves) // 2)
    turned = directions.astype(np.float32)
    for at in range(0, len(turned), CHUNK):
        lines = turned[at : at + CHUNK] @ reference.T, turned[at : at + CHUNK] @ batch.T
        r, s = (
            np.stack([cell_means(np.sort(line[:, rows], axis=1), cells) for rows in cut])
            for line, cut in zip(lines, (folds, halves), strict=True)
        )
        mean = np.mean(r, axis=0)
        own = float(np.sum(r * r, dtype=np.float64))
        a = len(folds)
        between = (a**2 * float(np.sum(mean * mean, dtype=np.float64)) - own) / (a * (a - 1))
        halved = np.einsum("blh,blh->b", s[0::2], s[1::2], dtype=np.float64)
        crossed = np.einsum("blh,lh->b", s[0::2] + s[1::2], mean, dtype=np.float64)
        squares += (halved - crossed + between) / cells
    return squares / len(turned)


def _members(frame: pd.DataFrame, groups: str) -> Ints:
    if groups not in frame.columns or bool(frame[groups].isna().any()):
        raise DataError(
            "rows without a group", dataset="batch", column=groups, fix="Give every row a group"
        )
    codes, _ = pd.factorize(frame[groups])
    return codes.astype(np.int64)


def _of_reference(columns: Columns, reference: pd.DataFrame) -> Columns:
    """The options without columns that the reference lacks."""
    there = {str(name) for name in reference.columns}
    return replace(
        columns,
        categorical=tuple(name for name in columns.categorical if name in there),
        ignore=tuple(name for name in columns.ignore if name in there),
        key=tuple(name for name in columns.key if name in there),
        weights={name: weight for name, weight in columns.weights.items() if name in there},
        groups=columns.groups if columns.groups in there else None,
        embed={name: how for name, how in columns.embed.items() if name in there},
    )


def _probe(reference: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Rows that lack every value, or hold one the reference does not have.

    An encoder that is fitted beside them has a slot for all that a batch may turn up with.
    """
    probes: dict[str, Any] = {}
    for name in reference.columns:
        if name in columns.left_out:
            continue
        values = reference[name]
        if name in columns.embed:
            # Whatever a batch turns up with, the embedding makes a vector of it.
            probes[str(name)] = pd.Series([None, *values.dropna()[:1]], name=name, dtype=object)
            continue
        kind = column_kind(values, "reference", categorical=name in columns.categorical)
        known = values.dropna()
        other: Any = None
        if kind == "categorical":
            numeric = pd.api.types.is_numeric_dtype(known)
            other = float(known.max()) + 1 if numeric else _UNSEEN
        elif kind == "numeric" and not pd.api.types.is_timedelta64_dtype(known):
            other = float(np.max(as_numbers(known))) + 1
        elif kind == "boolean":
            other = not bool(known.iloc[-1])
        elif kind != "empty":
            other = known.iloc[-1]
        column = pd.Series([None, other], name=name, dtype=object)
        if kind in ("numeric", "datetime"):
            # Text, objects and vectors keep their values; numbers and dates need their type.
            dtype = np.float64 if isinstance(other, float) else known.dtype
            column = column.astype(dtype)
        probes[str(name)] = column
    return pd.DataFrame(probes)
