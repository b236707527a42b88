"""One rule for everything random: a stream of its own for every purpose, found by its name.

Streams of one computation are independent of each other, and none moves because another purpose
was added, dropped or drawn from more often.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: Streams whose keys are numbers. Thresholds were set by gaps, and histories of drift are made of
#: scores, that were drawn with them: another key would move both without anything having changed.
_NUMBERED = {
    "distance rows": 0,
    "distance directions": 1,
    "distance folds": 2,
    "distance relabellings": 3,
    "distance worst directions": 4,
    "distance target": 5,
    "drift directions": 0,
    "drift folds": 1,
    "drift blocks": 2,
}


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
    key = _NUMBERED.get(name, int.from_bytes(digest, "big"))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
