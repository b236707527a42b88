"""One rule for everything random: a stream of its own for every purpose, found by its name.

Streams of different names are independent of each other, and none moves because another purpose
was added, dropped or drawn from more often.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def rng_of(seed: int, name: str) -> "np.random.Generator":
    """The random stream of one purpose.

    Parameters
    ----------
    seed : int
        Seed of the whole computation, 0 or more.
    name : str
        What the numbers are for, such as ``folds``.

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> int(rng_of(0, "folds").integers(1000)) == int(rng_of(0, "folds").integers(1000))
    True
    >>> int(rng_of(0, "folds").integers(1000)) == int(rng_of(0, "landmarks").integers(1000))
    False
    """
    import numpy as np

    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    spawn_key = (int.from_bytes(digest, "big"),)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
