"""Judge cases by what other datasets teach: posteriors, intervals, regret, bootstrap.

A regret is that of a (pair, n): the mean over its draws of the true error at the chosen ratio, over
the lowest value of the mean true curve, minus 1. Means are those of the regimes' means. Datasets,
not cases, are resampled by the bootstrap: the cases of one share their real rows.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.known_cases import Record, case_of, dataset_of, evidence_of
from benchmarks.pairs import regime
from synthmix_dagster.ratio.experience import Case, learn_experience
from synthmix_dagster.ratio.path import ratio_grid
from synthmix_dagster.ratio.posterior import Posterior, condition

Floats = NDArray[np.float64]
Key = tuple[str, int, int]

#: Numbers of real rows beside those of the folders.
SIZES = [50]
#: Levels of the interval to choose from, and the share of cases whose best ratio it has to hold.
LEVELS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.998)
COVERAGE = 0.9
BOOTSTRAPS = 1_000
REGIMES = ("hurts", "interior", "more")


def key(record: Record) -> Key:
    return record["pair"], record["n"], record["seed"]


def judged_records(records: list[Record], learner: str = "krr") -> list[Record]:
    """Honest generators, at the numbers of real rows of which there are several draws."""
    draws: dict[tuple[str, int], int] = defaultdict(int)
    for record in records:
        draws[record["pair"], record["n"]] += 1
    return [
        record
        for record in records
        if record["kind"] == "honest"
        and draws[record["pair"], record["n"]] > 1
        and learner in record["evidence"]
    ]


def cases(records: list[Record], learner: str) -> list[Case]:
    """What the experience of a learner is learned from."""
    return [case_of(record, learner) for record in records if learner in record["evidence"]]


def posteriors(
    records: list[Record], judged: list[Record], learner: str = "krr"
) -> dict[Key, Posterior]:
    """The posterior of every judged record, learned from the other datasets only."""
    found = {}
    for dataset in sorted({dataset_of(record) for record in judged}):
        others = [record for record in records if dataset_of(record) != dataset]
        experience = learn_experience(cases(others, learner))
        for record in judged:
            if dataset_of(record) == dataset:
                prior = experience.prior(record["n"])
                found[key(record)] = condition(prior, evidence_of(record, learner))
    return found


def candidates(record: Record) -> Floats:
    """Ratios to choose from."""
    n = record["n"]
    return ratio_grid(n, min(record["m"], 16 * n)) / n


def curves(judged: list[Record], learner: str) -> dict[tuple[str, int], Floats]:
    """Mean true curve of every pair and number of real rows."""
    by = defaultdict(list)
    for record in judged:
        by[record["pair"], record["n"]].append(np.array(record["errors"][learner], dtype=float))
    return {at: np.mean(found, axis=0) for at, found in by.items()}


def held(
    judged: list[Record], posterior: Mapping[Key, Posterior], learner: str = "krr"
) -> NDArray[np.bool_]:
    """Whether the interval of each record, at each of `LEVELS`, holds the ratio that is best."""
    mean, rows = curves(judged, learner), []
    for record in judged:
        grid, ratios = candidates(record), np.array(record["ratios"])
        best = ratios[np.nanargmin(mean[record["pair"], record["n"]])]
        ends = [posterior[key(record)].interval(grid, level) for level in LEVELS]
        rows.append([grid[low] - 1e-9 <= best <= grid[high] + 1e-9 for low, high in ends])
    return np.array(rows)


def enough(held: NDArray[np.bool_]) -> int:
    """Position of the lowest level at which the interval holds the best ratio often enough."""
    often = np.flatnonzero(held.mean(axis=0) >= COVERAGE)
    return int(often[0]) if len(often) else len(LEVELS) - 1


def calibrated_level(
    judged: list[Record], posterior: Mapping[Key, Posterior], learner: str = "krr"
) -> float:
    """The lowest level at which the interval holds the best ratio often enough."""
    return LEVELS[enough(held(judged, posterior, learner))]


def regrets(
    judged: list[Record], choose: Callable[[Record], float], learner: str = "krr"
) -> list[Record]:
    """Regret of a rule on every pair and number of real rows."""
    kernel, mean = curves(judged, "krr"), curves(judged, learner)
    at = defaultdict(list)
    for record in judged:
        errors = error_at(record, learner, choose(record))
        at[record["pair"], record["n"]].append(errors)
    return [
        {
            "pair": pair,
            "dataset": pair.split("__")[0],
            "n": n,
            "regime": regime(kernel[pair, n]),
            "regret": float(np.mean(errors) / np.nanmin(mean[pair, n]) - 1),
        }
        for (pair, n), errors in at.items()
    ]


def error_at(record: Record, learner: str, ratio: float) -> float:
    """True error at any ratio, linear between grid points in ``log(ratio + 0.05)``."""
    curve, ratios = np.array(record["errors"][learner], dtype=float), np.array(record["ratios"])
    known = np.isfinite(curve)
    at = np.log(np.clip(ratio, 0, ratios[known][-1]) + 0.05)
    return float(np.interp(at, np.log(ratios[known] + 0.05), curve[known]))


def by_regime(rows: list[Record]) -> dict[str, float]:
    """Mean of every regime that there is."""
    found = defaultdict(list)
    for row in rows:
        found[row["regime"]].append(row["regret"])
    return {name: float(np.mean(found[name])) for name in REGIMES if name in found}


def balanced(rows: list[Record]) -> float:
    """Mean of the regimes' means."""
    return float(np.mean(list(by_regime(rows).values())))


def share(rows: list[Record], base: list[Record]) -> tuple[float, float, float]:
    """Regret as a share of that of another rule, with 5 and 95 % of a paired bootstrap."""
    members = defaultdict(list)
    for row, other in zip(rows, base, strict=True):
        members[row["dataset"]].append((row, other))
    names, rng, drawn = sorted(members), np.random.default_rng(0), []
    for _ in range(BOOTSTRAPS):
        some = [pair for name in rng.choice(names, len(names)) for pair in members[name]]
        drawn.append(balanced([row for row, _ in some]) / balanced([other for _, other in some]))
    low, high = np.quantile(drawn, (0.05, 0.95))
    return balanced(rows) / balanced(base), float(low), float(high)
