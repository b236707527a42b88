"""Which rows come first: a seeded priority for every row.

A row's priority is a hash of its identity and the seed, never of its position in a batch, so the
same seed picks the same rows whatever the order in which they are read. The hash is integer
arithmetic modulo 2**31 - 1 that numpy, SQL and Spark compute alike.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.identity import NUMBER_BITS, Ints, digest, scan

PRIME = 2**31 - 1
PRIORITY_BITS = 62
#: The leading half of a priority decides nearly always, and costs half as much.
LEADING_BITS = PRIORITY_BITS // 2
_MODULUS = np.uint64(PRIME)
BLOCK_ROWS, _CACHED_ROWS = 2**20, 2**13


def priorities(ids: Ints, seed: int | str) -> Ints:
    """Seeded pseudo-random 62-bit integers, one an identity.

    Two cubic polynomials over the integers modulo 2**31 - 1, with coefficients drawn from the
    seed, which makes any four rows independent. A linear hash would walk through consecutive row
    numbers in a lattice.

    Examples
    --------
    >>> first = priorities(np.arange(5), seed=1)
    >>> bool((first[::-1] == priorities(np.arange(5)[::-1], seed=1)).all())
    True
    """
    return (_half(ids, seed, "first") << LEADING_BITS) | _half(ids, seed, "second")


def leading_bits(ids: Ints, seed: int | str, bits: int) -> Ints:
    """The highest `bits` bits of priorities, at half of the cost; at most `LEADING_BITS`."""
    return _half(ids, seed, "first") >> (LEADING_BITS - bits)


def _half(ids: Ints, seed: int | str, which: str) -> Ints:
    """The upper or the lower half of priorities; the upper one decides nearly always."""
    c = [1 + digest(f"{seed}|{which}|{i}", 60) % (PRIME - 1) for i in range(6)]
    found = np.empty(len(ids), dtype=np.int64)
    # Some thousand at a time: what is computed on the way stays in the processor's cache.
    for start in range(0, len(ids), _CACHED_ROWS):
        here = slice(start, start + _CACHED_ROWS)
        found[here] = _polynomial(ids[here].astype(np.uint64), c)
    return found


def _polynomial(ids: NDArray[np.uint64], c: Sequence[int]) -> NDArray[np.uint64]:
    """A cubic polynomial modulo 2**31 - 1; no step exceeds 64 bits."""
    low, high = ids & np.uint64((1 << NUMBER_BITS) - 1), ids >> np.uint64(NUMBER_BITS)
    x = _modulo(_folded(low * np.uint64(c[0])) + _folded(high * np.uint64(c[1])))
    value = x * np.uint64(c[2])
    for coefficient in c[3:-1]:
        value += np.uint64(coefficient)
        value = _folded(value) * x
    return _modulo(value + np.uint64(c[-1]))


def _folded(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The same modulo 2**31 - 1, below 2**34: 2**31 is 1 there, so high bits are added to low."""
    return (values & _MODULUS) + (values >> np.uint64(31))


def _modulo(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    folded = _folded(_folded(values))
    return np.where(folded >= _MODULUS, folded - _MODULUS, folded)


def salted(seed: int, fingerprints: Iterable[str]) -> str:
    """A seed for samples that are measured: it follows from all rows that may be drawn.

    Whoever chooses the rows would otherwise know which of them are looked at, and how they are cut
    into folds. A digest of everything that is compared cannot be known before the rows are.

    Examples
    --------
    >>> salted(0, ["a", "b"]) == salted(0, ["a", "c"])
    False
    """
    whole = hashlib.sha256("\0".join(fingerprints).encode()).hexdigest()
    return f"{seed}|{whole}"


def in_priority_order(ids: Ints, seed: int | str) -> Ints:
    """Positions sorted by priority; equal priorities are ordered by identity."""
    return np.lexsort((ids, priorities(ids, seed)))


def sample_positions(dataset: Dataset, rows: int, seed: int | str, key: Sequence[str] = ()) -> Ints:
    """Positions of a uniform sample in priority order.

    A larger sample of the same dataset and seed begins with the smaller one. No more is held than
    the sample and a block of identities.
    """
    kept = positions = np.empty(0, dtype=np.int64)
    start = 0
    for ids, _ in scan(dataset, key, [], BLOCK_ROWS):
        candidates = np.concatenate((kept, ids))
        places = np.concatenate((positions, np.arange(start, start + len(ids))))
        lowest = in_priority_order(candidates, seed)[:rows]
        kept, positions = candidates[lowest], places[lowest]
        start += len(ids)
    return positions
