"""Measure false alarms, delay and cost of the drift monitor.

    python -m benchmarks.drift [--only SECTION ...] [--pairs DIR] [--json FILE] [--quick]

false     1,000 histories of 200 unchanged batches: how many ever alarm, both units, with and
          without day effects, beside rules that are in use, see `rules`
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
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import rules
from benchmarks.simulation import repeated
from synthmix_dagster.distance.encoding import Encoder
from synthmix_dagster.distance.wasserstein import orthonormal_directions
from synthmix_dagster.drift.control import control_chart
from synthmix_dagster.drift.martingale import log_martingale, smoothed_ranks

Floats = NDArray[np.float64]
Row = dict[str, Any]
SECTIONS = ("false", "late", "delay", "swap", "year")
DELTA, WARM_UP, BLOCKS = 0.01, 5, 32
#: Rows of a batch, batches of the reference, and what a day moves the mean of a column by.
ROWS, REFERENCE, DAY_EFFECT = 256, 3, 0.15
LINE = math.log(1 / DELTA)


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
            "late": lambda: late(100 if options.quick else 400),
            "delay": lambda: delays(100 if options.quick else 1000),
            "swap": lambda: swaps(options.pairs, 1 if options.quick else 3),
            "year": year,
        }[section]()
        print(f"\n{section} ({time.perf_counter() - started:.0f} s)")
        print(pd.DataFrame(results[section]).to_string(index=False))
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(results, indent=1))
    return 0


def squares(batches: Floats, reference: Floats, directions: Floats, blocks: int) -> Floats:
    """Debiased squares of all batches at once, as `drift.scores.block_squares` has them.

    Parameters
    ----------
    batches : ndarray of shape (n_batches, n_rows, d)
    reference : ndarray of shape (n_reference_rows, d)
    directions : ndarray of shape (n_directions, d)
    blocks : int

    Returns
    -------
    ndarray of shape (n_batches, blocks)
    """
    half = batches.shape[1] // (2 * blocks)
    lines = (batches @ directions.T).astype(np.float32)[:, : 2 * blocks * half]
    s = np.sort(lines.reshape(len(batches), blocks, 2, half, len(directions)), axis=3)
    folds = len(reference) // half
    r = (reference @ directions.T).astype(np.float32)[: folds * half]
    r = np.sort(r.reshape(folds, half, -1), axis=1)
    mean = r.mean(axis=0)
    own = np.sum(r * r, dtype=np.float64)
    between = (folds**2 * np.sum(mean * mean, dtype=np.float64) - own) / (folds * (folds - 1))
    halved = np.einsum("tbhl,tbhl->tb", s[:, :, 0], s[:, :, 1], dtype=np.float64)
    crossed = np.einsum("tbhl,hl->tb", s[:, :, 0] + s[:, :, 1], mean, dtype=np.float64)
    found: Floats = (halved - crossed + between) / (half * len(directions))
    return found * batches.shape[2]


def capital(scores: Floats, rng: np.random.Generator, *, two_sided: bool = False) -> Floats:
    """Log capital after every batch; scores of shape (..., n_batches, scores_a_batch)."""
    *leading, batches, each = scores.shape
    flat = scores.reshape(*leading, batches * each)
    ranks = smoothed_ranks(flat, rng.random(flat.shape))
    ends = each * np.arange(1, batches + 1)
    return log_martingale(ranks, ends, warm_up=WARM_UP, two_sided=two_sided)


def false_alarms(histories: int) -> list[Row]:
    rows = []
    for effect in (0.0, DAY_EFFECT):
        found = repeated(_unchanged, histories, effect=effect, batches=200)
        frame = pd.DataFrame([one for one, _ in found])
        by_batch = np.stack([scores for _, scores in found])
        rng = np.random.default_rng(0)
        for name, two_sided in (("", False), (", two-sided", True)):
            over = capital(by_batch, rng, two_sided=two_sided) >= LINE
            frame[f"martingale by batch{name}"] = over.any(axis=1)
        for rule in frame.columns:
            tried = frame[rule].dropna().astype(float)
            share = float(tried.mean())
            rows.append(
                {
                    "day effects": "yes" if effect else "no",
                    "rule": rule,
                    "histories": len(tried),
                    "ever alarmed": share,
                    "standard error": math.sqrt(share * (1 - share) / len(tried)),
                }
            )
    return rows


def _unchanged(seed: int, *, effect: float, batches: int) -> tuple[dict[str, bool | None], Floats]:
    """Which rules ever alarm in one history of three normal columns without a change.

    Returns
    -------
    alarms : dict of str to bool or None
        None where a rule was not tried: the slow ones are on one history in twenty.
    scores : ndarray of shape (n_batches, 1)
    """
    rng = np.random.default_rng([seed, int(100 * effect)])
    days = effect * rng.standard_normal((REFERENCE + batches, 1, 3))
    rows = rng.standard_normal((REFERENCE + batches, ROWS, 3)) + days
    reference, rows = rows[:REFERENCE].reshape(-1, 3), rows[REFERENCE:]
    directions = orthonormal_directions(3, 6, rng)
    by_batch = squares(rows, reference, directions, 1)
    by_block = squares(rows, reference, directions, BLOCKS)
    chart = control_chart(by_batch[:, 0], WARM_UP)
    slow = seed % 20 == 0
    alarms = {
        "martingale by block": bool(np.any(capital(by_block, rng) >= LINE)),
        "moving average (warns)": bool(np.any(chart.outside)),
        "3 sigma of 5 batches": rules.three_sigma(by_batch[:, 0], WARM_UP),
        "3 sigma of 30 batches": rules.three_sigma(by_batch[:, 0], 30),
        "permutation test at 5 %": rules.permutation(rows, reference, directions, rng)
        if slow
        else None,
        "evidently's default": rules.evidently_default(rows, reference) if slow else None,
    }
    return alarms, by_batch


def late(histories: int) -> list[Row]:
    """Batches that arrive late: the history is put in order and judged again at each arrival."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((histories, 100))
    ties = rng.random(scores.shape)
    delays = np.where(rng.random(100) < 0.1, rng.integers(1, 11, 100), 0)
    orders = {
        "in order": np.arange(100),
        "one in ten late, by 1 to 10": np.argsort(np.arange(100) + delays, kind="stable"),
        "in reverse, as a backfill may": np.arange(100)[::-1],
    }
    rows = []
    for name, order in orders.items():
        ever = np.zeros(histories, dtype=bool)
        for arrived in range(WARM_UP + 1, 101):
            known = np.sort(order[:arrived])
            ranks = smoothed_ranks(scores[:, known], ties[:, known])
            found = log_martingale(ranks, np.arange(1, arrived + 1), warm_up=WARM_UP)
            ever |= np.any(found >= LINE, axis=1)
        rows.append({"arrival": name, "histories": histories, "ever alarmed": float(ever.mean())})
    return rows


