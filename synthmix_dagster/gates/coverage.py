"""Whether the rows to be released look like the synthetic rows that were measured.

A release takes some of the synthetic rows, and a measurement looks at some. Both are drawn by
hashes that have nothing to do with each other, so each is a uniform sample of the same rows, and
counts in the same cells differ by chance alone. Rows that somebody placed where the selection takes
them are over-represented in the release: they are noticed if any column by itself, or together with
the target, shows it.

Each cell, and each cell with all below it, is compared by the exact binomial test of two counts,
which is conservative for draws without replacement; the coarse tables beside the target also as a
whole. All of them share one chance of a false alarm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.data.profile import Cells, Profile
from synthmix_dagster.encoding.columns import some_names
from synthmix_dagster.gates.verdicts import Verdict

Ints = NDArray[np.int64]

#: Name of the check in manifest and report.
RELEASED_ROWS = "released_rows"
#: Chance of refusing a release of which every row was drawn by chance, over all its comparisons.
FALSE_ALARM = 1e-6
#: A value so many times the measured range beyond it is far out, whatever its share.
FAR = 1e6


#: Rows that a cell of a table is expected to have, at least, to be compared by itself.
_MIN_EXPECTED = 10
#: Factor on the p-value of a table.
_MARGIN = 100
#: P-value below which a single count is told, whatever a table says.
_PLAIN = 1e-9
_ABOUT_A_TABLE = "released rows have other values beside the same targets than the measured ones"


@dataclass(frozen=True)
class _Found:
    """The most surprising count of a column."""

    column: str
    p_value: float
    sentence: str


def judge_released_rows(
    measured: Profile, released: Profile, those: str = "that were measured"
) -> Verdict:
    """Fail when released rows are not like measured ones, beyond chance.

    Parameters
    ----------
    measured : Profile
        Of the synthetic rows that were measured.
    released : Profile
        The same cells, with the counts of all synthetic rows to be released.
    those : str
        What the first rows are, where they are others than the measured ones.
    """
    wild = [
        said
        for name, cells in released.columns.items()
        for said in _wild(name, measured.columns[name], cells)
    ]
    if wild:
        return Verdict(
            False,
            f"Synthetic rows outside the measured sample hold what cannot be released: {wild[0]}. "
            "Fix the generator, or leave such rows out.",
        )
    comparisons = sum(_comparisons(cells) for cells in measured.columns.values())
    found = [
        _worst_count(name, cells, released.columns[name], measured.rows, released.rows)
        for name, cells in measured.columns.items()
    ]
    worst = min(found, key=lambda each: each.p_value, default=_Found("", 1.0, ""))
    p_value = min(1.0, worst.p_value * max(1, comparisons))
    if p_value >= FALSE_ALARM:
        return Verdict(
            True,
            f"The {released.rows:,} synthetic rows to be released look like the {measured.rows:,} "
            f"{those} in each of {len(found)} columns (p = {p_value:.2g} over "
            f"{comparisons} comparisons; refused below {FALSE_ALARM:g}).",
        )
    names = [each.column for each in found if each.p_value * comparisons < FALSE_ALARM]
    return Verdict(
        False,
        f"The {released.rows:,} synthetic rows to be released are not like the {measured.rows:,} "
        f"{those}, in {some_names(names)}: {worst.sentence}, which chance does in fewer "
        f"than one of {1 / FALSE_ALARM:,.0f} releases. The rows seem to be placed so that the "
        "selection takes others than the measurement saw. Find out how they were ordered or keyed, "
        "and generate them anew.",
    )


def _wild(name: str, seen: Cells, taken: Cells) -> list[str]:
    """Values that no measurement of them would have let pass."""
    found = []
    if taken.infinite > seen.infinite:
        found.append(f"{taken.infinite:,} infinite values in '{name}'")
    if seen.extent is not None and taken.extent is not None:
        (low, high), (lowest, highest) = seen.extent, taken.extent
        reach = FAR * (high - low)
        if reach and max(low - lowest, highest - high) > reach:
            value = lowest if low - lowest > reach else highest
            found.append(
                f"the value {value:.3g} in '{name}', where the measured ones lie between "
                f"{low:.3g} and {high:.3g}"
            )
    return found


def _comparisons(cells: Cells) -> int:
    return (
        cells.size * (2 if cells.kind == "number" else 1)
        + len(cells.with_target)
        + bool(cells.with_target)
    )


def _worst_count(name: str, seen: Cells, taken: Cells, n: int, k: int) -> _Found:
    """Compare the counts of a column, and describe the most surprising one."""
    before, now = np.array(seen.counts), np.array(taken.counts)
    if seen.kind == "level":
        # Rows with a level of their own say how many of other levels are to be expected; twice the
        # pairs allow for the error of that estimate.
        before[-2] = np.sum(before[:-2] == 1) + 2 * np.sum(before[:-2] == 2)
        if now[-2] * n <= before[-2] * k:
            before[-2] = now[-2] = 0
    compared = [(before, now, "cell")]
    if seen.kind == "number":
        compared.append((np.cumsum(before[:-1]), np.cumsum(now[:-1]), "below"))
    if seen.with_target:
        compared.append((np.array(seen.with_target), np.array(taken.with_target), "joint"))
    found = _Found(name, 1.0, "")
    for first, second, what in compared:
        p_values = _p_values(first, second, n, k)
        at = int(np.argmin(p_values))
        if p_values[at] < found.p_value:
            shares = f"{second[at] / k:.1%} of the released rows {{}}, {first[at] / n:.1%} of the "
            said = (shares + "measured ones").format(_described(seen, what, at))
            found = _Found(name, float(p_values[at]), said)
    if seen.with_target:
        p_value = _p_value_of_table(np.array(seen.with_target), np.array(taken.with_target))
        if p_value < found.p_value:
            # A single count that says enough by itself is easier to follow.
            said = found.sentence if found.p_value < _PLAIN else _ABOUT_A_TABLE
            found = _Found(name, p_value, said)
    return found


def _p_value_of_table(first: Ints, second: Ints) -> float:
    """Chance of so different tables, by a chi-square test of two samples.

    Cells of few rows are put together, so that the approximation holds far out in its tail; what is
    left of its error is allowed for.
    """
    from scipy.special import chdtrc

    n, k = int(first.sum()), int(second.sum())
    expected = (first + second) * min(n, k) / (n + k)
    full = expected >= _MIN_EXPECTED
    rest = [np.sum(each[~full]) for each in (first, second)]
    a, b = (np.append(each[full], more) for each, more in zip((first, second), rest, strict=True))
    a, b = a[a + b > 0], b[a + b > 0]
    if len(a) < 2:
        return 1.0
    square = np.sum((np.sqrt(k / n) * a - np.sqrt(n / k) * b) ** 2 / (a + b))
    return min(1.0, _MARGIN * float(chdtrc(len(a) - 1, square)))


def _p_values(first: Ints, second: Ints, n: int, k: int) -> NDArray[np.float64]:
    """Two-sided chance of so different counts of n and of k rows, given their sum."""
    from scipy.special import betainc

    # The rarer of a count and its complement says it more exactly.
    flipped = first + second > (n + k) / 2
    first, second = np.where(flipped, n - first, first), np.where(flipped, k - second, second)
    share = k / (n + k)
    at_least = np.where(second > 0, betainc(np.maximum(second, 1), first + 1, share), 1.0)
    at_most = np.where(first > 0, betainc(np.maximum(first, 1), second + 1, 1 - share), 1.0)
    return np.minimum(1.0, 2 * np.minimum(at_least, at_most))


def _described(cells: Cells, what: str, at: int) -> str:
    """What the rows of a cell have in common."""
    if what == "joint":
        return "have such a value beside such a target"
    if at == cells.size - 1:
        return "lack a value"
    if cells.kind == "hash":
        return "have one of some levels"
    if cells.kind == "level":
        return f"are {cells.levels[at]!r}" if at < len(cells.levels) else "have another level"
    edge, on_edge = divmod(at, 2)
    if what == "below":
        if on_edge:
            return f"are at most {cells.edges[edge]:.4g}"
        last = edge == len(cells.edges)
        return "have a value" if last else f"are below {cells.edges[edge]:.4g}"
    if on_edge:
        return f"are {cells.edges[edge]:.4g}"
    if edge == 0:
        return f"are below {cells.edges[0]:.4g}"
    if edge == len(cells.edges):
        return f"are above {cells.edges[-1]:.4g}"
    return f"lie between {cells.edges[edge - 1]:.4g} and {cells.edges[edge]:.4g}"
