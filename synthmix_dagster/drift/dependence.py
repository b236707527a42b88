"""Evidence that autocorrelation and seasons cannot explain.

Bets on the order of scores (`drift.martingale`) are fair where every order is as likely as any
other. But today's score may resemble yesterday's, and weeks and years have their shape. So a second
capital is a likelihood ratio against all of that:

    x_t = season(t) + e_t,    e_t = phi e_{t-1} + noise,    -0.95 <= phi <= 0.95,

with normal noise and the exact likelihood of a stationary series. Missing batches are longer steps:
over g of them the correlation is phi**g. The alternative adds one step of unknown size at an
unknown batch; its odds against the series without it are mixed over what is unknown. What the
denominator has to allow for costs as little as it can:

- *Level, short seasons of any shape, and scale* cost nothing. What is left of the scores when they
  are projected out has one law whatever they are (a maximal invariant; its density is the
  restricted likelihood), so its likelihood ratio is a fair bet in itself (Perez-Ortiz, Lardy, de
  Heide and Gruenwald, E-statistics, group invariance and anytime-valid testing, Annals of
  Statistics 52, 2024).
- *Autocorrelation* is taken at its most likely (Wasserman, Ramdas and Balakrishnan, Universal
  inference, PNAS 117, 2020): the capital is never more than the fair bet against the phi there is.
  Likelihoods are computed at places equally far apart in arcsin(phi), where n scores have the
  information n: between two of them, d apart, the logarithm is higher by n d**2 / 8 at most, to the
  second order, which is added.
- *Long waves* are free up to an amplitude of R deviations only, since over a short time a wave of
  any size is any curve. If p_c is the likelihood with the coefficients c, and m its mean over a
  normal prior for c with the deviation R, then completing the square gives, at every scale,

      p_c <= m sqrt(det(I + R**2 S)) exp(|c|**2 / (2 R**2)),

  with S the information on c. So one bound in closed form holds for all c with |c| <= R.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.drift.martingale import LONGEST, waking

Floats = NDArray[np.float64]

#: Autocorrelation that is allowed for, and how densely it is tried, in arcsin(phi).
HIGHEST, PLACES = 0.95, 51
#: Places of the autocorrelations that are bet on, in equal parts: -0.3 to 0.93.
BET_ON = np.arange(19, PLACES, 3)
#: Deviations of the size of a step, in those of a score; in equal parts.
SIZES = (2.0, 8.0)
#: Seasons up to this many batches may have any shape; longer ones are waves.
ANY_SHAPE = 31
#: Largest amplitude of a wave, in deviations of a score.
AMPLITUDE = 1.0
#: A column that is smaller than this part of its size is taken for zero.
_NOTHING = 1e-7


def autocorrelations() -> Floats:
    """Values of phi at which the likelihood is computed.

    Examples
    --------
    >>> phi = autocorrelations()
    >>> phi[[0, 25, 50]].round(2).tolist()
    [-0.95, 0.0, 0.95]
    """
    end = float(np.arcsin(HIGHEST))
    found: Floats = np.sin(np.linspace(-end, end, PLACES))
    return found


def levels_and_waves(times: Floats, seasons: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Columns that a series without a change is a combination of.

    Parameters
    ----------
    times : ndarray of shape (n_batches,)
    seasons : tuple of float
        Lengths, in units of `times`.

    Returns
    -------
    levels : ndarray of shape (n_batches, n_levels)
        Each is zero before the first batch that needs it and one there, so that those that are not
        zero yet are independent, after any number of batches.
    waves : ndarray of shape (n_batches, 2 * n_waves)

    Examples
    --------
    >>> levels, waves = levels_and_waves(np.arange(5.0), (2, 365.25))
    >>> levels.shape, waves.shape
    ((5, 2), (5, 2))
    """
    columns, waves = [np.ones(len(times))], []
    for length in seasons:
        if length <= ANY_SHAPE and length == int(length):
            columns += [(times % length == each) * 1.0 for each in np.unique(times % length)]
        else:
            turn = 2 * np.pi * (times % length) / length
            waves += [np.sin(turn), np.cos(turn)]
    waiting, entered = np.array(columns), []
    for t in range(len(times)):
        if not np.any(np.abs(waiting[:, t]) > _NOTHING):
            continue
        pivot = int(np.argmax(np.abs(waiting[:, t])))
        column = waiting[pivot] / waiting[pivot, t]
        column[:t] = 0.0
        waiting = np.delete(waiting, pivot, axis=0) - np.outer(
            np.delete(waiting[:, t], pivot), column
        )
        entered.append(column)
    return np.array(entered).T, np.array(waves).reshape(-1, len(times)).T


