"""What the recommended ratio is worth on datasets that nothing was learned from.

    python -m benchmarks.ratio_leave_out --pairs DIR --json FILE [--cases FILE] [--datatunner 1]

Every dataset in turn is judged by a prior learned from the others alone, beside 5-fold cross-
validation over nine ratios, the same with one standard error, the rule of the path alone, and the
floor: the best ratio of the true curves of the *other draws*. Regret as in `benchmarks.left_out`,
in brackets 5 and 95 % of a paired bootstrap over datasets of its share of cross-validation's. Then
the interval, whose level for a dataset is calibrated on the others, and the predicted risk.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.known_cases import Record, collect, dataset_of
from benchmarks.left_out import (
    COVERAGE,
    REGIMES,
    SIZES,
    balanced,
    by_regime,
    calibrated_level,
    candidates,
    coverage,
    error_at,
    judged_records,
    key,
    posteriors,
    regrets,
    share,
)
from synthmix_dagster.ratio.posterior import Posterior

Rule = Callable[[Record], float]
BASE = "cross-validation"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--cases", type=Path, help="file to keep cases in; by default beside JSON")
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    cache = options.cases or options.json.with_suffix(".cases.json")
    records = collect(
        options.pairs, cache, only=options.only, sizes=options.sizes, jobs=options.jobs
    )
    judged = judged_records(records)
    if len({dataset_of(record) for record in judged}) < 3:
        parser.error("leaving datasets out takes three of them")
    posterior = posteriors(records, judged)
    report = {
        "datasets": len({dataset_of(record) for record in judged}),
        "cases": len(judged),
        "rules": compared(judged, rules(judged, posterior)),
        "interval": intervals(judged, posterior),
        "calibration": calibration(judged, posterior),
        "regrets": regrets(judged, rules(judged, posterior)["posterior"]),
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1))
    print_report(report)
    return 0


def rules(
    judged: list[Record], posterior: dict[tuple[str, int, int], Posterior]
) -> dict[str, Rule]:
    """What is compared: each maps a record to a ratio."""

    def of_posterior(record: Record) -> float:
        grid = candidates(record)
        return float(grid[posterior[key(record)].chosen(grid)])

    def of_other_draws(record: Record) -> float:
        curves = [
            other["errors"]["krr"]
            for other in judged
            if (other["pair"], other["n"]) == (record["pair"], record["n"])
            and other["seed"] != record["seed"]
        ]
        mean = np.mean(np.array(curves, dtype=float), axis=0)
        return float(record["ratios"][int(np.nanargmin(mean))])

    def named(name: str) -> Rule:
        return lambda record: float(record["chosen"][name])

    beside = ("cross-validation", "cross-validation, one standard error", "path")
    return {
        **{name: named(name) for name in beside},
        "posterior": of_posterior,
        "none": lambda record: 0.0,
        "all": lambda record: record["m"] / record["n"],
        "other draws' true curves (floor)": of_other_draws,
    }


def compared(judged: list[Record], rules: dict[str, Rule]) -> list[Record]:
    """One row for each rule."""
    found = {name: regrets(judged, rule) for name, rule in rules.items()}
    rows = []
    for name, of_rule in found.items():
        worst = max(of_rule, key=lambda row: row["regret"])
        part, low, high = share(of_rule, found[BASE])
        rows.append(
            {
                "rule": name,
                **by_regime(of_rule),
                "mean": balanced(of_rule),
                "share": part,
                "low": low,
                "high": high,
                "worst": worst["regret"],
                "worst case": f"{worst['pair']}, n = {worst['n']}",
            }
        )
    return rows


def intervals(
    judged: list[Record], posterior: dict[tuple[str, int, int], Posterior]
) -> dict[str, float]:
    """Coverage and width, the level for a dataset being calibrated on the others."""
    names = sorted({dataset_of(record) for record in judged})
    levels = {
        name: calibrated_level([r for r in judged if dataset_of(r) != name], posterior)
        for name in names
    }
    held = coverage(judged, posterior, levels)
    widths = []
    for record in judged:
        grid = candidates(record)
        low, high = posterior[key(record)].interval(grid, levels[dataset_of(record)])
        span = np.log(grid[[low, high, len(grid) - 1]] + 0.05)
        widths.append((span[1] - span[0]) / (span[2] - np.log(0.05)))
    return {
        "wanted": COVERAGE,
        "coverage": float(np.mean(held)),
        "lowest of a dataset": min(
            float(np.mean([h for h, r in zip(held, judged, strict=True) if dataset_of(r) == name]))
            for name in names
        ),
        "mean level": float(np.mean(list(levels.values()))),
        "mean width": float(np.mean(widths)),
        "median width": float(np.median(widths)),
    }


def calibration(
    judged: list[Record], posterior: dict[tuple[str, int, int], Posterior]
) -> dict[str, float]:
    """Predicted risk against the error on test rows, at every ratio of the oracle."""
    predicted, true = [], []
    for record in judged:
        ratios = np.array(record["ratios"])
        ratios = ratios[ratios <= record["m"] / record["n"] + 1e-9]
        mean, _ = posterior[key(record)].curve(ratios)
        predicted += (record["risk_of_none"] * np.exp(mean)).tolist()
        true += [error_at(record, "krr", ratio) for ratio in ratios]
    x, y = np.array(predicted), np.array(true)
    return {
        "runs and ratios": len(x),
        "mean relative difference": float(np.mean(np.abs(x / y - 1))),
        "mean of predicted over true": float(np.mean(x / y)),
        "correlation of logarithms": float(np.corrcoef(np.log(x), np.log(y))[0, 1]),
    }


def print_report(report: Record) -> None:
    print(f"{report['datasets']} datasets, each left out in turn, {report['cases']} cases\n")
    print("| rule | " + " | ".join(REGIMES) + " | mean | share of cross-validation | worst |")
    print("|---" * (len(REGIMES) + 4) + "|")
    for row in report["rules"]:
        regimes = " | ".join(f"{row.get(name, np.nan):.4f}" for name in REGIMES)
        print(
            f"| {row['rule']} | {regimes} | {row['mean']:.4f} | {row['share']:.2f} "
            f"({row['low']:.2f} to {row['high']:.2f}) | {row['worst']:.2f} {row['worst case']} |"
        )
    for name in ("interval", "calibration"):
        print(f"\n{name}: " + ", ".join(f"{key} {val:.3g}" for key, val in report[name].items()))


if __name__ == "__main__":
    sys.exit(main())
