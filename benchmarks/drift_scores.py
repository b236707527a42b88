"""Scores of drift for many batches at once, and the capital they make."""

import math

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.drift import blocks
from synthmix_dagster.drift.martingale import log_martingale

Floats = NDArray[np.float64]
DELTA, WARM_UP, BLOCKS = 0.01, 5, 32
#: Rows of a batch, batches of the reference, and what a day moves the mean of a column by.
ROWS, REFERENCE, DAY_EFFECT = 256, 3, 0.15
LINE = math.log(1 / DELTA)


def squares(batches: Floats, reference: Floats, directions: Floats, blocks: int) -> Floats:
    """Debiased squares of all batches at once, as `drift.scores.block_squares` has them.

    Parameters
    ----------
    batches : ndarray of shape (n_batches, n_rows, d)
    reference : ndarray of shape (n_reference_rows, d)
    directions : ndarray of shape (n_directions, d)
    blocks : int

    Returns
    -------
    ndarray of shape (n_batches, blocks)
    """
    half = batches.shape[1] // (2 * blocks)
    lines = (batches @ directions.T).astype(np.float32)[:, : 2 * blocks * half]
    s = np.sort(lines.reshape(len(batches), blocks, 2, half, len(directions)), axis=3)
    folds = len(reference) // half
    r = (reference @ directions.T).astype(np.float32)[: folds * half]
    r = np.sort(r.reshape(folds, half, -1), axis=1)
    mean = r.mean(axis=0)
    own = np.sum(r * r, dtype=np.float64)
    between = (folds**2 * np.sum(mean * mean, dtype=np.float64) - own) / (folds * (folds - 1))
    halved = np.einsum("tbhl,tbhl->tb", s[:, :, 0], s[:, :, 1], dtype=np.float64)
    crossed = np.einsum("tbhl,hl->tb", s[:, :, 0] + s[:, :, 1], mean, dtype=np.float64)
    found: Floats = (halved - crossed + between) / (half * len(directions))
    return found * batches.shape[2]


def by_batch(scores: Floats, rng: np.random.Generator, *, two_sided: bool = False) -> Floats:
    """Log capital after every batch; scores of shape (n_batches,)."""
    return log_martingale(scores, rng.random(len(scores)), warm_up=WARM_UP, two_sided=two_sided)


def by_block(scores: Floats, whole: Floats, rng: np.random.Generator) -> Floats:
    """The same for scores of shape (n_batches, n_blocks) and those of whole batches."""
    ends = scores.shape[1] * np.arange(1, len(scores) + 1)
    ties = rng.random(scores.size)
    won = blocks.log_capital_of_blocks(scores.ravel(), ties, ends, warm_up=WARM_UP)
    return np.logaddexp(won, by_batch(whole, rng)) - math.log(2)
