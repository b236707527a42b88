"""Whether rows that look like a class still carry its label.

The class gap compares labels under weights that make a class half of the rows: where half of a rare
class are labelled as a common one, those that stay outweigh the others and the gap is small. Here
a forest learns from the real rows how much a row looks like each class, f(x). For one class, the
share of its labels that real and synthetic rows keep,

    kept = (sum f y / sum f^2 over synthetic rows) / (sum f y / sum f^2 over real rows),

with y = 1 for a row of the class, is 1 where labels follow the inputs in the same way, whatever the
inputs are, and 1/2 where half of the rows that look like the class have lost its label. Real rows
are judged by the trees that did not see them. Rows count by how much they look like the class, so
how rare it is does not matter; an error in f changes both sides alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

TREES = 100
MIN_LEAF_ROWS = 3
#: Rows that look like a class, on either side, below which nothing is said of its labels.
MIN_LOOKALIKES = 10


@dataclass(frozen=True)
class KeptLabels:
    """Share of the labels of one class that rows which look like it carry.

    Attributes
    ----------
    share : float
        Synthetic rows relative to real ones; 1 where nothing moved.
    error : float
        Its standard error.
    """

    share: float
    error: float


def kept_labels(
    x_real: Floats | Singles,
    labels_real: Ints,
    x_synthetic: Floats | Singles,
    labels_synthetic: Ints,
    rng: np.random.Generator,
) -> dict[int, KeptLabels]:
    """Measure how many labels of each class are where the inputs say that they should be.

    Parameters
    ----------
    x_real : ndarray of shape (n, d)
        Encoded inputs.
    labels_real : ndarray of int of shape (n,)
    x_synthetic : ndarray of shape (m, d)
    labels_synthetic : ndarray of int of shape (m,)
    rng : numpy.random.Generator
        Draws the trees.

    Returns
    -------
    dict of int to KeptLabels
        By the label; without classes that hardly any row of a side looks like.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 1))
    >>> y = (x[:, 0] > 1.5).astype(int)
    >>> moved = np.where(rng.random(1000) < 0.5, 0, y[1000:])
    >>> kept = kept_labels(x[:1000], y[:1000], x[1000:], moved, rng)
    >>> 0.3 < kept[1].share < 0.7
    True
    """
    from sklearn.ensemble import ExtraTreesClassifier

    forest = ExtraTreesClassifier(
        TREES,
        min_samples_leaf=MIN_LEAF_ROWS,
        bootstrap=True,
        oob_score=True,
        random_state=int(rng.integers(2**31)),
    ).fit(x_real, labels_real)
    # A row that every tree saw, which is next to impossible, looks like no class.
    likeness = np.nan_to_num(forest.oob_decision_function_), forest.predict_proba(x_synthetic)
    found = {}
    for place, label in enumerate(forest.classes_.tolist()):
        sides = [each[:, place] for each in likeness]
        if min(_effective(f) for f in sides) < MIN_LOOKALIKES:
            continue
        mine = [labels == label for labels in (labels_real, labels_synthetic)]
        real, synthetic = (
            float(np.sum(f * y) / np.sum(f**2)) for f, y in zip(sides, mine, strict=True)
        )
        if real <= 0:
            continue
        errors = (
            _error(sides[0], mine[0], real),
            max(
                # Where no label is left, nothing varies: chance is what it is without a shift.
                _error(sides[1], mine[1], synthetic),
                _error(sides[1], mine[1], real),
            ),
        )
        share = synthetic / real
        found[label] = KeptLabels(share, float(np.hypot(share * errors[0], errors[1])) / real)
    return found


def _effective(f: Floats) -> float:
    """Rows that look like the class, weighted by how much."""
    squares = f**2
    total = float(np.sum(squares))
    return total**2 / float(np.sum(squares**2)) if total else 0.0


def _error(f: Floats, mine: NDArray[np.bool_], rate: float) -> float:
    """Standard error of a weighted share."""
    return float(np.linalg.norm(f * mine - rate * f**2) / np.sum(f**2))
