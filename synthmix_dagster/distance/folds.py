"""Each side cut at random into folds of one size, and each fold into blocks.

Folds make the estimate free of bias: what two folds of one side show is chance and is subtracted.
Blocks are what the jackknife leaves out. Both are drawn once and shared by everything that is
computed on the same rows.

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
#: Two folds a side, and two groups in each for the jackknife to leave one out.
LEAST_GROUPS = 4


@dataclass(frozen=True)
class Side:
    """How the rows of one side are cut.

    Attributes
    ----------
    folds : tuple of ndarray of int
        Positions of the rows of each fold; every row is in exactly one.
    blocks : tuple of ndarray of int
        For each fold, the jackknife block of each of its rows, in the same order.
    """

    folds: tuple[Ints, ...]
    blocks: tuple[Ints, ...]

    @property
    def n_blocks(self) -> int:
        """Number of blocks, the same in every fold of both sides."""
        return 1 + int(self.blocks[0].max())


def draw_sides(
    n: int,
    m: int,
    rng: np.random.Generator,
    groups: Sequence[Ints] | None = None,
) -> tuple[Side, Side]:
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
    size = min(n, m) // 2
    counts = [max(2, round(rows / size)) for rows in (n, m)]
    if groups is None:
        folds = [
            np.array_split(rng.permutation(rows), count)
            for rows, count in zip((n, m), counts, strict=True)
        ]
        blocks = min(BLOCKS, *(len(fold) for side in folds for fold in side))
        return _side(folds[0], blocks), _side(folds[1], blocks)
    cut = []
    for name, labels, count in zip(("real", "synthetic"), groups, counts, strict=True):
        sizes = np.bincount(labels)
        if len(sizes) < LEAST_GROUPS:
            raise DataError(
                f"it has {len(sizes)} groups",
                dataset=name,
                fix=f"Provide rows of at least {LEAST_GROUPS} groups, or leave out 'groups'",
            )
        cut.append((labels, _spread(sizes, min(count, len(sizes) // 2), rng)))
    smallest = min(int(np.bincount(fold_of).min()) for _, fold_of in cut)
    blocks = min(BLOCKS, smallest)
    real, synthetic = (_grouped_side(labels, fold_of, blocks) for labels, fold_of in cut)
    return real, synthetic


def _side(folds: Sequence[Ints], blocks: int) -> Side:
    # Positions within a fold are in random order already.
    return Side(tuple(folds), tuple(np.arange(len(fold)) % blocks for fold in folds))


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
