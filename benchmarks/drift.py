"""Measure false alarms, delay and cost of the drift monitor.

    python -m benchmarks.drift [--only SECTION ...] [--pairs DIR] [--json FILE] [--quick]

false     1,000 histories of 200 unchanged batches: how many ever alarm, both units, with and
          without day effects, beside rules that are in use, see `rules`
days      the same by block only, for day effects of other sizes and shapes, from scores
late      the same by batch, when batches arrive late or in reverse and all is judged each time
delay     batches from a change of 0.5, 1 or 2 standard deviations of the score to the alarm
swap      the same on real pairs: a generator replaced by another of its dataset; needs --pairs
year      365 daily partitions, read through a Dagster instance on SQLite and judged
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import rules
from benchmarks.drift_scores import (
    BLOCKS,
    DAY_EFFECT,
    LINE,
    REFERENCE,
    ROWS,
    WARM_UP,
    by_batch,
    by_block,
    squares,
)
from benchmarks.drift_swaps import swaps
from benchmarks.simulation import repeated
from synthmix_dagster.distance.wasserstein import orthonormal_directions
from synthmix_dagster.drift import blocks
from synthmix_dagster.drift.control import control_chart
from synthmix_dagster.drift.history import Selection
from synthmix_dagster.drift.martingale import log_martingale

Floats = NDArray[np.float64]
Row = dict[str, Any]
SECTIONS = ("false", "days", "late", "delay", "swap", "year")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--pairs", type=Path, help="folder of pairs, see benchmarks/pairs.py")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    options = parser.parse_args()
    results: dict[str, list[Row]] = {}
    for section in options.only:
        if section == "swap" and options.pairs is None:
            print("\nswap: left out, it needs --pairs")
            continue
        started = time.perf_counter()
        results[section] = {
            "false": lambda: false_alarms(40 if options.quick else 1000),
            "days": lambda: day_effects(40 if options.quick else 1000),
            "late": lambda: late(10 if options.quick else 300),
            "delay": lambda: delays(40 if options.quick else 400),
            "swap": lambda: swaps(options.pairs, 1 if options.quick else 3),
            "year": year,
        }[section]()
        print(f"\n{section} ({time.perf_counter() - started:.0f} s)")
        print(pd.DataFrame(results[section]).to_string(index=False))
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(results, indent=1))
    return 0


def false_alarms(histories: int) -> list[Row]:
    rows = []
    for effect in (0.0, DAY_EFFECT):
        frame = pd.DataFrame(repeated(_unchanged, histories, effect=effect, batches=200))
        for rule in frame.columns:
            tried = frame[rule].dropna().astype(float)
            rows.append({"day effects": "yes" if effect else "no", "rule": rule, **_share(tried)})
    return rows


def _share(alarmed: "pd.Series[float]") -> Row:
    share = float(alarmed.mean())
    return {
        "histories": len(alarmed),
        "ever alarmed": share,
        "standard error": math.sqrt(share * (1 - share) / len(alarmed)),
    }


def _unchanged(seed: int, *, effect: float, batches: int) -> dict[str, bool | None]:
    """Which rules ever alarm in one history of three normal columns without a change.

    Returns
    -------
    dict of str to bool or None
        None where a rule was not tried: the slow ones are on one history in twenty.
    """
    rng = np.random.default_rng([seed, int(100 * effect)])
    days = effect * rng.standard_normal((REFERENCE + batches, 1, 3))
    rows = rng.standard_normal((REFERENCE + batches, ROWS, 3)) + days
    reference, rows = rows[:REFERENCE].reshape(-1, 3), rows[REFERENCE:]
    directions = orthonormal_directions(3, 6, rng)
    whole = squares(rows, reference, directions, 1)[:, 0]
    of_blocks = squares(rows, reference, directions, BLOCKS)
    chart = control_chart(whole, WARM_UP)
    slow = seed % 20 == 0
    return {
        "martingale by batch": bool(np.any(by_batch(whole, rng) >= LINE)),
        "martingale by batch, two-sided": bool(
            np.any(by_batch(whole, rng, two_sided=True) >= LINE)
        ),
        "capital by block": bool(np.any(by_block(of_blocks, whole, rng) >= LINE)),
        "moving average (warns)": bool(np.any(chart.outside)),
        "3 sigma of 5 batches": rules.three_sigma(whole, WARM_UP),
        "3 sigma of 30 batches": rules.three_sigma(whole, 30),
        "permutation test at 5 %": rules.permutation(rows, reference, directions, rng)
        if slow
        else None,
        "evidently's default": rules.evidently_default(rows, reference) if slow else None,
    }


def day_effects(histories: int) -> list[Row]:
    """Blocks under day effects of many sizes and shapes, as scores: noise plus what the day adds.

    The scores of blocks have deviation 1 within a day. A level is the sum of 32 of them, so days
    that vary by 0.18 as much double its variance.
    """
    shapes: dict[str, Callable[[np.random.Generator], Floats]] = {
        "none": lambda rng: np.zeros(200),
        "normal": lambda rng: rng.standard_normal(200),
        "squares of normal": lambda rng: rng.standard_normal(200) ** 2,
        "exponential": lambda rng: rng.exponential(size=200),
        "Student's, 3 degrees": lambda rng: rng.standard_t(3, 200),
        "every seventh day": lambda rng: (np.arange(200) % 7 == 6) * 1.0,
    }
    rows = []
    for shape, draw in shapes.items():
        for size in (0.1, 0.3, 1.0) if shape != "none" else (0.0,):
            alarmed, spreads = [], []
            for seed in range(histories):
                rng = np.random.default_rng(seed)
                scores = size * draw(rng)[:, None] + rng.standard_normal((200, BLOCKS))
                ends = BLOCKS * np.arange(1, 201)
                ties = rng.random(scores.size)
                won = blocks.log_capital_of_blocks(scores.ravel(), ties, ends, warm_up=WARM_UP)
                alarmed.append(float(np.any(won >= LINE)))
                spreads.append(float(np.std(blocks.distances(scores.ravel(), ends)[1:])))
            rows.append(
                {
                    "day effects": shape,
                    "size": size,
                    "deviation of batches": float(np.mean(spreads)),
                    **_share(pd.Series(alarmed)),
                }
            )
    return rows


def late(histories: int) -> list[Row]:
    """Batches that arrive late: the history is put in order and judged again at each arrival."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((histories, 100))
    delays = np.where(rng.random(100) < 0.1, rng.integers(1, 11, 100), 0)
    orders = {
        "in order": np.arange(100),
        "one in ten late, by 1 to 10": np.argsort(np.arange(100) + delays, kind="stable"),
        "from the middle outwards": np.argsort(np.abs(np.arange(100) - 50.2)),
        "in any order": np.random.default_rng(1).permutation(100),
        "in reverse, as a backfill may": np.arange(100)[::-1],
    }
    rows = []
    for name, order in orders.items():
        came = np.argsort(order).astype(float)
        every, counted = np.zeros(histories, dtype=bool), np.zeros(histories, dtype=bool)
        for arrived in range(WARM_UP + 1, 101):
            known = np.sort(order[:arrived])
            if name == "in order" and arrived < 100:
                continue  # all of these are beginnings of the last
            counts = np.array(Selection((), (), (), "", came=tuple(came[known])).judged())
            newest = came[known[-1]] == arrived - 1
            for i, each in enumerate(scores):
                over = log_martingale(each[known], each[known], warm_up=WARM_UP) >= LINE
                every[i] |= bool(over.any())
                counted[i] |= newest and bool((over & counts).any())
        rows.append(
            {
                "arrival": name,
                "histories": histories,
                "if all counted": float(every.mean()),
                "ever alarmed": float(counted.mean()),
            }
        )
    return rows


