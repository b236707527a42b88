"""Were the synthetic rows made from these very real rows? A calibrated test of independence.

If the generator saw the real rows, every risk that is judged by them is optimistic. Real rows drawn
at random that the generator never saw cannot be closer to its rows than chance allows, in any
respect and whatever the generator is like: narrower, wider, shifted or biased. Three respects are
looked at.

neighbours  Among all rows, how often is a row's nearest neighbour of its own side? Independent
            sides give one half if they have one distribution and more if they have two (Henze and
            Penrose, 1999), as every gain of one side where the other is dense costs that other
            side at least as much. SMOTE, smoothed bootstraps and copies give far less. Judged by
            exchanging rows of the two sides.
copies      How often does a synthetic row equal a real one, beyond how often rows equal another
            of their own side? Judged by the same exchange.
columns     How near are the synthetic means and quantiles to the real ones? The real ones are off
            the truth by their sampling error; a symmetric error is never more likely to end near
            a point than near its own centre (Anderson, 1955), so wherever the synthetic ones are,
            they cannot be expected within that error in many columns. Those of many fitted
            generators are (trees, copulas). Judged by redrawing the real rows.

Bonferroni's rule joins them. With real rows that the generator cannot have seen the test is exact
instead: under independence they and the real rows are interchangeable, for any statistic.

What it does not see: a few parameters fitted to many rows (Gaussian mixtures, regression
simulators), and real rows that are a small part of what the generator saw. What deceives it: files
that were standardised one by one (exactly equal means are left out for that reason) or stripped of
duplicates, and related rows dealt out alternately to the two sides.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.columns import require_rows
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.neighbours import equal_rows, nearest_distances, nearest_others
from synthmix_dagster.seeds import rng_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEVEL = 0.01
#: Redrawings behind a p-value that counts, and behind one that takes a normal tail.
_REDRAWINGS = 999
_EXCHANGES = 99
#: Rows that are compared with each other: real ones at most, and both sides if the real are fewer.
_MAX_REAL = 10_000
_MAX_ROWS = 3_000
#: Real and synthetic rows each that are compared with real rows and those held out.
_MAX_HELD_OUT = 5_000
_MAX_SYNTHETIC = 20_000
_MAX_COORDINATES = 80
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
#: A share or mean that rests on fewer rows has no sampling error worth the name.
_MIN_COUNT = 5


@dataclass(frozen=True)
class Memorisation:
    """Whether synthetic rows appear to be derived from the real rows.

    Attributes
    ----------
    exact_copies : int
        Synthetic rows equal to some real row.
    expected_copies : float
        As many would be if synthetic rows met real ones as often as rows meet another of their own
        side, whichever side does so more often.
    nearness : float
        How often a row's nearest neighbour, among as many real as synthetic rows, is of the other
        side, averaged over both sides: at most one half is expected of independent rows.
    disagreement : float
        Mean squared difference of columns' means and shares, largest ones cut off, over what a
        fresh sample of real rows shows: at least one is expected of independent rows.
    p_value : float
        Smallest p-value of the tests, multiplied by their number.
    memorised : bool
    reason : str
        One plain sentence.
    """

    exact_copies: int
    expected_copies: float
    nearness: float
    disagreement: float
    p_value: float
    memorised: bool
    reason: str


def memorisation_test(
    real: Floats,
    synthetic: Floats,
    *,
    seed: int,
    held_out: Floats | None = None,
    level: float = LEVEL,
) -> Memorisation:
    """Test whether the synthetic rows are independent of the real rows.

    Parameters
    ----------
    real : ndarray of shape (n, d)
        Encoded rows, the target among the coordinates; all that the generator may have seen.
    synthetic : ndarray of shape (m, d)
        Encoded in the same way. More than real ones sharpen the test.
    seed : int
        Seed of samples and redrawings.
    held_out : ndarray of shape (h, d), optional
        Real rows of the same distribution that the generator cannot have seen.
    level : float
        Share of false alarms that is accepted, above 0.004.

    Returns
    -------
    Memorisation

    Raises
    ------
    ConfigError
        The level is not between 0.004, which no p-value of the test is below, and 1.
    DataError
        A side has fewer than ten rows, or other coordinates than the real one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real, strangers = rng.normal(size=(2, 50, 3))
    >>> made = np.repeat(real, 4, axis=0) + 0.1 * rng.normal(size=(200, 3))
    >>> memorisation_test(real, made, seed=0).memorised
    True
    >>> memorisation_test(strangers, made, seed=0).memorised
    False
    """
    if not 4 / (1 + _REDRAWINGS) <= level < 1:
        raise ConfigError(f"it is {level}", option="level", fix="Set it to 0.004 or more, below 1")
    sides = {"real": real, "synthetic": synthetic}
    if held_out is not None:
        sides["evaluation"] = held_out
    for dataset, points in sides.items():
        require_rows(len(points), dataset)
        if points.shape[1] != real.shape[1]:
            raise DataError(
                f"it has {points.shape[1]} coordinates, the real rows {real.shape[1]}",
                dataset=dataset,
                fix="Encode every side with one encoder",
            )
    rng = rng_of(seed, "memorisation")
    # Distances lose digits far from the origin.
    center = real.mean(axis=0)
    real, synthetic = real - center, synthetic - center
    copies, expected = _copies(real, synthetic)
    own_side, by_neighbours, by_copies = neighbour_test(real, synthetic, rng)
    disagreement, by_means, by_shares = column_test(real, synthetic, rng)
    nearness = 1 - own_side
    words = {
        "copies": f"{copies:,} synthetic rows equal a real row, chance explains {expected:,.0f}",
        "neighbours": f"real and synthetic rows are nearest to each other in {nearness:.0%} of "
        "cases, independent ones at most in about 50%",
        "columns": "means and quantiles agree with the real ones more closely "
        "than a fresh sample of real rows would",
    }
    tests = [("copies", by_copies), ("neighbours", by_neighbours)]
    tests += [("columns", by_means), ("columns", by_shares)]
    if held_out is not None:
        tests = _against_held_out(real, synthetic, held_out - center, rng)
        words["neighbours"] = "they are nearer to these real rows than to the evaluation rows"
        words["columns"] = "they lean towards the means of these rows, not of the evaluation rows"
    # Of equal p-values the first is named, and a copy is easier to check than a distance.
    found, smallest = min(tests, key=lambda test: test[1])
    p_value = min(1.0, len(tests) * smallest)
    memorised = p_value <= level
    return Memorisation(
        exact_copies=copies,
        expected_copies=expected,
        nearness=nearness,
        disagreement=disagreement,
        p_value=p_value,
        memorised=memorised,
        reason=f"The synthetic rows were made from these real rows: {words[found]}."
        if memorised
        else "Nothing shows that the synthetic rows were made from these real rows, though a "
        "generator with few parameters leaves no such traces.",
    )


def _copies(real: Floats, synthetic: Floats) -> tuple[int, float]:
    """Synthetic rows equal to a real row, and how many chance explains at most."""
    n, m = len(real), len(synthetic)
    groups = equal_rows(np.concatenate((real, synthetic)))
    ours, theirs = (
        np.bincount(side, minlength=groups.max() + 1) for side in (groups[:n], groups[n:])
    )
    repeated = float(np.mean(ours[groups[:n]] > 1))
    # As many synthetic rows as there are real ones are the others that a synthetic row can meet.
    none = _none_kept(m - 1, min(n, m - 1), np.arange(theirs.max()))
    met = float(np.mean(1 - none[theirs[groups[n:]] - 1]))
    return int(theirs[ours > 0].sum()), m * max(repeated, met)


def _none_kept(rows: int, kept: int, first: Ints) -> Floats:
    """Probability that `kept` of `rows` rows, drawn at random, are none of the first so many."""
    from scipy.special import gammaln

    possible = first <= rows - kept
    least = np.where(possible, first, 0)
    logs = gammaln(rows - least + 1) - gammaln(rows - least - kept + 1)
    logs -= gammaln(rows + 1) - gammaln(rows - kept + 1)
    return np.where(possible, np.exp(logs), 0.0)


def neighbour_test(
    real: Floats, synthetic: Floats, rng: np.random.Generator
) -> tuple[float, float, float]:
    """How often the nearest neighbour is of the own side; p-values of neighbours and of copies.

    Where synthetic rows are more, the share is the mean over all subsets with as many as real ones.
    """
    from scipy.special import stdtr

    real = _sample(real, _MAX_REAL, rng)
    n = len(real)
    synthetic = _sample(synthetic, min(16 * n, max(n, _MAX_ROWS - n)), rng)
    m = len(synthetic)
    # In random order, so that of equally near rows the one found first is of either side.
    order = rng.permutation(n + m)
    points = np.concatenate((real, synthetic))[order]
    is_real = order < n
    centers = np.arange(n + m)
    if n + m > _MAX_ROWS:
        half = _MAX_ROWS // 2
        centers = np.concatenate(
            [rng.permutation(np.flatnonzero(side))[:half] for side in (is_real, ~is_real)]
        )
    # Beyond so many neighbours none being real is rare, and the terms are next to zero.
    reach = min(n + m - 1, 3 * (n + m) // n)
    near = nearest_others(points, centers, reach)
    ranks = np.arange(reach + 1)
    own_of_real = _none_kept(m, min(n - 1, m), ranks)
    own_of_synthetic = 1 - _none_kept(m - 1, min(n, m - 1), ranks)

    def own_side(is_real: Flags) -> float:
        found = is_real[near]
        nearer = np.where(found.any(axis=1), found.argmax(axis=1), reach)
        at_real = is_real[centers]
        shares = own_of_real[nearer[at_real]].mean(), own_of_synthetic[nearer[~at_real]].mean()
        return float(sum(shares) / 2)

    # The exchange keeps the numbers among the centers, or it would be another statistic.
    rest = np.setdiff1d(np.arange(n + m), centers)

    def exchanged() -> Flags:
        labels = np.empty_like(is_real)
        for part in (centers, rest):
            labels[part] = rng.permutation(is_real[part])
        return labels

    share = own_side(is_real)
    null = np.array([own_side(exchanged()) for _ in range(_EXCHANGES)])
    # The share is a mean over many rows: its tail is normal, its spread estimated.
    spread = max(float(np.std(null, ddof=1)), 1e-9) * np.sqrt(1 + 1 / _EXCHANGES)
    by_neighbours = float(stdtr(_EXCHANGES - 1, (share - null.mean()) / spread))
    return share, by_neighbours, _by_copies(equal_rows(points), is_real, rng)


def _by_copies(groups: Ints, is_real: Flags, rng: np.random.Generator) -> float:
    """p-value of pairs of equal rows across the sides, beyond those within either."""
    sizes = np.bincount(groups)
    members = sizes[groups] > 1
    if not members.any():
        return 1.0
    groups = np.unique(groups[members], return_inverse=True)[1]
    last, n, m = groups.max() + 1, is_real.sum(), (~is_real).sum()

    def excess(is_real: Flags) -> float:
        mine = is_real[members]
        ours = np.bincount(groups[mine], minlength=last)
        theirs = np.bincount(groups[~mine], minlength=last)
        within = (
            np.sum(ours * (ours - 1)) / (n * (n - 1)),
            np.sum(theirs * (theirs - 1)) / (m * (m - 1)),
        )
        # Twice the share across exceeds the sum of both within only by dependence. The larger is
        # compared, as a side that was stripped of duplicates tells nothing.
        return float(np.sum(ours * theirs) / (n * m) - max(within))

    observed = excess(is_real)
    # The usual case, and nothing to be found.
    if observed <= 0:
        return 1.0
    return _count_p(observed, lambda: excess(rng.permutation(is_real)))


def _count_p(observed: float, redraw: Callable[[], float]) -> float:
    """Share of redrawn statistics, and the observed one, that reach the observed one."""
    null = np.array([redraw() for _ in range(_REDRAWINGS)])
    # Sums of the same terms in another order differ in the last digits.
    return float(1 + np.sum(null >= observed - 1e-12)) / (1 + _REDRAWINGS)


def column_test(
    real: Floats, synthetic: Floats, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Disagreement of the columns, and the p-values of their means and of their shares."""
    n, d = real.shape
    coordinates = np.sort(rng.permutation(d)[:_MAX_COORDINATES])
    rows = rng.permutation(n)[:_MAX_REAL]
    means, shares, mean_differences, share_differences = [], [], [], []
    for c in coordinates:
        values = real[:, c]
        if n - np.unique(values, return_counts=True)[1].max() < _MIN_COUNT:
            continue
        spread = float(np.std(values, ddof=1))
        difference = (synthetic[:, c].mean() - values.mean()) / spread
        # Equal to the last digit is the work of whoever standardised both files.
        if abs(difference) * np.sqrt(n) < 1e-6:
            continue
        means.append((values[rows] - values.mean()) / spread)
        mean_differences.append(difference)
        # Cut and kept by the synthetic values: chosen by the real ones, shares are not random.
        for cut in np.unique(np.quantile(synthetic[:, c], _QUANTILES)):
            theirs = np.mean(synthetic[:, c] <= cut)
            if n * min(theirs, 1 - theirs) < _MIN_COUNT:
                continue
            below = values <= cut
            share = below.mean()
            spread = max(float(np.sqrt(share * (1 - share))), 1e-9)
            shares.append((below[rows] - share) / spread)
            share_differences.append((theirs - share) / spread)
    weights = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=_REDRAWINGS)
    weights = (weights - 1) / np.sqrt(len(rows))
    ratios, p_values = [], []
    for terms, differences in ((means, mean_differences), (shares, share_differences)):
        # Nothing varies among the real rows where the synthetic ones are.
        if not np.any(terms):
            p_values.append(1.0)
            continue
        # One column that is far off must not hide many that are too near.
        observed = np.mean(np.minimum(n * np.square(differences), 4))
        null = np.minimum(np.square(weights @ np.stack(terms, axis=1)), 4).mean(axis=1)
        ratios.append(observed / null.mean())
        p_values.append(float(1 + np.sum(null <= observed)) / (1 + _REDRAWINGS))
    return float(np.mean(ratios)) if ratios else 1.0, p_values[0], p_values[1]


