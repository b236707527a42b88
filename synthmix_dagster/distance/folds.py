"""Each side cut at random into folds of one size, and each fold into blocks.

Folds make the estimate free of bias: what two folds of one side show is chance and is subtracted.
Which rows share a fold is chance too; where rows are few that is a good part of the noise, so they
are cut several times and the estimates averaged. Blocks are what the jackknife leaves out, the same
rows in every cut.

Rows of one group (a session, a day, a customer) are not independent of each other, so a group is
never cut: it lies in one fold and in one block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.errors import DataError

Ints = NDArray[np.int64]

#: Blocks of the jackknife: enough for a stable variance, few enough to be cheap.
BLOCKS = 20
#: Rows are cut up to so many times, as long as all cuts together fold no more rows than this.
MAX_CUTS = 8
FOLDED_ROWS = 40_000
#: Two folds a side, and two groups in each for the jackknife to leave one out.
MIN_GROUPS = 4


@dataclass(frozen=True)
class Side:
    """How the rows of one side are cut.

    Attributes
    ----------
    folds : tuple of ndarray of int
        Positions of the rows of each fold; every row is in exactly one.
    blocks : tuple of ndarray of int
        For each fold, the jackknife block of each of its rows, in the same order; every block has
        rows in every fold.
    """

    folds: tuple[Ints, ...]
    blocks: tuple[Ints, ...]

    @property
    def n_blocks(self) -> int:
        """Number of blocks, the same in every fold of both sides."""
        return 1 + int(self.blocks[0].max())


Sides = tuple[Side, Side]


def draw_cuts(
    n: int, m: int, rng: np.random.Generator, groups: Sequence[Ints] | None = None
) -> list[Sides]:
    """Cut both sides, several times where rows are few.

    Parameters
    ----------
    n, m, rng, groups
        As in `draw_sides`. Rows in groups are cut once.

    Examples
    --------
    >>> cuts = [draw_cuts(n, n, np.random.default_rng(0)) for n in (1_000, 5_000, 50_000)]
    >>> [len(drawn) for drawn in cuts]
    [8, 4, 1]
    """
    if groups is not None:
        return [draw_sides(n, m, rng, groups)]
    cuts = max(1, min(MAX_CUTS, FOLDED_ROWS // (n + m)))
    orders = rng.permutation(n), rng.permutation(m)
    return [_cut(orders, rng) for _ in range(cuts)]


def thinned(sides: Sides, most: int) -> Sides:
    """The same folds with at most so many rows each, evenly taken from their blocks.

    Examples
    --------
    >>> sides = draw_sides(1000, 4000, np.random.default_rng(0))
    >>> [len(fold) for fold in thinned(sides, 200)[0].folds]
    [167, 167]
    """
    real, synthetic = (
        Side(
            tuple(fold[:: -(-len(fold) // most)] for fold in side.folds),
            tuple(block[:: -(-len(block) // most)] for block in side.blocks),
        )
        for side in sides
    )
    return real, synthetic


def draw_sides(
    n: int,
    m: int,
    rng: np.random.Generator,
    groups: Sequence[Ints] | None = None,
) -> Sides:
    """Cut ``range(n)`` and ``range(m)`` into folds of nearly one size, two at least.

    Parameters
    ----------
    n, m : int
        Real and synthetic rows.
    rng : numpy.random.Generator
    groups : pair of ndarray of int, optional
        Group of every real and of every synthetic row, numbered from 0 on each side.

    Returns
    -------
    real, synthetic : Side

    Raises
    ------
    DataError
        A side has fewer than four groups.

    Examples
    --------
    >>> real, synthetic = draw_sides(10, 40, np.random.default_rng(0))
    >>> [len(fold) for fold in real.folds], len(synthetic.folds)
    ([5, 5], 8)
    """
    if groups is None:
        return _cut((rng.permutation(n), rng.permutation(m)), rng)
    cut = []
    for name, labels, count in zip(("real", "synthetic"), groups, _fold_counts(n, m), strict=True):
        sizes = np.bincount(labels)
        if len(sizes) < MIN_GROUPS:
            raise DataError(
                f"it has {len(sizes)} groups",
                dataset=name,
                fix=f"Provide rows of at least {MIN_GROUPS} groups, or leave out 'groups'",
            )
        cut.append((labels, _spread(sizes, min(count, len(sizes) // 2), rng)))
    smallest = min(int(np.bincount(fold_of).min()) for _, fold_of in cut)
    blocks = min(BLOCKS, smallest)
    real, synthetic = (_grouped_side(labels, fold_of, blocks) for labels, fold_of in cut)
    return real, synthetic


def _fold_counts(n: int, m: int) -> tuple[int, int]:
    """Folds of either side: two of the smaller one, as many of that size as fit the larger."""
    size = min(n, m) // 2
    return max(2, round(n / size)), max(2, round(m / size))


def _cut(orders: tuple[Ints, Ints], rng: np.random.Generator) -> Sides:
    """Deal the rows of every block out to the folds; runs of `orders` are the blocks."""
    counts = _fold_counts(len(orders[0]), len(orders[1]))
    blocks = min(
        BLOCKS, *(len(order) // count for order, count in zip(orders, counts, strict=True))
    )
    real, synthetic = (
        _dealt(order, count, blocks, rng) for order, count in zip(orders, counts, strict=True)
    )
    return real, synthetic


def _dealt(order: Ints, count: int, blocks: int, rng: np.random.Generator) -> Side:
    runs = np.array_split(order, blocks)
    rows = np.concatenate([rng.permutation(run) for run in runs])
    block = np.repeat(np.arange(blocks), [len(run) for run in runs])
    return Side(
        tuple(rows[fold::count] for fold in range(count)),
        tuple(block[fold::count] for fold in range(count)),
    )


def _grouped_side(labels: Ints, fold_of: Ints, blocks: int) -> Side:
    folds, of_rows = [], []
    for f in range(int(fold_of.max()) + 1):
        members = np.flatnonzero(fold_of == f)
        block_of = np.zeros(len(fold_of), dtype=np.int64)
        block_of[members] = np.arange(len(members)) % blocks
        rows = np.flatnonzero(fold_of[labels] == f)
        folds.append(rows)
        of_rows.append(block_of[labels[rows]])
    return Side(tuple(folds), tuple(of_rows))


def _spread(sizes: Ints, folds: int, rng: np.random.Generator) -> Ints:
    """Fold of every group: the largest first, each to the fold that holds fewest rows so far.

    Equal loads go to the fold with fewer groups, so that every fold gets two of them.
    """
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    rows, members = np.zeros(folds), np.zeros(folds)
    fold_of = np.zeros(len(sizes), dtype=np.int64)
    for position, group in enumerate(order):
        left = len(order) - position
        # Folds that still lack their two groups take precedence once no others can be spared.
        lacking = np.maximum(0, 2 - members)
        open_folds = lacking > 0 if lacking.sum() >= left else np.ones(folds, dtype=bool)
        fold = int(np.lexsort((members, np.where(open_folds, rows, np.inf)))[0])
        fold_of[group] = fold
        rows[fold] += sizes[group]
        members[fold] += 1
    return fold_of
