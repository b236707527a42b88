"""The risk path: predicted test risk of kernel ridge regression at every mixing ratio.

With features phi, the fit on n real rows and k synthetic ones, weighted ``1 - a`` and ``a`` with
``a = k / (n + k)``, solves ``M c = (1-a) A y + a B y'`` with

    M(a, l) = (1 - a) A + a B + l I,     A = Phi' Phi / n,   B = Psi' Psi / m.

For one ridge l, a single generalised eigenproblem diagonalises M for *every* a:
``(A + l I) V = ((A + l I) + (B + l I)) V diag(w)`` gives ``V' M V = diag((1-a) w + a (1-w))``.
The leave-one-out error of each real row is then exact and costs one division. Nothing is retrained
and no model of the user is needed.

B is the average over all m synthetic rows, a mix holds only k of them. A row that is drawn pulls on
a fit that it is part of, so it counts for less than its weight, and which rows are drawn adds
variance. Both follow from the deterministic equivalent of ridge regression on random rows: with
``t = 1/k - 1/m`` the weight a shrinks to ``b = a / (1 + g)``, ``g = a t tr(B M^-1)``, and the risk
grows by ``b^2 t s^2 tr(M^-1 L M^-1 B) / (1 - b^2 t tr(M^-1 B M^-1 B))``, where s^2 is the mean
squared synthetic residual and L the second moment of the judging rows. At k = m both vanish.

The ridge is chosen at every count, and a risk that was minimised is too low: most so where a fit
depends most on its ridge, which is where it has few rows. So no row judges a ridge that it had a
say in: each fold of the rows is judged by the ridge that suits the other folds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.moments import Moments, predicted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Ridges tried, relative to the mean squared feature norm, which is 1 for a Gaussian kernel.
RIDGES: tuple[float, ...] = tuple(10.0 ** np.arange(-6.0, 0.75, 0.5))
#: A fit using up more than this share of the real rows interpolates: leave-one-out is 0/0 there.
MAX_LEVERAGE = 0.8
#: Folds of the judging rows, each judged by a ridge that suits the others.
FOLDS = 10
#: Errors held at a time, which bounds the memory.
_CELLS = 2**22


@dataclass(frozen=True)
class RiskPath:
    """Predicted risk of every candidate count of synthetic rows.

    Attributes
    ----------
    counts : ndarray of shape (n_counts,)
        Synthetic rows k.
    risks : ndarray of shape (n_counts,)
        Predicted squared error (regression, in real variances) or Brier score.
    ridges : ndarray of shape (n_counts,)
        Ridge that suits all judging rows at each count, as a multiple of the identity beside the
        weighted moments.
    losses : ndarray of shape (n_counts, n_judged)
        Loss of every judged row; ``risks`` is their mean plus the subsampling variance.
    """

    counts: Ints
    risks: Floats
    ridges: Floats
    losses: Floats


@dataclass(frozen=True, eq=False)
class Fits:
    """Fits with one ridge at those counts where they do not interpolate.

    Attributes
    ----------
    at : ndarray of int
        Positions of the counts.
    ridges : ndarray of shape (n_at,)
        Ridge of each fit, as a multiple of the identity beside the weighted moments.
    losses : ndarray of shape (n_at, n_judged)
    added : ndarray of shape (n_at,)
        Risk of not knowing which synthetic rows are drawn.
    """

    at: Ints
    ridges: Floats
    losses: Floats
    added: Floats


def risk_path(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    counts: Sequence[int] | Ints,
    *,
    evaluation: tuple[Floats, Floats] | None = None,
    ridges: Sequence[float] = RIDGES,
    thinned: bool = True,
) -> RiskPath:
    """Predict the risk at every count of synthetic rows.

    Parameters
    ----------
    real : ndarray of shape (n, p)
        Features of the real rows.
    real_target : ndarray of shape (n, q)
    synthetic : ndarray of shape (m, p)
        Features of all synthetic rows available.
    synthetic_target : ndarray of shape (m, q)
    counts : sequence of int
        Synthetic rows k to judge, each at most m.
    evaluation : pair of ndarray, optional
        Features and targets of rows that neither fit nor generator saw. Without them the real rows
        judge by leave-one-out.
    ridges : sequence of float
        Ridges to choose from, separately at every count.
    thinned : bool
        Whether a count is one of rows. Otherwise all m rows are used, and together weigh as much
        as k real ones, which may be more than m.

    Returns
    -------
    RiskPath
    """
    moments = Moments(real, real_target, synthetic, synthetic_target, evaluation)
    return path_of(moments, counts, ridges=ridges, thinned=thinned)


def path_of(
    moments: Moments,
    counts: Sequence[int] | Ints,
    *,
    ridges: Sequence[float] = RIDGES,
    thinned: bool = True,
) -> RiskPath:
    """The same of moments, which keep what was computed of them before.

    Parameters
    ----------
    moments : Moments
    counts, ridges, thinned : see `risk_path`
    """
    k = np.asarray(counts, dtype=np.int64)
    thinning = np.where(k > 0, 1.0 / np.maximum(k, 1) - 1.0 / moments.m, 0.0) * thinned
    return judge(_fits(moments, k, thinning, ridges), k, len(moments.judging[0]))


def judging_folds(judged: int) -> Ints:
    """Fold of every judging row, of shape (judged,).

    One fixed assignment, no stream of a seed: a curve should not move because a seed did.
    """
    return np.random.default_rng(0).permutation(judged) % min(FOLDS, judged)


def judge(fits: Iterator[Fits], counts: Ints, judged: int) -> RiskPath:
    """Choose a ridge at every count, and judge it by rows that had no say in the choice.

    Parameters
    ----------
    fits : iterator of Fits
        One or more for every ridge.
    counts : ndarray of shape (n_counts,)
        What is said of them beside their positions is up to the caller.
    judged : int
        Rows that judge.

    Returns
    -------
    RiskPath
    """
    fold_of = judging_folds(judged)
    folds = min(FOLDS, judged)
    members = np.eye(folds)[fold_of]
    others = judged - members.sum(axis=0)
    best = np.full(len(counts), np.inf)
    best_elsewhere = np.full((len(counts), folds), np.inf)
    added_elsewhere = np.full((len(counts), folds), np.inf)
    chosen = np.zeros(len(counts))
    losses = np.full((len(counts), judged), np.inf)
    for fit in fits:
        at, added = fit.at, fit.added[:, None]
        sums = fit.losses @ members
        everywhere = sums.sum(axis=1, keepdims=True)
        elsewhere = (everywhere - sums) / others + added
        better = elsewhere < best_elsewhere[at]
        best_elsewhere[at] = np.where(better, elsewhere, best_elsewhere[at])
        added_elsewhere[at] = np.where(better, added, added_elsewhere[at])
        losses[at] = np.where(better[:, fold_of], fit.losses, losses[at])
        risks = (everywhere / judged + added)[:, 0]
        chosen[at] = np.where(risks < best[at], fit.ridges, chosen[at])
        best[at] = np.minimum(risks, best[at])
    risks = losses.mean(axis=1) + added_elsewhere @ members.mean(axis=0)
    return RiskPath(counts=counts, risks=risks, ridges=chosen, losses=losses)


def _fits(
    moments: Moments, counts: Ints, thinning: Floats, ridges: Sequence[float]
) -> Iterator[Fits]:
    """Fit every ridge at every count; `thinning` is ``1/k - 1/m``, the rest as in `risk_path`."""
    n, evaluation, target = moments.n, moments.evaluation, moments.judging[1]
    alphas = counts / (n + counts)
    judged, q = target.shape
    pieces = min(len(counts), -(-len(counts) * judged * (q + 2) // _CELLS))
    for ridge in sorted(ridges, reverse=True):
        basis = moments.basis(ridge)
        w, spread = basis.w, basis.spread
        z, judges = moments.rows(ridge)
        squares = z**2
        pull_real, pull_synthetic = basis.pull_real, basis.pull_synthetic
        cost = basis.judged * spread
        for at in np.array_split(np.arange(len(counts)), pieces):
            real_weight, thin = (1 - alphas[at])[:, None], thinning[at]
            beta = _shrunk_weights(alphas[at], thin, w, np.diag(spread))[:, None]
            inverse = 1 / (real_weight * w + beta * (1 - w))
            fits = real_weight[:, :, None] * pull_real + beta[:, :, None] * pull_synthetic
            fits *= inverse[:, :, None]
            leverage = real_weight / n * (inverse @ squares.T)
            errors = target - predicted(judges, fits)
            amplified = np.ones(len(at))
            if evaluation is None:
                errors /= (1 - leverage)[:, :, None]
                # Leaving a row out divides its variance by (1 - leverage)^2 as well; rows are
                # weighted by how exposed they are to the synthetic ones.
                exposed = ((1 - w) * inverse**2) @ squares.T
                amplified = np.sum(exposed / (1 - leverage) ** 2, axis=1)
                amplified /= np.maximum(exposed.sum(axis=1), 1e-300)
            # Mean squared residuals of the synthetic rows, from second moments alone.
            explained = np.sum(fits * (2 * pull_synthetic - predicted(spread, fits)), axis=(1, 2))
            noise = np.maximum(moments.square - explained, 0.0)
            added = amplified * _drawn_variance(beta[:, 0], thin, noise, cost, spread, inverse)
            usable = leverage.sum(axis=1) <= MAX_LEVERAGE * n
            yield Fits(
                at=at[usable],
                # M is (1-a)(A + l I) + b (B + l I): the ridge of a fit is l (1 - a + b).
                ridges=(ridge * (real_weight + beta)[:, 0])[usable],
                losses=np.sum(errors[usable] ** 2, axis=2),
                added=added[usable],
            )


def _shrunk_weights(alphas: Floats, thinning: Floats, w: Floats, spread: Floats) -> Floats:
    """Weights b = a / (1 + g) that k drawn rows have on average: fixed points, by iteration.

    The iteration is monotone and contracts: g grows with b and b falls with g.
    """
    g = np.zeros_like(alphas)
    for _ in range(50):
        d = (1 - alphas)[:, None] * w + (alphas / (1 + g))[:, None] * (1 - w)
        previous, g = g, alphas * thinning * (1 / d @ spread)
        if np.all(np.abs(g - previous) <= 1e-6 * (1 + g)):
            break
        g = 0.5 * (g + previous)
    return alphas / (1 + g)


def _drawn_variance(
    beta: Floats, thinning: Floats, noise: Floats, cost: Floats, spread: Floats, inverse: Floats
) -> Floats:
    """Risk added by not knowing which k of the m synthetic rows are drawn.

    Parameters
    ----------
    beta : ndarray of shape (n_counts,)
        Shrunk synthetic weight b.
    thinning : ndarray of shape (n_counts,)
        ``1/k - 1/m``.
    noise : ndarray of shape (n_counts,)
        Mean squared residual of a synthetic row, summed over target columns.
    cost, spread : ndarray of shape (p, p)
        Elementwise product of L and B, and B, in the common basis.
    inverse : ndarray of shape (n_counts, p)
        Diagonal of M^-1 in the common basis.
    """
    share = beta**2 * thinning
    # Above this the k rows alone would interpolate and the equivalent has a pole.
    feedback = np.minimum(share * np.sum(inverse @ spread**2 * inverse, axis=1), 0.95)
    added: Floats = share * noise * np.sum(inverse @ cost * inverse, axis=1) / (1 - feedback)
    return added


def ratio_grid(n: int, most: int, points: int = 40) -> Ints:
    """Candidate counts: none, n, and geometric steps from a twentieth of n up to `most`.

    Examples
    --------
    >>> ratio_grid(100, 400, points=5).tolist()
    [0, 5, 22, 93, 100, 400]
    """
    if most < 1:
        return np.zeros(1, dtype=np.int64)
    steps = np.geomspace(min(max(1, n // 20), most), most, max(1, points - 1))
    one_to_one = [n] if n <= most else []
    counts = np.unique([0, *np.rint(steps).astype(np.int64), *one_to_one, most])
    return counts.astype(np.int64)