class _Regression:
    """Least squares on levels and waves, a batch at a time, for every autocorrelation at once.

    Waves have a normal prior; the second half of the rows of every array is with them, the first
    without. `spread` is the covariance of the coefficients.
    """

    def __init__(self, times: Floats, seasons: tuple[float, ...], series: int) -> None:
        self.times = times
        levels, waves = levels_and_waves(times, seasons)
        self.columns = np.concatenate((levels, waves), axis=1)
        self.waves = waves.shape[1] // 2
        self.enters = {int(np.flatnonzero(column)[0]): i for i, column in enumerate(levels.T)}
        phi = autocorrelations()
        self.phi = np.tile(phi, 2)
        self.bets = np.concatenate((BET_ON, BET_ON + PLACES)) if waves.shape[1] else BET_ON
        p = self.columns.shape[1]
        prior = np.diag(np.arange(p) >= levels.shape[1]) * AMPLITUDE**2
        self.spread = np.zeros((len(self.phi), p, p))
        self.spread[PLACES:] = prior
        self.of_scores = np.zeros((len(self.phi), series, p))
        self.of_steps = np.zeros((len(self.bets), LONGEST, p))

    def next(self, t: int, scores: Floats, steps: Floats) -> tuple[Floats, Floats, Floats] | None:
        """Standardised one-step errors of the scores and of the steps, and the log deviations.

        Parameters
        ----------
        t : int
        scores : ndarray of shape (2, n_series)
            The one before and this one.
        steps : ndarray of shape (2, LONGEST)

        Returns
        -------
        tuple or None
            None where the batch is needed to learn a level.
        """
        bets = self.bets
        rho = self.phi ** (self.times[t] - self.times[t - 1]) if t else np.zeros_like(self.phi)
        unit = np.sqrt(1 - rho**2)
        before = self.columns[t - 1] if t else np.zeros_like(self.columns[t])
        x = (self.columns[t] - rho[:, None] * before) / unit[:, None]
        y = (scores[1] - rho[:, None] * scores[0]) / unit[:, None]
        z = (steps[1] - rho[bets, None] * steps[0]) / unit[bets, None]
        y -= np.einsum("khp,kp->kh", self.of_scores, x)
        z -= np.einsum("kbp,kp->kb", self.of_steps, x[bets])
        gain = np.einsum("kpq,kq->kp", self.spread, x)
        variance = 1 + np.einsum("kp,kp->k", gain, x)
        deviation = np.sqrt(variance)
        if t in self.enters:
            self._learn(self.enters[t], x, y, z, gain, variance)
            return None
        self.spread -= gain[:, :, None] * gain[:, None, :] / variance[:, None, None]
        gain /= variance[:, None]
        self.of_scores += y[:, :, None] * gain[:, None, :]
        self.of_steps += z[:, :, None] * gain[bets, None, :]
        return y / deviation[:, None], z / deviation[bets, None], np.log(unit * deviation)

    def _learn(
        self, level: int, x: Floats, y: Floats, z: Floats, gain: Floats, variance: Floats
    ) -> None:
        """A level that nothing was known of fits its first batch."""
        size = x[:, level]
        gain = -gain / size[:, None]
        self.spread[:, level, :] = self.spread[:, :, level] = gain
        self.spread[:, level, level] = variance / size**2
        self.of_scores[:, :, level] = y / size[:, None]
        self.of_steps[:, :, level] = z / size[self.bets, None]


class _Steps:
    """Odds of a step at each of the latest batches, for every autocorrelation that is bet on."""

    def __init__(self, n: int, warm_up: int, bets: int, series: int) -> None:
        self.warm_up = warm_up
        self.chances = waking(max(n - warm_up, 0))
        self.first = np.full(LONGEST, -1)
        self.squares = np.zeros((bets, LONGEST))
        self.products = np.zeros((bets, series, LONGEST))
        self.won = np.full((bets, series, LONGEST), -np.inf)
        self.banked = np.zeros((bets, series))
        self.asleep = 1.0

    def begin(self, t: int) -> None:
        """A step may begin here; the bet on the oldest is over, and what it won is kept."""
        if t < self.warm_up:
            return
        slot = t % LONGEST
        self.banked += np.exp(np.minimum(self.won[:, :, slot], 600.0))
        self.first[slot] = t
        self.squares[:, slot] = self.products[:, :, slot] = 0.0
        self.asleep -= float(self.chances[t - self.warm_up])

    def add(self, scores: Floats, steps: Floats) -> None:
        self.squares += steps**2
        self.products += scores[:, :, None] * steps[:, None, :]

    def log_odds(self, sums: Floats, known: int) -> Floats:
        """Mean odds of all bets; `sums` are squares of the errors, of shape (n_bets, n_series)."""
        odds = []
        for variance in np.square(SIZES):
            share = self.products**2 / (1 / variance + self.squares)[:, None] / sums[:, :, None]
            better = -known / 2 * np.log(np.maximum(1 - share, 1e-24))
            odds.append(better - np.log1p(variance * self.squares)[:, None] / 2)
        begun = self.first >= 0
        chance = np.full(LONGEST, -np.inf)
        chance[begun] = np.log(self.chances[self.first[begun] - self.warm_up])
        self.won = np.logaddexp.reduce(odds, axis=0) - np.log(len(odds)) + chance
        kept = np.log(max(self.asleep, 0.0) + self.banked + 1e-300)
        total: Floats = np.logaddexp(np.logaddexp.reduce(self.won, axis=2), kept)
        return total