def delays(repetitions: int) -> list[Row]:
    rows = []
    for history in (5, 10, 30):
        for shift in (0.5, 1.0, 2.0):
            row: Row = {"history": history, "shift": shift}
            rng = np.random.default_rng([history, int(10 * shift)])
            scores = rng.standard_normal((repetitions, history + 200, 1))
            scores[:, history:] += shift
            row |= _delay(capital(scores, rng) >= LINE, history, "batch")
            chart = [control_chart(one[:, 0], WARM_UP).outside for one in scores]
            row |= _delay(np.array(chart), history, "moving average")
            scores = rng.standard_normal((repetitions // 5, history + 20, BLOCKS))
            scores[:, history:] += shift
            row |= _delay(capital(scores, rng) >= LINE, history, "block")
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


def swaps(folder: Path, repetitions: int) -> list[Row]:
    """Every generator of a dataset replaced by the next two of it, in the order of their names."""
    pools: dict[str, list[Path]] = {}
    for pair in sorted(folder.iterdir()):
        if pair.is_dir() and not pair.name.endswith("_fitreal") and "__dial" not in pair.name:
            pools.setdefault(pair.name.split("__")[0], []).append(pair)
    jobs = [pair for pairs in pools.values() if len(pairs) > 1 for pair in pairs]
    found = [
        row
        for pair in jobs
        for row in _swap(
            pair, [p for p in pools[pair.name.split("__")[0]] if p != pair], repetitions
        )
    ]
    frame = pd.DataFrame(found)
    rows = []
    for (unit, history), part in frame.groupby(["unit", "history"]):
        by_swap = part.groupby("swap")["waited"].median()
        rows.append(
            {
                "unit": unit,
                "history": int(history),
                "swaps": len(by_swap),
                "median": float(part["waited"].median()),
                "slowest tenth of swaps": float(by_swap.quantile(0.9, interpolation="higher")),
                "not within 30": float(np.mean(~np.isfinite(part["waited"]))),
                "alarmed before the swap": float(part["before"].mean()),
            }
        )
    return [
        {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
        for row in rows
    ]


def _next_two(pair: Path, pairs: list[Path]) -> list[Path]:
    at = pairs.index(pair)
    around = [*pairs[at + 1 :], *pairs[:at]]
    return around[:2]


def _swap(before: Path, others: list[Path], repetitions: int) -> list[Row]:
    meta = json.loads((before / "meta.json").read_text())
    categorical = [*meta["categorical"]]
    if meta["task"] == "classification":
        categorical.append(meta["target"])
    frames = {pair.name: pd.read_parquet(pair / "synthetic.parquet") for pair in (before, *others)}
    home = frames[before.name]
    encoder = Encoder.fit(home, pd.concat(list(frames.values())), categorical=categorical)
    points = {name: encoder.transform(frame, np.float32) for name, frame in frames.items()}
    rows = []
    for repetition in range(repetitions):
        rng = np.random.default_rng([repetition, len(home)])
        directions = orthonormal_directions(encoder.dimension, 1, rng)

        # Pools are populations here: batches are drawn from them anew.
        def draw(name: str, count: int, rng: np.random.Generator = rng) -> Floats:
            pool = points[name]
            taken = [
                rng.choice(len(pool), min(640, len(pool)), replace=False) for _ in range(count)
            ]
            return np.stack([pool[one] for one in taken])

        reference = draw(before.name, REFERENCE).reshape(-1, encoder.dimension)
        history = draw(before.name, 30)
        for other in others:
            after = draw(other.name, 30)
            size = min(history.shape[1], after.shape[1])
            batches = np.concatenate((history[:, :size], after[:, :size]))
            for unit, blocks in (("batch", 1), ("block", BLOCKS)):
                scores = squares(batches, reference, directions, blocks)
                for length in (5, 10, 30):
                    over = capital(scores[30 - length :], rng) >= LINE
                    first = int(over[length:].argmax()) + 1 if over[length:].any() else np.inf
                    rows.append(
                        {
                            "swap": f"{before.name} to {other.name}",
                            "unit": unit,
                            "history": length,
                            "waited": float(first),
                            "before": bool(over[:length].any()),
                        }
                    )
    return rows


def year() -> list[Row]:
    import dagster as dg

    from synthmix_dagster.config.drift import DriftConfig
    from synthmix_dagster.drift.history import Observation
    from synthmix_dagster.drift_check import Watch
    from synthmix_dagster.presentation.drift_metadata import of_drift, of_observations

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
        watch = Watch(key, drift, drift.units("real", "synthetic"), 0.5, days)
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