def delays(repetitions: int) -> list[Row]:
    rows = []
    for history in (5, 10, 30):
        for shift in (0.5, 1.0, 2.0, 4.0):
            row: Row = {"history": history, "shift": shift}
            rng = np.random.default_rng([history, int(10 * shift)])
            scores = rng.standard_normal((repetitions, history + 200))
            scores[:, history:] += shift
            over = np.array([by_batch(one, rng) for one in scores]) >= LINE
            row |= _delay(over, history, "batch")
            chart = [control_chart(one, WARM_UP).outside for one in scores]
            row |= _delay(np.array(chart), history, "moving average")
            scores = rng.standard_normal((repetitions, history + 20, BLOCKS))
            scores[:, history:] += shift
            # The whole batch is taken to see no more than the mean of its blocks does.
            over = np.array([by_block(one, one.mean(axis=1), rng) for one in scores]) >= LINE
            row |= _delay(over, history, "block")
            rows.append(row)
    return rows


def _delay(over: NDArray[np.bool_], history: int, unit: str) -> Row:
    """Median batches from the change to the alarm, over repetitions without one before."""
    after = over[~over[:, :history].any(axis=1), history:]
    waited = np.where(after.any(axis=1), after.argmax(axis=1) + 1.0, np.inf)
    median = float(np.median(waited))
    return {
        f"{unit}: median": median if np.isfinite(median) else None,
        f"{unit}: share": float(np.mean(np.isfinite(waited))),
    }