def _against_held_out(
    real: Floats, synthetic: Floats, held_out: Floats, rng: np.random.Generator
) -> list[tuple[str, float]]:
    """p-values of real rows beside rows that are interchangeable with them under independence.

    Every row of either gets a score that does not depend on which of the two it is from.
    """
    real, held_out = (_sample(side, _MAX_HELD_OUT, rng) for side in (real, held_out))
    n = len(real)
    pool = np.concatenate((real, held_out))
    rows = _sample(synthetic, _MAX_SYNTHETIC, rng)
    groups = equal_rows(np.concatenate((rows, pool)))
    copied = np.isin(groups[len(rows) :], groups[: len(rows)]).astype(float)
    to_synthetic = nearest_distances(pool, rows, itself=False)
    to_pool = nearest_distances(pool, pool, itself=True)
    # Distances that are all zero, as between categories, compare as equal.
    least = 1e-9 * (1 + float(to_pool.max()))
    nearer = -np.log((to_synthetic + least) / (to_pool + least))
    spreads = pool.std(axis=0)
    varied = spreads > 0
    standard = (pool[:, varied] - pool[:, varied].mean(axis=0)) / spreads[varied]
    leaning = (synthetic[:, varied].mean(axis=0) - pool[:, varied].mean(axis=0)) / spreads[varied]
    # What is beyond the sampling error is bias, not memory.
    error = 2 / np.sqrt(n)
    towards = standard @ np.clip(leaning, -error, error)
    scores = {
        "copies": copied,
        "neighbours": pd.Series(nearer).rank().to_numpy(),
        "columns": towards,
    }

    def p_value(score: Floats) -> float:
        return _count_p(float(score[:n].mean()), lambda: float(rng.permutation(score)[:n].mean()))

    return [(name, p_value(score)) for name, score in scores.items()]


def _sample(points: Floats, most: int, rng: np.random.Generator) -> Floats:
    return points if len(points) <= most else points[rng.permutation(len(points))[:most]]
