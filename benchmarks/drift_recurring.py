"""Measure what betting on changes that recur finds, and what it costs the detection of others.

    python -m benchmarks.drift_recurring [--histories N] [--only SECTION ...]

Scores are standard normal, ranked by batch; a change begins after the stated history. Every history
is judged twice: with the whole capital on changes that last, and as it is split now.
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.drift import martingale

Floats = NDArray[np.float64]
LINE = np.log(100)
WARM_UP = 5
SPLITS = {
    "lasting only": (1.0, 0.0, 0.0),
    "split": (martingale.LASTING, martingale.RECURRING, martingale.SPORADIC),
}


def every(period: int) -> Callable[[np.random.Generator, int], Floats]:
    """Which batches are bad: every so many."""
    return lambda rng, count: (np.arange(count) % period == 0).astype(float)


def at_random(share: float) -> Callable[[np.random.Generator, int], Floats]:
    """Which batches are bad: such a share, without a pattern."""
    return lambda rng, count: (rng.random(count) < share).astype(float)


#: History, batches after it, deviations of a bad batch, and which are bad.
SECTIONS = {
    "1 deviation, lasting": (30, 60, 1.0, every(1)),
    "2 deviations, lasting": (30, 60, 2.0, every(1)),
    "3 deviations, lasting": (30, 60, 3.0, every(1)),
    "3 deviations after 5 batches": (5, 60, 3.0, every(1)),
    "1 deviation, every other batch": (30, 150, 1.0, every(2)),
    "2 deviations, every seventh": (30, 150, 2.0, every(7)),
    "2 deviations, a seventh at random": (30, 150, 2.0, at_random(1 / 7)),
    "2 deviations, a third at random, history of 100": (100, 150, 2.0, at_random(1 / 3)),
    "unchanged": (30, 170, 0.0, every(1)),
}


def alarm(scores: Floats, ties: Floats, split: tuple[float, float, float]) -> float:
    """First batch over the line; infinite where there is none."""
    martingale.LASTING, martingale.RECURRING, martingale.SPORADIC = split
    over = np.flatnonzero(martingale.log_martingale(scores, ties, warm_up=WARM_UP) >= LINE)
    return float(over[0]) if len(over) else np.inf


def main() -> None:
    """Print one line a section and split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=300)
    parser.add_argument("--only", nargs="*", default=list(SECTIONS), choices=list(SECTIONS))
    options = parser.parse_args()
    for section in options.only:
        past, after, by, bad = SECTIONS[section]
        rng = np.random.default_rng(15)
        alarms: dict[str, list[float]] = {name: [] for name in SPLITS}
        for _ in range(options.histories):
            scores, ties = rng.standard_normal(past + after), rng.random(past + after)
            scores[past:] += by * bad(rng, after)
            for name, split in SPLITS.items():
                alarms[name].append(alarm(scores, ties, split))
        for name, found in alarms.items():
            first = np.array(found)
            late = first[np.isfinite(first) & (first >= past)] - past + 1
            share = np.mean(np.isfinite(first)) if by == 0 else len(late) / len(first)
            delay = np.median(np.concatenate((late, np.full(len(first) - len(late), np.inf))))
            print(f"{section} | {name} | alarms {share:.3f} | median delay {delay:g}", flush=True)


if __name__ == "__main__":
    main()
