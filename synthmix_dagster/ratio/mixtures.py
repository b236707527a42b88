"""The risk of mixtures of several sources, along straight lines between two of them.

With real rows as source 0, weighing 1 in all, and weights ``b_s`` of the other sources, the fit
solves ``M c = sum_s b_s r_s`` with

    M(b, l) = sum_s b_s (A_s + l I),     A_s = Phi_s' Phi_s / m_s,     r_s = Phi_s' y_s / m_s.

M is linear in b, so what `path` does between real and synthetic rows works between any two
mixtures: one generalised eigenproblem diagonalises M on the whole line, and the leave-one-out error
of every real row is exact at each of its points.

Drawing ``k_s`` of the ``m_s`` rows, each as heavy as a real one, gives a source less than its share
``k_s / n``. With ``t_s = 1/k_s - 1/m_s`` and ``g_s = tr(A_s M^-1)`` the deterministic equivalent is
``b_s = (k_s/n) / (1 + (k_s/n) t_s g_s)``: given b, hence M, it is solved for k in closed form,
``k_s = n b_s (1 + g_s/n) / (1 + b_s g_s/m_s)``, so that ``b_s^2 t_s = b_s (1 - b_s n/m_s) / (n +
g_s)``, and ``k_s <= m_s`` is ``b_s <= m_s / n``. So the search runs over a box of b, and the
numbers of rows follow.

The draws of one source disturb the fit that the others' residuals are taken from. With
``T_rs = b_s^2 t_s tr(M^-1 A_r M^-1 A_s)`` and the residuals ``s_r^2`` of the undisturbed fit, the
mean squared residuals v solve ``v = s^2 + T v``, and the risk grows by
``sum_s b_s^2 t_s tr(M^-1 L M^-1 A_s) v_s``. One source is the formula of `path`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.path import MAX_LEVERAGE

Floats = NDArray[np.float64]

#: Largest eigenvalue of T: beyond it the drawn rows alone interpolate, and v has a pole.
_MAX_FEEDBACK = 0.95


@dataclass(frozen=True, eq=False)
class Pool:
    """Everything that the fits of all mixtures need.

    Attributes
    ----------
    real, real_target : ndarray of shape (n, p), (n, q)
    grams : ndarray of shape (n_sources + 1, p, p)
        Second moments A of the real rows and of every source.
    crosses : ndarray of shape (n_sources + 1, p, q)
    squares : ndarray of shape (n_sources + 1,)
        Mean squared targets, summed over target columns.
    sizes : ndarray of shape (n_sources + 1,)
        Rows available.
    evaluation : pair of ndarray, optional
        Rows that judge; without them each real row judges the fit that leaves it out.
    """

    real: Floats
    real_target: Floats
    grams: Floats
    crosses: Floats
    squares: Floats
    sizes: Floats
    evaluation: tuple[Floats, Floats] | None

    @classmethod
    def of(
        cls,
        real: tuple[Floats, Floats],
        sources: Sequence[tuple[Floats, Floats]],
        evaluation: tuple[Floats, Floats] | None,
    ) -> "Pool":
        """Collect the moments of real rows and sources, each given as features and targets."""
        sides = [real, *sources]
        return cls(
            real=real[0],
            real_target=real[1],
            grams=np.array([x.T @ x / len(x) for x, _ in sides]),
            crosses=np.array([x.T @ y / len(x) for x, y in sides]),
            squares=np.array([np.mean(np.sum(y**2, axis=1)) for _, y in sides]),
            sizes=np.array([float(len(x)) for x, _ in sides]),
            evaluation=evaluation,
        )

    @property
    def caps(self) -> Floats:
        """Largest weights b: all rows of every source, each as heavy as a real row."""
        caps: Floats = self.sizes / self.sizes[0]
        return caps

    @property
    def judged(self) -> int:
        """Number of rows that judge."""
        return len(self.real if self.evaluation is None else self.evaluation[0])


@dataclass(frozen=True, eq=False)
class Mixtures:
    """Mixtures with one ridge, and their risks; those that interpolate are left out.

    Attributes
    ----------
    weights : ndarray of shape (n_mixtures, n_sources + 1)
        b; that of the real rows is 1.
    rows : ndarray of shape (n_mixtures, n_sources)
        Rows k of every source that have these weights on average; not rounded.
    losses : ndarray of shape (n_mixtures, n_judged)
    added : ndarray of shape (n_mixtures,)
        Risk of not knowing which rows are drawn.
    """

    weights: Floats
    rows: Floats
    losses: Floats
    added: Floats


def along(pool: Pool, start: Floats, end: Floats, steps: Floats, ridge: float) -> Mixtures:
    """Judge the mixtures on the line from one vector of weights to another.

    Parameters
    ----------
    pool : Pool
    start, end : ndarray of shape (n_sources + 1,)
        Weights b, within `Pool.caps`; those of the real rows are 1.
    steps : ndarray of shape (n_steps,)
        Positions from 0 (start) to 1 (end).
    ridge : float
        l, as a multiple of the identity beside weights that sum to 1.

    Returns
    -------
    Mixtures
    """
    used = np.flatnonzero((start > 0) | (end > 0))
    grams, n = pool.grams[used], len(pool.real)
    basis, w = _line_basis(grams, start[used], end[used], ridge)
    weights = start + steps[:, None] * (end - start)
    b = weights[:, used]
    inverse = 1 / ((1 - steps)[:, None] * w + steps[:, None] * (1 - w))
    spreads = basis.T @ grams @ basis
    pulls = basis.T @ pool.crosses[used]
    fits = inverse[:, :, None] * np.tensordot(b, pulls, 1)
    z = pool.real @ basis
    # Real rows weigh 1 in all, wherever on the line.
    leverage = inverse @ (z**2).T / n
    usable = leverage.sum(axis=1) <= MAX_LEVERAGE * n
    weights, b, inverse, fits = weights[usable], b[usable], inverse[usable], fits[usable]
    leverage = leverage[usable]
    if pool.evaluation is None:
        judges, errors = spreads[0], pool.real_target - z @ fits
        errors /= (1 - leverage)[:, :, None]
        # Leaving a row out divides its variance by (1 - leverage)^2 as well.
        amplified = np.sum(leverage / (1 - leverage) ** 2, axis=1) / leverage.sum(axis=1)
    else:
        at = pool.evaluation[0] @ basis
        judges, errors = at.T @ at / len(at), pool.evaluation[1] - at @ fits
        amplified = np.ones(len(fits))
    # Mean squared residuals of the sources, from second moments alone.
    explained = [
        np.sum(fits * (2 * pull - spread @ fits), axis=(1, 2))
        for pull, spread in zip(pulls[1:], spreads[1:], strict=True)
    ]
    noise = np.reshape(explained, (len(used) - 1, len(fits))).T
    noise = np.maximum(pool.squares[used[1:]] - noise, 0.0)
    traces = inverse @ np.diagonal(spreads, axis1=1, axis2=2)[1:].T
    drawn, sizes = b[:, 1:], pool.sizes[used[1:]]
    k = n * drawn * (1 + traces / n) / (1 + drawn * traces / sizes)
    # b^2 t, with k put in.
    share = drawn * np.maximum(1 - drawn * n / sizes, 0.0) / (n + traces)
    rows = np.zeros((len(k), len(pool.sizes) - 1))
    rows[:, used[1:] - 1] = k
    return Mixtures(
        weights=weights,
        rows=rows,
        losses=np.sum(errors**2, axis=2),
        added=amplified * _drawn_variance(share, noise, judges, spreads[1:], inverse),
    )


def _line_basis(grams: Floats, start: Floats, end: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Basis V and weights w with ``V' M V = diag((1-s) w + s (1-w))`` at step s of the line."""
    from scipy.linalg import eigh

    eye = ridge * np.eye(grams.shape[1])
    left = np.tensordot(start, grams, 1) + start.sum() * eye
    right = np.tensordot(end, grams, 1) + end.sum() * eye
    w, basis = eigh(left, left + right)
    return basis, np.clip(w, 1e-15, 1 - 1e-15)


