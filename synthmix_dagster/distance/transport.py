"""Debiased squared Wasserstein distance between the points themselves, with POT.

Cross minus within, as in `wasserstein`, but the plan couples whole points instead of their
projections, so what only shows in many dimensions at once is seen too:

    D2 = mean_ab W^2(R_a, S_b) - 1/2 mean_(a!=b) W^2(R_a, R_b) - 1/2 mean_(a!=b) W^2(S_a, S_b)

over folds of one size. Three ways to solve one pair of folds:

``exact``
    The linear programme.
``sinkhorn``
    The entropic problem, ``min <P, C> + epsilon KL(P | uniform)``. The divergence belongs to the
    value: with it the debiased square is a Sinkhorn divergence, which is zero for equal
    distributions only and the squared shift for a translation, whatever epsilon is.
``gaussian``
    The closed form for normal distributions (Bures). It sees means and covariances, nothing else.

W is W_p. For p=2 its square is the cost itself. For p=1 the value is squared first: under equal
distributions all pairs still have one mean, so the difference has mean zero, and in many dimensions
the noise between two folds and a shift add up in squares, so the difference leaves the shift.

**Bias.** None under equal distributions and, for p=2, under a translation. Otherwise the noise
between folds of one side need not be that between the sides, and a difference is understated, less
so the larger the folds. In simulations of normal distributions: the square of a shift of one
standard deviation, in five dimensions with 100 rows a fold, by a tenth with p=1; that of a spread
of 1.5 against 1, in ten dimensions with 500 rows a fold, by a quarter with ``exact`` and by a
hundredth with ``gaussian``. The variance knows nothing of this: it is that of the estimate.

**Parts.** Put a weight on each coordinate of the squared distance. The square is homogeneous of
degree one in the weights, so it is the sum of its derivatives (Euler), and these are the parts. For
a plan that is the cost paid along each coordinate. The divergence has no coordinate: the weights
reach it through epsilon, a fraction of the mean cost, and it goes to the coordinates as they make
up that mean. It nearly cancels between cross and within.

**Variance.** The Kantorovich potentials of a pair are the influence of its rows on the value. A
row's influence on D2 is the sum of its centred potentials over the pairs of its fold, in the
weights of these pairs; rows are summed by jackknife block first, so that groups stay whole. Such
an infinitesimal jackknife counts the part of the variance that belongs to pairs of rows twice
(Efron and Stein, 1981), and near equality that part is all there is. It shows in how the potentials
of one row differ from partner to partner, and is taken off once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthmix_dagster.distance.folds import Ints, Side
from synthmix_dagster.distance.wasserstein import Floats, Singles
from synthmix_dagster.errors import ConfigError, UnknownChoiceError

#: Rows a side that a method takes in seconds; the caller draws that many and says so.
MAX_ROWS = {"exact": 2000, "sinkhorn": 4000}
METHODS = (*MAX_ROWS, "gaussian")
#: Folds used of one side. When it has more, the other side has about two, which set the precision.
MAX_FOLDS = 32
#: The entropic regularisation, as a fraction of the mean cost between two rows of one side.
ENTROPY = 0.05
#: Marginal error at which Sinkhorn stops, relative. The dual value is off by its square only.
TOLERANCE = 1e-3
CHECK_EVERY = 10
#: Scalings above this are moved into the kernel. POT's own limit of 1000 is what they are at after
#: each such move with 1000 rows, so that it never ends; two of these still fit into a double.
LARGEST_SCALING = 1e50
MAX_ITERATIONS = {"exact": 10_000_000, "sinkhorn": 5_000}
#: Directions with less than this share of the largest variance are taken to have none.
NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class TransportEstimate:
    """The debiased square with its parts and its variance.

    Attributes
    ----------
    square : float
        Signed, debiased squared W_p.
    within_real : float
        Mean squared W_p between two folds of the real side: the raw floor, squared.
    parts : ndarray of shape (d,)
        Signed part of each coordinate; their sum is `square`.
    variance : float
        Of `square`.
    """

    square: float
    within_real: float
    parts: Floats
    variance: float


@dataclass(frozen=True)
class _Solution:
    """Transport between two samples: value, its parts, and potentials of the rows of each."""

    value: float
    parts: Floats
    potentials: tuple[Floats, Floats]


def transport_estimate(
    real: Floats | Singles,
    synthetic: Floats | Singles,
    sides: tuple[Side, Side],
    *,
    method: str,
    p: int = 2,
) -> TransportEstimate:
    """Estimate the debiased squared W_p between two samples.

    All pairs of a real and a synthetic fold are compared, and within a side every fold with the
    next one, at most 64 and 64 pairs (`MAX_FOLDS`).

    Parameters
    ----------
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)
    sides : pair of Side
        Folds and blocks of the real and of the synthetic rows.
    method : {"exact", "sinkhorn", "gaussian"}
    p : {2, 1}
        Order of the distance; 1 is not for ``gaussian``.

    Returns
    -------
    TransportEstimate

    Raises
    ------
    ConfigError
        The method is unknown or does not know this order, or the solver gave up.

    Examples
    --------
    >>> from synthmix_dagster.distance.folds import draw_sides
    >>> rng = np.random.default_rng(0)
    >>> real = rng.normal(size=(100, 2))
    >>> synthetic = rng.normal(size=(100, 2)) + [9.0, 0.0]
    >>> sides = draw_sides(100, 100, rng)
    >>> estimate = transport_estimate(real, synthetic, sides, method="exact")
    >>> bool(abs(estimate.square - 81) < 2 * estimate.variance**0.5)
    True
    >>> int(estimate.parts.argmax())
    0
    """
    if method not in METHODS:
        raise UnknownChoiceError(method, option="method", known=METHODS)
    if p not in (1, 2) or (p == 1 and method == "gaussian"):
        raise ConfigError(
            f"order {p} with method '{method}'",
            option="p",
            fix="Use p=2, or p=1 with method 'exact' or 'sinkhorn'",
        )
    # Products of coordinates lose digits far from the origin.
    centre = np.mean(real, axis=0, dtype=np.float64)
    points, blocks = [], []
    counts = []
    for rows, side in zip((real, synthetic), sides, strict=True):
        chosen = _chosen_folds(len(side.folds))
        counts.append(len(chosen))
        points += [np.asarray(rows[side.folds[f]], dtype=np.float64) - centre for f in chosen]
        blocks += [side.blocks[f] for f in chosen]
    pairs = _pairs(*counts)
    within = [(points[i], points[j], -weight) for i, j, weight in pairs if weight < 0]
    mean, shares = _mean_cost(within, p) if method == "sinkhorn" else (0.0, np.zeros(0))

    parts = np.zeros(real.shape[1])
    within_real = []
    influences: list[list[Floats]] = [[] for _ in points]
    weights: list[list[float]] = [[] for _ in points]
    for i, j, weight in pairs:
        x, y = points[i], points[j]
        if method == "exact":
            solution = _exact(x, y, p)
        elif method == "sinkhorn":
            solution = _sinkhorn(x, y, p, ENTROPY * mean, shares)
        else:
            solution = _gaussian(x, y)
        # For p=2 the value is the square already.
        factor, slope = (solution.value, 2 * solution.value) if p == 1 else (1.0, 1.0)
        parts += weight * factor * solution.parts
        if j < counts[0]:
            within_real.append(factor * solution.value)
        for fold, potential in zip((i, j), solution.potentials, strict=True):
            centred = slope * (potential - np.mean(potential)) / len(potential)
            influences[fold].append(_block_sums(centred, blocks[fold]))
            weights[fold].append(weight)
    return TransportEstimate(
        square=float(np.sum(parts)),
        within_real=float(np.mean(within_real)),
        parts=parts,
        variance=_variance(influences, weights, sum(weight**2 for _, _, weight in pairs)),
    )


def _chosen_folds(folds: int) -> list[int]:
    """Folds to use, evenly spaced: with groups, the first folds hold the largest."""
    return np.linspace(0, folds - 1, min(folds, MAX_FOLDS)).round().astype(int).tolist()


def _pairs(real: int, synthetic: int) -> list[tuple[int, int, float]]:
    """Pairs of folds to compare, and the weight of each in the debiased square.

    Folds are numbered through, real ones first. Every fold of a side is in equally many pairs.

    Examples
    --------
    >>> _pairs(2, 2)[:3]
    [(0, 2, 0.25), (0, 3, 0.25), (1, 2, 0.25)]
    >>> _pairs(2, 2)[4:]
    [(0, 1, -0.5), (2, 3, -0.5)]
    """
    pairs = [(i, real + j, 1 / (real * synthetic)) for i in range(real) for j in range(synthetic)]
    for first, folds in ((0, real), (real, synthetic)):
        # Two folds make one pair, more make a ring.
        ring = folds if folds > 2 else 1
        pairs += [(first + i, first + (i + 1) % folds, -0.5 / ring) for i in range(ring)]
    return pairs


def _block_sums(values: Floats, block: Ints) -> Floats:
    sums: Floats = np.bincount(block, weights=values).astype(np.float64, copy=False)
    return sums


def _variance(
    influences: Sequence[Sequence[Floats]], weights: Sequence[Sequence[float]], squares: float
) -> float:
    """Variance of the debiased square.

    Parameters
    ----------
    influences : sequence of sequence of ndarray of shape (n_blocks,)
        For every fold and every pair it is in, the influence of its blocks on the pair's value.
    weights : sequence of sequence of float
        Weight of that pair.
    squares : float
        Sum of the squared weights of all pairs.
    """
    jackknifed, noise = 0.0, []
    for of_pairs, of_weights in zip(influences, weights, strict=True):
        sums, weight = np.array(of_pairs), np.array(of_weights)
        # Influence is centred in the fold, which takes one block's worth away.
        factor = sums.shape[1] / (sums.shape[1] - 1)
        jackknifed += factor * float(np.sum((weight @ sums) ** 2))
        across = sums[weight > 0]
        noise.append(factor * float(np.sum(np.var(across, axis=0, ddof=1))))
    # What pairs of rows vary by is noise of a single pair of folds, and independent between them.
    return max(jackknifed - squares * float(np.mean(noise)), jackknifed / 2)


def _exact(x: Floats, y: Floats, p: int) -> _Solution:
    import ot

    cost = _costs(x, y, p)
    plan, log = ot.emd([], [], cost, log=True, numItermax=MAX_ITERATIONS["exact"])
    if log["warning"] is not None:
        raise _gave_up("exact")
    parts = _split(plan, cost, x, y, p)
    return _Solution(float(np.sum(parts)), parts, (log["u"], log["v"]))


def _sinkhorn(x: Floats, y: Floats, p: int, epsilon: float, shares: Floats) -> _Solution:
    import ot

    cost = _costs(x, y, p)
    # Without any spread inside the sides all costs are one, and so are all plans.
    epsilon = epsilon or 1.0
    # From here the kernel has an entry of one in each row and column, wherever the sides lie.
    alpha = np.min(cost, axis=1)
    beta = np.min(cost - alpha[:, None], axis=0)
    tolerance = TOLERANCE / np.sqrt(len(y))
    plan, log = ot.bregman.sinkhorn_stabilized(
        [],
        [],
        cost,
        epsilon,
        numItermax=MAX_ITERATIONS["sinkhorn"],
        stopThr=tolerance,
        warmstart=(alpha, beta),
        print_period=CHECK_EVERY,
        tau=LARGEST_SCALING,
        log=True,
        warn=False,
    )
    if not log["err"][-1] <= tolerance:
        raise _gave_up("sinkhorn")
    f, g = log["alpha"] + epsilon * np.log(len(x)), log["beta"] + epsilon * np.log(len(y))
    # The dual value: an error in the marginals enters it squared, and the plan's own cost as it is.
    value = float(np.mean(f) + np.mean(g))
    parts = _split(plan, cost, x, y, p)
    parts += (value - np.sum(parts)) * shares
    return _Solution(value, parts, (f, g))


def _gaussian(x: Floats, y: Floats) -> _Solution:
    """Bures distance of the two empirical moments.

    With A, B the covariances and U S V' the singular values of A^(1/2) B^(1/2), the optimal
    coupling has cross-covariance A^(1/2) U V' B^(1/2), of trace sum(S), and the optimal map from x
    is T = B^(1/2) V U' A^(-1/2). No inverse is needed for the value; in the potentials
    ``x'(I - T)x + 2(mean_x - mean_y)'x`` it is needed on the span of the rows only. So fewer rows
    than coordinates do no harm, and what they lose is lost across and within alike.
    """
    shift = np.mean(x, axis=0) - np.mean(y, axis=0)
    x, y = x - np.mean(x, axis=0), y - np.mean(y, axis=0)
    root_x, inverse_x = _roots(x)
    root_y, inverse_y = _roots(y)
    u, s, vt = np.linalg.svd(root_x @ root_y)
    # Directions that one side lacks are coupled with nothing, instead of with rounding errors.
    kept = s > NO_VARIANCE * np.linalg.norm(root_x) * np.linalg.norm(root_y)
    turn = u[:, kept] @ vt[kept]
    crossed = np.einsum("ij,jk,ki->i", root_x, turn, root_y, optimize=True)
    parts = shift**2 + np.mean(x**2, axis=0) + np.mean(y**2, axis=0) - 2 * crossed
    to_y, to_x = inverse_x @ turn @ root_y, inverse_y @ turn.T @ root_x
    f = np.sum((x - x @ to_y + 2 * shift) * x, axis=1)
    g = np.sum((y - y @ to_x - 2 * shift) * y, axis=1)
    return _Solution(float(np.sum(parts)), parts, (f, g))


def _roots(centred: Floats) -> tuple[Floats, Floats]:
    """Square root of the covariance, and the root's pseudo-inverse."""
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = values > NO_VARIANCE * values[-1]
    roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T


