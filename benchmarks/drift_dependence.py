"""Measure false alarms and delay of the drift monitor on series with autocorrelation and seasons.

    python -m benchmarks.drift_dependence [--histories N] [--only false delay] [--kinds PART]

false    histories of 365 daily batches without a change: how many ever alarm
delay    batches from a step, or from the begin of a slow drift, to the alarm, within 60

One series by batch, delta = 1 %. "by order" are bets on exchangeable batches alone (`season: 0`);
"with seasons" is the default, weeks of any shape and a yearly wave; "with weeks" is `season: 7`.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.drift.dependence import log_capital
from synthmix_dagster.drift.martingale import log_martingale
from synthmix_dagster.drift.promise import as_promised
from synthmix_dagster.drift.series import DAILY

Floats = NDArray[np.float64]
LINE, WARM_UP, DAYS = math.log(100), 5, 365


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=("false", "delay"), default=("false", "delay"))
    parser.add_argument("--kinds", default="", help="part of the names of the kinds to try")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for section in options.only:
        if section == "false":
            found[section] = false_alarms(options.histories, options.kinds)
        else:
            found[section] = delays(options.histories)
        print(pd.DataFrame(found[section]).to_string(index=False), flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))
    return 0


def series(
    rng: np.random.Generator, shape: tuple[int, int], phi: float = 0.0, freedom: float = math.inf
) -> Floats:
    """Stationary autoregression with deviation 1 (for normal noise), one row a history."""
    histories, n = shape
    size = (histories, n + 100)
    noise = rng.standard_normal(size) if math.isinf(freedom) else rng.standard_t(freedom, size)
    for t in range(1, n + 100):
        noise[:, t] = phi * noise[:, t - 1] + math.sqrt(1 - phi**2) * noise[:, t]
    return noise[:, 100:]


def kinds(rng: np.random.Generator, histories: int) -> dict[str, Floats]:
    shape = (histories, DAYS)
    week = (np.arange(DAYS) % 7 == 6) * 2.0
    year = np.sin(2 * np.pi * np.arange(DAYS) / 365.25 + rng.uniform(0, 2 * np.pi, (histories, 1)))
    outliers = 10.0 * (rng.random(shape) < 0.02)
    return {
        "normal": series(rng, shape),
        "Student's, 3 degrees": series(rng, shape, freedom=3),
        "one-day outliers of 10, one in 50": series(rng, shape) + outliers,
        "AR 0.3": series(rng, shape, 0.3),
        "AR 0.6": series(rng, shape, 0.6),
        "AR 0.9": series(rng, shape, 0.9),
        "weekly, one day 2 higher": series(rng, shape) + week,
        "yearly wave of 1": series(rng, shape) + year,
        "weekly and AR 0.6": series(rng, shape, 0.6) + week,
        "weekly, yearly and AR 0.6": series(rng, shape, 0.6) + week + year,
        "AR 0.6, a fifth missing": series(rng, shape, 0.6),
        "AR 0.6, Student's, 3 degrees": series(rng, shape, 0.6, 3),
        "AR 0.6, exponentials of it": np.exp(series(rng, shape, 0.6)),
    }


def by_order(scores: Floats, rng: np.random.Generator) -> Floats:
    return np.array([log_martingale(x, rng.random(len(x)), warm_up=WARM_UP) for x in scores])


def false_alarms(histories: int, part: str = "") -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    rows = []
    for name, scores in kinds(rng, histories).items():
        if part not in name:
            continue
        times = np.arange(DAYS, dtype=np.float64)
        if "missing" in name:
            times = np.sort(rng.permutation(DAYS)[: DAYS * 4 // 5]).astype(np.float64)
            scores = scores[:, times.astype(int)]
        with_seasons = log_capital(scores, times, warm_up=WARM_UP, seasons=DAILY)
        # The smaller of both counts, and the slow one is needed where this one is over the line.
        over = with_seasons.max(axis=1) >= LINE
        alarmed, without = np.zeros((2, histories), dtype=bool)
        if over.any():
            both = np.minimum(by_order(scores[over], rng), with_seasons[over])
            without[over] = both.max(axis=1) >= LINE
            kept = _as_promised(both, scores[over], times, DAILY)
            alarmed[over] = kept.max(axis=1) >= LINE
        rows.append(
            {
                "kind": name,
                "histories": histories,
                "alarmed": float(alarmed.mean()),
                "without a look at the noise": float(without.mean()),
                "second capital alone": float(over.mean()),
            }
        )
        print(rows[-1], flush=True)
    return rows


def _as_promised(
    capital: Floats, scores: Floats, times: Floats, seasons: tuple[float, ...]
) -> Floats:
    pairs = zip(capital, scores, strict=True)
    return np.array([as_promised(won, each, times, seasons, LINE) for won, each in pairs])


def delays(histories: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    histories = min(histories, 40)
    rows = []
    for phi in (0.0, 0.6):
        for history in (30, 100):
            for change in (1.0, 2.0, 3.0, 5.0, 10.0, "0.1 a day"):
                scores = series(rng, (histories, history + 60), phi)
                since = np.arange(1, 61)
                scores[:, history:] += 0.1 * since if isinstance(change, str) else change
                order = by_order(scores, rng)
                row: dict[str, Any] = {"AR": phi, "history": history, "change": change}
                row["by order"] = _delay(order, history)
                for label, seasons in (("with weeks", (7.0,)), ("with seasons", DAILY)):
                    times = np.arange(history + 60, dtype=np.float64)
                    found = log_capital(scores, times, warm_up=WARM_UP, seasons=seasons)
                    both = np.minimum(order, found)
                    row[label] = _delay(_as_promised(both, scores, times, seasons), history)
                rows.append(row)
                print(row, flush=True)
    return rows


def _delay(capital: Floats, history: int) -> str:
    after = capital[:, history:] >= LINE
    waited = np.where(after.any(axis=1), after.argmax(axis=1) + 1.0, np.inf)
    median = float(np.median(waited))
    return (
        f"{median:g} ({np.mean(np.isfinite(waited)):.2f})"
        if median < np.inf
        else (f"none ({np.mean(np.isfinite(waited)):.2f})")
    )


if __name__ == "__main__":
    raise SystemExit(main())
