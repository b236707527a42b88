"""Many seeded repetitions of one experiment, over the processors there are."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

# One thread a process: linear algebra on small matrices only loses time in more.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


def repeated(experiment: Callable[..., Any], repetitions: int, **options: Any) -> list[Any]:
    """Results of ``experiment(seed, **options)`` for seeds 0 to ``repetitions - 1``."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(experiment, **options), range(repetitions), chunksize=5))