def _drawn_variance(
    share: Floats, noise: Floats, judges: Floats, spreads: Floats, inverse: Floats
) -> Floats:
    """Risk added by not knowing which rows of the sources are drawn.

    Parameters
    ----------
    share : ndarray of shape (n_mixtures, n_sources)
        ``b_s^2 t_s``.
    noise : ndarray of shape (n_mixtures, n_sources)
        Squared residuals s^2 of the undisturbed fit.
    judges : ndarray of shape (p, p)
        Second moment L of the judging rows, in the common basis.
    spreads : ndarray of shape (n_sources, p, p)
        A of every source, in the common basis.
    inverse : ndarray of shape (n_mixtures, p)
        Diagonal of M^-1 in the common basis.
    """
    if not len(spreads):
        return np.zeros(len(inverse))
    feedback = np.array(
        [[np.sum(inverse @ (r * s) * inverse, axis=1) for s in spreads] for r in spreads]
    )
    feedback = np.moveaxis(feedback, 2, 0) * share[:, None, :]
    radius = np.abs(np.linalg.eigvals(feedback)).max(axis=1)
    feedback *= np.minimum(1.0, _MAX_FEEDBACK / np.maximum(radius, 1e-300))[:, None, None]
    disturbed = np.linalg.solve(np.eye(len(spreads)) - feedback, noise[:, :, None])[:, :, 0]
    cost = np.array([np.sum(inverse @ (judges * s) * inverse, axis=1) for s in spreads]).T
    added: Floats = np.sum(share * cost * disturbed, axis=1)
    return added
