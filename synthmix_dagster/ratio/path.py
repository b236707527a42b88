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
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Ridges tried, relative to the mean squared feature norm, which is 1 for a Gaussian kernel.
RIDGES: tuple[float, ...] = tuple(10.0 ** np.arange(-6.0, 0.75, 0.5))
#: A fit using up more than this share of the real rows interpolates: leave-one-out is 0/0 there.
MOST_LEVERAGE = 0.8


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
        Ridge chosen at each count, as a multiple of the identity beside the weighted moments.
    losses : ndarray of shape (n_counts, n_judged)
        Loss of every judged row; ``risks`` is their mean plus the subsampling variance.
    """

    counts: Ints
    risks: Floats
    ridges: Floats
    losses: Floats


def risk_path(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    counts: Sequence[int] | Ints,
    *,
    evaluation: tuple[Floats, Floats] | None = None,
    ridges: Sequence[float] = RIDGES,
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

    Returns
    -------
    RiskPath
    """
    n, m = len(real), len(synthetic)
    k = np.asarray(counts, dtype=np.int64)
    alphas = k / (n + k)
    thinning = np.where(k > 0, 1.0 / np.maximum(k, 1) - 1.0 / m, 0.0)
    gram_real, gram_synthetic = real.T @ real / n, synthetic.T @ synthetic / m
    cross_real = real.T @ real_target / n
    cross_synthetic = synthetic.T @ synthetic_target / m
    judged = len(real) if evaluation is None else len(evaluation[0])
    best = np.full(len(k), np.inf)
    chosen = np.zeros(len(k))
    losses = np.zeros((len(k), judged))
    for ridge in sorted(ridges, reverse=True):
        basis, w = _common_basis(gram_real, gram_synthetic, ridge)
        z = real @ basis
        judges, judges_target = (
            (z, real_target) if evaluation is None else (evaluation[0] @ basis, evaluation[1])
        )
        squares = z**2
        pull_real, pull_synthetic = basis.T @ cross_real, basis.T @ cross_synthetic
        spread = basis.T @ gram_synthetic @ basis
        cost = (judges.T @ judges / judged) * spread
        for i, alpha in enumerate(alphas):
            beta = _shrunk_weight(alpha, thinning[i], w, np.diag(spread))
            d = (1 - alpha) * w + beta * (1 - w)
            fit = ((1 - alpha) * pull_real + beta * pull_synthetic) / d[:, None]
            leverage = (1 - alpha) / n * (squares @ (1 / d))
            if leverage.sum() > MOST_LEVERAGE * n:
                continue
            errors = judges_target - judges @ fit
            amplified = 1.0
            if evaluation is None:
                errors /= (1 - leverage)[:, None]
                # Leaving a row out divides its variance by (1 - leverage)^2 as well; rows are
                # weighted by how exposed they are to the synthetic ones.
                exposed = squares @ ((1 - w) / d**2)
                amplified = np.sum(exposed / (1 - leverage) ** 2) / max(exposed.sum(), 1e-300)
            loss = np.sum(errors**2, axis=1)
            noise = _mean_square_residual(synthetic_target, pull_synthetic, spread, fit)
            added = amplified * _drawn_variance(beta, thinning[i], noise, cost, spread, d)
            risk = loss.mean() + added
            if risk < best[i]:
                # M is (1-a)(A + l I) + b (B + l I): the ridge of this fit is l (1 - a + b).
                best[i], chosen[i], losses[i] = risk, ridge * (1 - alpha + beta), loss
    return RiskPath(counts=k, risks=best, ridges=chosen, losses=losses)


def _shrunk_weight(alpha: float, thinning: float, w: Floats, spread: Floats) -> float:
    """Weight b = a / (1 + g) that k drawn rows have on average; a fixed point, found by iterating.

    The iteration is monotone and contracts: g grows with b and b falls with g.
    """
    g = 0.0
    for _ in range(50):
        d = (1 - alpha) * w + alpha / (1 + g) * (1 - w)
        previous, g = g, alpha * thinning * float(np.sum(spread / d))
        if abs(g - previous) <= 1e-6 * (1 + g):
            break
        g = 0.5 * (g + previous)
    return alpha / (1 + g)


def _drawn_variance(
    beta: float, thinning: float, noise: float, cost: Floats, spread: Floats, d: Floats
) -> float:
    """Risk added by not knowing which k of the m synthetic rows are drawn.

    Parameters
    ----------
    beta : float
        Shrunk synthetic weight b.
    thinning : float
        ``1/k - 1/m``.
    noise : float
        Mean squared residual of a synthetic row, summed over target columns.
    cost, spread : ndarray of shape (p, p)
        Elementwise product of L and B, and B, in the common basis.
    d : ndarray of shape (p,)
        Diagonal of M in the common basis.
    """
    share = beta**2 * thinning
    # Above this the k rows alone would interpolate and the equivalent has a pole.
    feedback = min(share * float((1 / d) @ spread**2 @ (1 / d)), 0.95)
    return share * noise * float((1 / d) @ cost @ (1 / d)) / (1 - feedback)


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


def _common_basis(gram_real: Floats, gram_synthetic: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Basis V and weights w that diagonalise M for every synthetic weight at one ridge."""
    from scipy.linalg import eigh

    eye = ridge * np.eye(len(gram_real))
    left = gram_real + eye
    w, basis = eigh(left, left + gram_synthetic + eye)
    return basis, np.clip(w, 0.0, 1.0)


def _mean_square_residual(
    target: Floats, cross: Floats, gram: Floats, coefficients: Floats
) -> float:
    """Mean over rows of ``|y - phi c|^2``, from second moments alone."""
    square = float(np.mean(np.sum(target**2, axis=1)))
    fit = float(np.sum(coefficients * (gram @ coefficients)) - 2 * np.sum(coefficients * cross))
    return max(square + fit, 0.0)