def year() -> list[Row]:
    import dagster as dg

    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.drift.history import Observation
    from synthmix_dagster.orchestration.config.drift import DriftConfig
    from synthmix_dagster.orchestration.drift_watch.check import Watch
    from synthmix_dagster.orchestration.drift_watch.kept_alarms import KeptAlarms
    from synthmix_dagster.orchestration.drift_watch.metadata import of_drift, of_observations
    from synthmix_dagster.orchestration.records import Records

    rng = np.random.default_rng(0)
    key = dg.AssetKey(["flights", "distribution_distance"])
    days = dg.DailyPartitionsDefinition("2025-01-01", end_date="2026-01-01")
    with tempfile.TemporaryDirectory() as home, dg.instance_for_test(temp_dir=home) as instance:
        for day in days.get_partition_keys():
            seen = {}
            for name in ("gap", "generator", "reality"):
                square, blocks = float(rng.normal()), rng.standard_normal(BLOCKS)
                seen[name] = Observation(
                    square,
                    20_000,
                    f"{name} of {day}",
                    {"settings": "0123456789ab", "schema": "x numeric"},
                    blocks=() if name == "gap" else tuple(blocks.round(6).tolist()),
                    columns={f"column_{i}": round(float(rng.normal()), 4) for i in range(20)},
                )
            entry = of_observations(seen, "v1", [])
            # A distance asset also keeps its picture and its numbers there.
            entry |= {"picture": dg.MetadataValue.md("x" * 25_000)}
            entry |= {f"number_{i}": 0.5 for i in range(20)}
            instance.report_runless_asset_event(
                dg.AssetMaterialization(key, partition=day, metadata=entry)
            )
        drift = DriftConfig(generator_version="v1")
        kept = KeptAlarms(lambda: Records(open_store(Path(home) / "mixes"), "flights"))
        watch = Watch(key, drift, drift.units("real", "synthetic"), kept, 0.5, days)
        taken, processor = [], []
        for _ in range(5):
            started, busy = time.perf_counter(), time.process_time()
            report = watch.judge(instance)
            taken.append(time.perf_counter() - started)
            processor.append(time.process_time() - busy)
        started = time.perf_counter()
        of_drift(report)
        drawn = time.perf_counter() - started
    assert all(one.counted == 365 for one in report.series), asdict(report)
    return [
        {
            "batches": 365,
            "series": 3,
            "seconds, fastest of five": min(taken),
            "slowest of five": max(taken),
            "processor seconds": min(processor),
            "picture, seconds": drawn,
        }
    ]


if __name__ == "__main__":
    raise SystemExit(main())