def _costs(x: Floats, y: Floats, p: int) -> Floats:
    from scipy.spatial.distance import cdist

    # Differences, not expanded squares: equal rows have to cost nothing.
    costs: Floats = cdist(x, y, "sqeuclidean" if p == 2 else "euclidean")
    return costs


def _split(plan: Floats, cost: Floats, x: Floats, y: Floats, p: int) -> Floats:
    """Cost that a plan pays along each coordinate.

    Squares are expanded, so that no array of rows by rows by coordinates is made. A distance (p=1)
    is the sum over coordinates of squared difference over distance.
    """
    if p == 1:
        plan = np.divide(plan, cost, out=np.zeros_like(plan), where=cost > 0)
    own = np.sum(plan, axis=1) @ x**2 + np.sum(plan, axis=0) @ y**2
    parts: Floats = own - 2 * np.sum(x * (plan @ y), axis=0)
    return parts


def _mean_cost(pairs: Sequence[tuple[Floats, Floats, float]], p: int) -> tuple[float, Floats]:
    """Mean cost between rows of one side, and the share that each coordinate has in it.

    The weights of the pairs sum to one, half of it for each side.
    """
    parts = np.zeros(pairs[0][0].shape[1])
    for x, y, weight in pairs:
        cost = _costs(x, y, p)
        parts += weight * _split(np.full_like(cost, 1 / cost.size), cost, x, y, p)
    mean = float(np.sum(parts))
    return mean, parts / mean if mean > 0 else parts


def _gave_up(method: str) -> ConfigError:
    return ConfigError(
        f"the solver of '{method}' did not converge in {MAX_ITERATIONS[method]} iterations",
        option="method",
        fix="Use method 'sliced', or clip far outliers",
    )
