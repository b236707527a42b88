"""Predicted risk with more real rows than there are.

Risk at N real rows is predicted from n < N of them. Real rows are a random draw as
synthetic ones are (see `path`), from a population that is seen only through that draw. For a fit
with real weight a and any synthetic weight let ``H`` be the part of its hat matrix between real
rows, as it is at n rows. Then in the deterministic equivalent

- the fit is on average that of the population with real weight ``a (1 - tr(H)/n)``. So n rows with
  weight ``a = (1 - tr(H)/N) / (1 - tr(H)/n)`` show the mean fit of N rows with weight 1: the same
  bias.
- its variance multiplies the risk of that mean fit by ``1 / (1 - T/n)``, with
  ``1 - T/n = (n - tr(H))^2 / (n tr((I - H)^2))``: what turns training residuals into an estimate of
  the noise, over what turns them into one of the risk. T is free of n, so the same fit has at N
  rows ``(1 - T/n) / (1 - T/N)`` times the risk.

Synthetic rows that are drawn k of m disturb the fit too, and each of the two draws disturbs the
residuals of the other: with ``v`` the mean squared errors at a new real row and at a synthetic row
that is not drawn, ``v = s^2 + T v`` as in `mixtures`, with the real rows as one of the sources. All
its terms are known at n rows, and those due to real rows are n/N times as large at N.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.moments import Moments, predicted
from synthmix_dagster.ratio.path import MAX_LEVERAGE, RIDGES, Fits, judge

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Errors held at a time, which bounds the memory.
_CELLS = 2**22


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predicted risk with other numbers of real rows.

    Attributes
    ----------
    real_rows, counts : ndarray of shape (n_points,)
        N real and k synthetic rows.
    risks : ndarray of shape (n_points,)
    ridges : ndarray of shape (n_points,)
        Ridge that suits them, beside weights that sum to 1.
    losses : ndarray of shape (n_points, n_judged)
        Per judging row; `risks` are their means plus the risk of drawing synthetic rows.
    """

    real_rows: Floats
    counts: Ints
    risks: Floats
    ridges: Floats
    losses: Floats


def forecast(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    real_rows: Floats,
    counts: Ints,
    *,
    evaluation: tuple[Floats, Floats] | None = None,
    ridges: Sequence[float] = RIDGES,
) -> Forecast:
    """Predict the risk with N real and k synthetic rows, for pairs of N and k.

    At N = n it is the risk path, up to what the two iterations leave.

    Parameters
    ----------
    real, real_target : ndarray of shape (n, p), (n, q)
    synthetic, synthetic_target : ndarray of shape (m, p), (m, q)
    real_rows : ndarray of shape (n_points,)
        N, each at least n.
    counts : ndarray of shape (n_points,)
        k, each at most m.
    evaluation, ridges
        See `risk_path`.

    Returns
    -------
    Forecast
    """
    moments = Moments(real, real_target, synthetic, synthetic_target, evaluation)
    return forecast_of(moments, real_rows, counts, ridges=ridges)


def forecast_of(
    moments: Moments, real_rows: Floats, counts: Ints, *, ridges: Sequence[float] = RIDGES
) -> Forecast:
    """The same of moments, which keep what was computed of them before.

    Parameters
    ----------
    moments : Moments
    real_rows, counts, ridges : see `forecast`
    """
    judged = len(moments.judging[0])
    path = judge(_fits(moments, real_rows, counts, ridges), counts, judged)
    return Forecast(real_rows, counts, path.risks, path.ridges, path.losses)


