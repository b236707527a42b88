"""What a measurement is planned to need: memory is bounded before anything is allocated."""

from synthmix_dagster.distance.conditional import LANDMARKS, MAX_FOLDS
from synthmix_dagster.distance.estimate import HALVINGS_AT_ONCE, MAX_FITTED
from synthmix_dagster.distance.relabelling import LABELS
from synthmix_dagster.distance.transport import MAX_ROWS
from synthmix_dagster.distance.wasserstein import CHUNK

#: What libraries that are imported on the way take.
LIBRARIES_MB = 40


def planned_memory(
    n: int, m: int, dimension: int, method: str, permutations: int, *, with_target: bool
) -> int:
    """Most memory that `measure` needs for n and m rows, in MB, the inputs not counted.

    Examples
    --------
    >>> planned_memory(100_000, 100_000, 50, "sliced", 199, with_target=False)
    314
    """
    rows = n + m
    # Points, a copy without the target or in other units, and one of folds or halves.
    points = 3 * 4 * rows * dimension
    lines = CHUNK * rows * 40
    # A byte for each row of a relabelling; runs copy them where they are counted in batches.
    copies = 1 if permutations + 1 <= LABELS else 2
    labels = max(rows * (permutations + 1) * copies, n * HALVINGS_AT_ONCE)
    directions = 8 * dimension * (max(dimension, 100) + 4 * dimension)
    transports = 6 * 8 * (min(n, m) // 2) ** 2 if method in MAX_ROWS else 0
    fits = 0
    if with_target:
        fold = min(min(n, m) // 2 + 1, MAX_FITTED)
        fitted = fold * (2 + min(m // fold, MAX_FOLDS))
        # Features of all folds, the joint rows of one pair with copies, a factor of each pair.
        width = 2 * LANDMARKS
        fits = 8 * (fitted * LANDMARKS + 2 * fold * width * 5 + 2 * MAX_FOLDS * width**2)
    return LIBRARIES_MB + (points + directions + labels + max(lines, transports, fits)) // 2**20
