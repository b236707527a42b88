"""How good is the ratio of the path alone? Regret against the true error, beside the usual ways.

    python -m benchmarks.ratio --pairs DIR [--only adult] [--jobs 2] [--datatunner 8] [--json FILE]

Regret of a rule on a pair and a number of real rows: the mean over seeds of the true error at its
ratio, over the lowest value of the mean curve, minus 1. Tables show the mean by regime, the
unweighted mean of the regimes and the worst case. Beside the recommendations stand none, 1:1, all,
and a grid search: five folds of the real rows, all ratios of the oracle, the same features and
ridges. Then: does the interval hold the true best ratio, and is the predicted risk the true one.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from benchmarks.gridsearch import grid_search
from benchmarks.pairs import LEARNERS, Run, kind, regime, runs
from synthmix_dagster import Recommendation, SynthMixError, recommend_ratio
from synthmix_dagster.ratio.options import Rule
from synthmix_dagster.threads import one_thread

BASELINES = ("none", "one_to_one", "all", "grid_search", "grid_search_one_error")
SETUPS = {"kernel": "krr", "trees": "hgb"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--datatunner", type=int, default=0, help="pairs to run DataTunner on")
    parser.add_argument("--json", type=Path, help="pairs that are in this file are not run again")
    parser.add_argument("--png", type=Path, help="predicted against true risk")
    options = parser.parse_args()
    folders = sorted(f for f in options.pairs.iterdir() if f.is_dir() and options.only in f.name)
    honest = [folder for folder in folders if kind(folder.name) == "honest"]
    spread = honest[:: max(1, len(honest) // max(1, options.datatunner))][: options.datatunner]
    rows = json.loads(options.json.read_text()) if options.json and options.json.exists() else []
    done = {row["pair"] for row in rows}
    beside = {folder.name for folder in spread}
    with ProcessPoolExecutor(options.jobs) as pool:
        left = [folder for folder in folders if folder.name not in done]
        for found in pool.map(partial(judge, beside=beside), left):
            rows += found
            if options.json:
                options.json.parent.mkdir(parents=True, exist_ok=True)
                options.json.write_text(json.dumps(rows, indent=1))
    table = pd.DataFrame(rows)
    pd.set_option("display.width", 160, "display.max_columns", 20)
    print_regret(
        table, [*(f"{s}: {r}" for s in SETUPS for r in (*get_args(Rule), "reported")), *BASELINES]
    )
    if options.datatunner:
        some = table.dropna(subset=["ratio_datatunner_star"])
        print(f"\nthe pairs that DataTunner was run on: {', '.join(sorted(set(some['pair'])))}")
        print_regret(some, ["trees: reported", "datatunner_star", "datatunner_best"])
    print_coverage(table)
    print_calibration(table, options.png)
    seconds = table[[column for column in table if column.startswith("seconds")]].mean()
    print(f"\nseconds a run, encoding and test for traces included\n{seconds.round(2).to_string()}")
    return 0


def judge(folder: Path, beside: set[str]) -> list[dict[str, Any]]:
    """One row for each run of a pair: the ratios of all rules, and the curves."""
    rows = []
    with one_thread():
        for run in runs(folder):
            try:
                rows.append(judge_run(run, datatunner=folder.name in beside))
            except SynthMixError as error:
                print(f"{folder.name}, n={run.n}: refused. {error}", file=sys.stderr)
    return rows


def judge_run(run: Run, *, datatunner: bool) -> dict[str, Any]:
    highest = len(run.synthetic) / run.n
    row: dict[str, Any] = {
        "pair": run.pair,
        "kind": kind(run.pair),
        "n": run.n,
        "seed": run.seed,
        "oracle_ratios": run.ratios.tolist(),
        **{f"true_{name}": errors.tolist() for name, errors in run.errors.items()},
        "ratio_none": 0.0,
        "ratio_one_to_one": min(1.0, highest),
        "ratio_all": highest,
    }
    # Declared, as a user of such a generator would: what follows is the safe ratio.
    saw = True if run.pair.endswith("_fitreal") else None
    for setup in SETUPS:
        started = time.perf_counter()
        advice = recommend_ratio(
            run.real,
            run.synthetic,
            target=run.target,
            task=run.task,
            categorical=run.categorical,
            learner=setup,
            rule="path",
            generator_saw_real=saw,
        )
        row[f"seconds_{setup}"] = time.perf_counter() - started
        row |= {f"ratio_{setup}: {rule}": ratio for rule, ratio in by_rule(advice).items()}
        row[f"ratio_{setup}: reported"] = advice.ratio
        row[f"interval_{setup}"] = advice.interval
        row[f"found_{setup}"] = advice.provenance.judged
        if setup == "kernel":
            points = [(point.ratio, point.risk) for point in advice.curve]
            row["curve_ratios"], row["curve_risks"] = map(list, zip(*points, strict=True))
    started = time.perf_counter()
    best, one_error = grid_search(run)
    row["seconds_grid_search"] = time.perf_counter() - started
    row |= {"ratio_grid_search": best, "ratio_grid_search_one_error": one_error}
    if datatunner:
        from benchmarks.datatunner import ratios

        started = time.perf_counter()
        row |= {f"ratio_{name}": ratio for name, ratio in ratios(run).items()}
        row["seconds_datatunner"] = time.perf_counter() - started
    return row


def by_rule(advice: Recommendation) -> dict[str, float]:
    """What each rule would choose from the same predictions."""
    points = advice.refits or advice.curve
    equivalents = [point.ratio for point in points if point.equivalent]
    best = min(points, key=lambda point: point.risk)
    return {
        "largest_equivalent": advice.ratio if advice.provenance.trusted else max(equivalents),
        "best": best.ratio,
        "smallest_equivalent": min(equivalents),
    }


def sizes(table: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame, dict[str, Any]]]:
    """Every pair and number of real rows, its runs, and the mean true curves."""
    for (pair, n), group in table.groupby(["pair", "n"], sort=False):
        curves = {
            name: np.mean(np.array(group[f"true_{name}"].tolist(), dtype=float), axis=0)
            for name in LEARNERS
        }
        yield pair, n, group, curves


def regrets(table: pd.DataFrame, rules: list[str]) -> pd.DataFrame:
    """One row for each pair and size."""
    rows = []
    for pair, n, group, curves in sizes(table):
        row = {"pair": pair, "n": n, "kind": kind(pair), "regime": regime(curves["krr"])}
        for learner in LEARNERS:
            lowest = np.nanmin(curves[learner])
            for rule in rules:
                errors = [
                    error_at(run["oracle_ratios"], run[f"true_{learner}"], run[f"ratio_{rule}"])
                    for _, run in group.iterrows()
                ]
                row[f"{learner}: {rule}"] = float(np.mean(errors)) / lowest - 1
        rows.append(row)
    return pd.DataFrame(rows)


def error_at(ratios: list[float], errors: list[float], ratio: float) -> float:
    """True error at any ratio, linear between grid points in ``log(ratio + 0.05)``."""
    curve, grid = np.array(errors, dtype=float), np.array(ratios)
    known = np.isfinite(curve)
    at = np.log(np.clip(ratio, 0, grid[known][-1]) + 0.05)
    return float(np.interp(at, np.log(grid[known] + 0.05), curve[known]))


def print_regret(table: pd.DataFrame, rules: list[str]) -> None:
    found = regrets(table, rules)
    for label, part in found.groupby("kind"):
        for learner in LEARNERS:
            columns = {f"{learner}: {rule}": rule for rule in rules}
            summary = part.groupby("regime")[list(columns)].mean().rename(columns=columns)
            summary.loc["mean of regimes"] = summary.mean()
            summary.loc["worst"] = part[list(columns)].max().rename(columns)
            counts = ", ".join(
                f"{count} {name}" for name, count in part["regime"].value_counts().items()
            )
            print(f"\nmean regret for {learner}, generators: {label} ({counts})")
            print(summary.T.round(4).to_string())


def print_coverage(table: pd.DataFrame) -> None:
    """How often the interval holds the ratio that is best on the mean true curve."""
    held: dict[str, list[bool]] = defaultdict(list)
    for pair, _, group, curves in sizes(table):
        if kind(pair) != "honest":
            continue
        for setup, learner in SETUPS.items():
            grid = np.array(group["oracle_ratios"].iloc[0])
            best = grid[np.nanargmin(curves[learner])]
            held[setup] += [low <= best <= high for low, high in group[f"interval_{setup}"]]
    for setup, inside in held.items():
        print(
            f"\n{setup}: the interval holds the true best ratio in {np.mean(inside):.1%} "
            f"of {len(inside)} runs"
        )


def print_calibration(table: pd.DataFrame, png: Path | None) -> None:
    """Predicted against true risk of kernel ridge regression, honest generators, every ratio."""
    predicted, true, labels = [], [], []
    for _, run in table[table["kind"] == "honest"].iterrows():
        for ratio, error in zip(run["oracle_ratios"], run["true_krr"], strict=True):
            if error is not None and np.isfinite(error):
                predicted.append(error_at(run["curve_ratios"], run["curve_risks"], ratio))
                true.append(error)
                labels.append(run["pair"].split("__")[0])
    x, y = np.array(predicted), np.array(true)
    if not len(x):
        return
    print(
        f"\npredicted risk against test error, {len(x)} runs and ratios: correlation "
        f"{np.corrcoef(x, y)[0, 1]:.3f}, of logarithms "
        f"{np.corrcoef(np.log(x), np.log(y))[0, 1]:.3f}, "
        f"mean of predicted / true {np.mean(x / y):.3f}, mean |relative error| "
        f"{np.mean(np.abs(x / y - 1)):.3f}"
    )
    if png is not None:
        plot_calibration(x, y, labels, png)


def plot_calibration(predicted: Any, true: Any, labels: list[str], png: Path) -> None:
    from matplotlib.figure import Figure

    axes = Figure(figsize=(5.6, 5.2), layout="constrained").add_subplot()
    colours = [
        "#0072B2",
        "#D55E00",
        "#009E73",
        "#CC79A7",
        "#E69F00",
        "#56B4E9",
        "#767676",
        "#000000",
        "#8C564B",
    ]
    for name, colour in zip(sorted(set(labels)), colours, strict=False):
        here = np.array(labels) == name
        axes.plot(predicted[here], true[here], ".", ms=4, alpha=0.5, color=colour, label=name)
    ends = [min(predicted.min(), true.min()), max(predicted.max(), true.max())]
    axes.plot(ends, ends, color="#767676", lw=1)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="predicted risk (real variances, or Brier score)",
        ylabel="error on test rows",
    )
    axes.legend(frameon=False, fontsize=8, markerscale=2)
    axes.spines[["top", "right"]].set_visible(False)
    png.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(png, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