def _fits(
    moments: Moments, real_rows: Floats, counts: Ints, ridges: Sequence[float]
) -> Iterator[Fits]:
    """Fits as N and k rows have them on average, with every ridge."""
    n, m, evaluation, target = moments.n, moments.m, moments.evaluation, moments.judging[1]
    judged, q = target.shape
    pieces = min(len(counts), -(-len(counts) * judged * (q + 2) // _CELLS))
    for ridge in sorted(ridges, reverse=True):
        basis = moments.basis(ridge)
        w, gram, spread = np.clip(basis.w, 1e-15, 1.0), basis.gram, basis.spread
        pulls = basis.pull_real, basis.pull_synthetic
        z, at = moments.rows(ridge)
        judges, squares = basis.judged, z**2
        for part in np.array_split(np.arange(len(counts)), pieces):
            size, k = real_rows[part], counts[part]
            thin = np.where(k > 0, 1 / np.maximum(k, 1) - 1 / m, 0.0)
            a, b = _mean_weights(w, np.diag(gram), np.diag(spread), n, size, k, thin)
            inverse = 1 / (a[:, None] * w + b[:, None] * (1 - w))
            fits = a[:, None, None] * pulls[0] + b[:, None, None] * pulls[1]
            fits *= inverse[:, :, None]
            leverage = a[:, None] / n * (inverse @ squares.T)
            used = leverage.sum(axis=1)
            usable = used <= MAX_LEVERAGE * n
            # tr(H^2), and T/n of the module's docstring.
            again = a**2 * np.sum(inverse @ gram**2 * inverse, axis=1)
            own = 1 - (n - used) ** 2 / (n * (n - 2 * used + again))
            errors = target - predicted(at, fits)
            amplified = np.ones(len(part))
            if evaluation is None:
                errors /= (1 - leverage)[:, :, None]
                exposed = ((1 - w) * inverse**2) @ squares.T
                amplified = np.sum(exposed / (1 - leverage) ** 2, axis=1)
                amplified /= np.maximum(exposed.sum(axis=1), 1e-300)
            losses = np.sum(errors**2, axis=2)
            explained = np.sum(fits * (2 * pulls[1] - predicted(spread, fits)), axis=(1, 2))
            cross = amplified * np.sum(inverse @ (judges * spread) * inverse, axis=1)
            within = np.sum(inverse @ spread**2 * inverse, axis=1)
            scale, added = _with_more_rows(
                losses.mean(axis=1),
                np.maximum(moments.square - explained, 0.0),
                own,
                cross,
                within,
                real_share=(a * (1 - used / n)) ** 2,
                drawn_share=b**2 * thin,
                n=n,
                size=size,
            )
            yield Fits(
                at=part[usable],
                ridges=(ridge * (a + b) / (1 + k / size))[usable],
                losses=(losses * scale[:, None])[usable],
                added=added[usable],
            )


def _mean_weights(
    w: Floats, gram: Floats, spread: Floats, n: int, size: Floats, k: Ints, thin: Floats
) -> tuple[Floats, Floats]:
    """Weights a and b of the two sides whose fit at n rows is the mean fit of N and k rows.

    Fixed points, by iteration; `gram` and `spread` are the diagonals of A and B in the basis.
    """
    a, b = np.ones(len(size)), k / size
    for _ in range(100):
        inverse = 1 / (a[:, None] * w + b[:, None] * (1 - w))
        used = np.minimum(a * (inverse @ gram), MAX_LEVERAGE * n)
        new_a = (1 - used / size) / (1 - used / n)
        new_b = k / size / (1 + k / size * thin * (inverse @ spread))
        still = np.all(np.abs(new_a - a) <= 1e-7 * a) and np.all(np.abs(new_b - b) <= 1e-7 * b)
        a, b = 0.5 * (a + new_a), 0.5 * (b + new_b)
        if still:
            break
    return a, b


def _with_more_rows(
    risk: Floats,
    noise: Floats,
    own: Floats,
    cross: Floats,
    within: Floats,
    *,
    real_share: Floats,
    drawn_share: Floats,
    n: int,
    size: Floats,
) -> tuple[Floats, Floats]:
    """What the losses are multiplied by at N rows, and the risk that drawing k rows adds.

    Parameters
    ----------
    risk : ndarray of shape (n_points,)
        Risk at n rows, without drawing synthetic rows.
    noise : ndarray of shape (n_points,)
        Squared residuals of all synthetic rows at n rows.
    own : ndarray of shape (n_points,)
        T between real rows, at n of them.
    cross, within : ndarray of shape (n_points,)
        ``tr(M^-1 L M^-1 B)`` at a row that is left out, and ``tr(M^-1 B M^-1 B)``; M is that of the
        n rows there are, so both hold what these rows disturb.
    real_share, drawn_share : ndarray of shape (n_points,)
        Squared mean weight of the real side, and ``b^2 (1/k - 1/m)``.
    """
    # What holds for the population: the disturbance by n real rows is taken out again.
    population = cross * (1 - own)
    by_real = real_share * population / n
    direct = risk * (1 - own)
    drawn = np.maximum(noise - by_real * risk, 0.0)
    loop = by_real * drawn_share * population / (1 - own)
    within_drawn = np.maximum(drawn_share * within - loop, 0.0)
    # The system v = s^2 + T v of the two draws at N rows, solved by hand.
    share = n / size
    own, by_real = own * share, by_real * share
    by_drawn = drawn_share * population
    feedback = np.minimum(within_drawn + by_real * by_drawn / (1 - own), 0.95)
    undrawn = direct / (1 - own)
    added = by_drawn * (drawn + by_real * undrawn) / (1 - feedback) / (1 - own)
    return undrawn / risk, added