class Evidence(NamedTuple):
    """What autocorrelation and seasons leave of the evidence of a change.

    Attributes
    ----------
    log_capital : ndarray of shape (n_batches,)
    correlation : float
        Most likely autocorrelation of successive batches without a change.
    learning : int
        Batches that the level and the shape of short seasons are learnt from.
    """

    log_capital: Floats
    correlation: float
    learning: int

    def notes(self, by_order: Floats, line: float) -> tuple[str, ...]:
        """What a reader should know of the two capitals; `by_order` is that of `log_martingale`."""
        n = len(self.log_capital)
        if n < self.learning + 2:
            return (
                f"an alarm is not possible yet: at least {self.learning + 2} batches are needed to "
                "tell a change from a season",
            )
        if by_order.max() >= line > np.minimum(by_order, self.log_capital).max():
            return (
                "its latest batches differ from its first ones, but autocorrelation "
                f"({self.correlation:.1f} between successive batches) or a season may explain it; "
                "the monitor cannot promise that it is a change",
            )
        return ()


def evidence(
    scores: Floats, times: Floats, *, warm_up: int, seasons: tuple[float, ...] = ()
) -> Evidence:
    """Judge one series; see `log_capital` for the parameters.

    Examples
    --------
    >>> days = np.arange(200.0)
    >>> found = evidence(np.sin(days / 9), days, warm_up=5, seasons=(7,))
    >>> round(found.correlation, 2), found.learning
    (0.95, 7)
    """
    capital, correlations = _judge(scores[None], times, warm_up, seasons)
    learning = levels_and_waves(times, seasons)[0].shape[1]
    return Evidence(capital[0], float(correlations[0]), learning)


def log_capital(
    scores: Floats, times: Floats, *, warm_up: int, seasons: tuple[float, ...] = ()
) -> Floats:
    """Logarithm of the capital after every batch, for series with the same batches.

    Parameters
    ----------
    scores : ndarray of shape (n_series, n_batches)
        Finite.
    times : ndarray of shape (n_batches,)
        Places of the batches, whole numbers that rise.
    warm_up : int
        Batches that are taken as the history; no step is bet on among them.
    seasons : tuple of float
        Lengths of the seasons to allow for.

    Returns
    -------
    ndarray of shape (n_series, n_batches)

    Examples
    --------
    >>> days = np.arange(60.0)
    >>> noise = np.random.default_rng(0).normal(size=(1, 60))
    >>> moved = log_capital(noise + 9 * (days >= 40), days, warm_up=5, seasons=(7, 365.25))
    >>> bool(moved[0, 39] < 1), bool(moved[0, 59] > np.log(100))
    (True, True)
    >>> waved = log_capital(noise + 4 * (days % 7 == 6), days, warm_up=5, seasons=(7, 365.25))
    >>> bool(waved.max() < 1)
    True
    """
    return _judge(scores, times, warm_up, seasons)[0]


def _judge(
    scores: Floats, times: Floats, warm_up: int, seasons: tuple[float, ...]
) -> tuple[Floats, Floats]:
    """Log capital of every series after every batch, and its most likely autocorrelation."""
    n = scores.shape[1]
    scaled, series = scores - scores[:, [0]], len(scores)
    scaled = scaled / np.maximum(np.abs(scaled).max(axis=1, keepdims=True), 1e-300)
    regression = _Regression(times, seasons, series)
    bets, waves = regression.bets, regression.waves
    steps = _Steps(n, warm_up, len(bets), series)
    sums, known = np.full((2 * PLACES, series), 1e-24), 0
    log_scale, capital = np.zeros(2 * PLACES), np.zeros((series, n))
    spacing = 2 * np.arcsin(HIGHEST) / (PLACES - 1)
    for t in range(n):
        steps.begin(t)
        pair = np.stack((scaled[:, t - 1] if t else np.zeros(series), scaled[:, t]))
        begun = steps.first >= 0
        on = np.stack((begun & (steps.first < t), begun)).astype(np.float64)
        errors = regression.next(t, pair, on)
        if errors is not None:
            error, of_steps, log_deviation = errors
            sums += error**2
            steps.add(error[bets], of_steps)
            log_scale += log_deviation
            known += 1
        fits = -known / 2 * np.log(sums)
        odds = steps.log_odds(sums[bets], known)
        bet = fits[bets] - log_scale[bets, None] + odds
        # Amplitudes at their most likely: without the factor that the prior costs, see above.
        unchanged = fits[PLACES:] - log_scale[:PLACES, None]
        bound = unchanged.max(axis=0) + waves / 2 + known * spacing**2 / 8
        capital[:, t] = np.logaddexp.reduce(bet, axis=0) - np.log(len(bets)) - bound
    correlations = autocorrelations()[unchanged.argmax(axis=0)]
    return capital, correlations
