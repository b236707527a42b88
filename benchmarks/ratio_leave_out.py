"""What the recommended ratio is worth on datasets that nothing was learned from.

    python -m benchmarks.ratio_leave_out --pairs DIR --json FILE [--cases FILE] [--datatunner 8]

For the kernel and for gradient boosting. Every dataset in turn is judged by a prior learned from
the others alone, beside 5-fold cross-validation of the learner over nine ratios, the same with one
standard error, the rule of the path alone, and the floor: the best ratio of the true curves of the
*other draws*. Regret as in `benchmarks.left_out`, in brackets 5 and 95 % of a paired bootstrap over
datasets of its share of cross-validation's. Then the interval, whose level for a dataset is
calibrated on the others, the predicted risk, and what is safe with generators that were fitted on
the real rows. ``--datatunner`` runs DataTunner for boosting on so many pairs.
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
    LEVELS,
    REGIMES,
    SIZES,
    balanced,
    by_regime,
    candidates,
    enough,
    error_at,
    held,
    judged_records,
    key,
    posteriors,
    regrets,
    share,
)
from benchmarks.pairs import FITTED, LEARNERS, kind, runs
from synthmix_dagster.ratio.options import Learner
from synthmix_dagster.ratio.posterior import Posterior
from synthmix_dagster.ratio.provenance import SAFE_RATIO

Rule = Callable[[Record], float]
BASE = "cross-validation"
#: What is recommended for each learner of the folders.
SETUPS: dict[str, Learner] = {"krr": "kernel", "hgb": "trees"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--cases", type=Path, help="file to keep cases in; by default beside JSON")
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--datatunner", type=int, default=0, help="pairs to run DataTunner on")
    options = parser.parse_args()
    cache = options.cases or options.json.with_suffix(".cases.json")
    records = collect(
        options.pairs, cache, only=options.only, sizes=options.sizes, jobs=options.jobs
    )
    report = {learner: of_learner(records, learner) for learner in LEARNERS}
    if min(each["datasets"] for each in report.values()) < 3:
        parser.error("leaving datasets out takes three of them")
    report["fitted on the real rows"] = fitted(options.pairs)
    if options.datatunner:
        report["datatunner"] = beside_datatunner(options.pairs, records, options.datatunner)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1))
    print_report(report)
    return 0


def of_learner(records: list[Record], learner: str) -> Record:
    """What is left out in turn, for one learner."""
    judged = judged_records(records, learner)
    posterior = posteriors(records, judged, learner)
    compared_rules = rules(records, posterior, learner)
    return {
        "datasets": len({dataset_of(record) for record in judged}),
        "runs": len(judged),
        "rules": compared(judged, compared_rules, learner),
        "interval": intervals(judged, posterior, learner),
        "calibration": calibration(judged, posterior, learner),
        "regrets": regrets(judged, compared_rules["posterior"], learner),
    }


def rules(
    records: list[Record], posterior: dict[tuple[str, int, int], Posterior], learner: str
) -> dict[str, Rule]:
    """What is compared: each maps a record to a ratio."""

    def of_posterior(record: Record) -> float:
        grid = candidates(record)
        return float(grid[posterior[key(record)].chosen(grid)])

    def of_other_draws(record: Record) -> float:
        curves = [
            other["errors"][learner]
            for other in records
            if (other["pair"], other["n"]) == (record["pair"], record["n"])
            and other["seed"] != record["seed"]
        ]
        mean = np.mean(np.array(curves, dtype=float), axis=0)
        return float(record["ratios"][int(np.nanargmin(mean))])

    def named(name: str) -> Rule:
        return lambda record: float(record["chosen"][learner][name])

    beside = ("cross-validation", "cross-validation, one standard error", "path")
    return {
        **{name: named(name) for name in beside},
        "posterior": of_posterior,
        "none": lambda record: 0.0,
        "all": lambda record: record["m"] / record["n"],
        "other draws' true curves (floor)": of_other_draws,
    }


def compared(judged: list[Record], rules: dict[str, Rule], learner: str) -> list[Record]:
    """One row for each rule."""
    found = {name: regrets(judged, rule, learner) for name, rule in rules.items()}
    rows = []
    for name, of_rule in found.items():
        part, low, high = share(of_rule, found[BASE])
        rows.append({"rule": name, **summary(of_rule), "share": part, "low": low, "high": high})
    return rows


def summary(of_rule: list[Record]) -> Record:
    """Regret by regime, their mean, and the worst case."""
    worst = max(of_rule, key=lambda row: row["regret"])
    return {
        **by_regime(of_rule),
        "mean": balanced(of_rule),
        "worst": worst["regret"],
        "worst case": f"{worst['pair']}, n = {worst['n']}",
    }


def intervals(
    judged: list[Record], posterior: dict[tuple[str, int, int], Posterior], learner: str
) -> dict[str, float]:
    """Coverage and width, the level for a dataset being calibrated on the others."""
    inside, of = held(judged, posterior, learner), np.array([dataset_of(each) for each in judged])
    at = {name: enough(inside[of != name]) for name in sorted(set(of))}
    found = np.array([row[at[name]] for row, name in zip(inside, of, strict=True)])
    widths = []
    for record in judged:
        grid = candidates(record)
        level = LEVELS[at[dataset_of(record)]]
        low, high = posterior[key(record)].interval(grid, level)
        span = np.log(grid[[low, high, len(grid) - 1]] + 0.05)
        widths.append((span[1] - span[0]) / (span[2] - np.log(0.05)))
    return {
        "wanted": COVERAGE,
        "coverage": float(found.mean()),
        "lowest of a dataset": min(float(found[of == name].mean()) for name in at),
        "mean level": float(np.mean([LEVELS[position] for position in at.values()])),
        "mean width": float(np.mean(widths)),
        "median width": float(np.median(widths)),
    }


def calibration(
    judged: list[Record], posterior: dict[tuple[str, int, int], Posterior], learner: str
) -> dict[str, float]:
    """Predicted risk against the error on test rows, at every ratio of the oracle."""
    predicted, true = [], []
    for record in judged:
        ratios = np.array(record["ratios"])
        ratios = ratios[ratios <= record["m"] / record["n"] + 1e-9]
        mean, _ = posterior[key(record)].curve(ratios)
        predicted += (record["risk_of_none"][learner] * np.exp(mean)).tolist()
        true += [error_at(record, learner, ratio) for ratio in ratios]
    x, y = np.array(predicted), np.array(true)
    return {
        "runs and ratios": len(x),
        "mean relative difference": float(np.mean(np.abs(x / y - 1))),
        "mean of predicted over true": float(np.mean(x / y)),
        "correlation of logarithms": float(np.corrcoef(np.log(x), np.log(y))[0, 1]),
    }


def fitted(pairs: Path) -> list[Record]:
    """Generators fitted on the real rows: what is recommended once that is said, none, and all."""
    folders = [folder for folder in sorted(pairs.iterdir()) if kind(folder.name) == FITTED]
    records = [
        {
            "pair": run.pair,
            "n": run.n,
            "m": len(run.synthetic),
            "ratios": run.ratios.tolist(),
            "errors": run.errors,
        }
        for folder in folders
        for run in runs(folder)
    ]
    found = []
    for learner in LEARNERS if records else ():
        ways: dict[str, Rule] = {
            "declared": lambda _, safe=SAFE_RATIO[SETUPS[learner]]: safe,
            "none": lambda _: 0.0,
            "all": lambda record: record["m"] / record["n"],
        }
        for way, rule in ways.items():
            of_rule = [row["regret"] for row in regrets(records, rule, learner)]
            row = {"learner": learner, "rule": way, "cases": len(of_rule)}
            found.append({**row, "mean": float(np.mean(of_rule)), "worst": max(of_rule)})
    return found


def beside_datatunner(pairs: Path, records: list[Record], count: int) -> list[Record]:
    """What DataTunner chooses for boosting on the first draws of a few pairs, beside the others."""
    from benchmarks.datatunner import ratios

    first = [record for record in judged_records(records, "hgb") if record["seed"] == 0]
    names = sorted({record["pair"] for record in first})
    names = names[:: max(1, len(names) // count)][:count]
    judged = [record for record in first if record["pair"] in names]
    posterior = posteriors(records, judged, "hgb")
    chosen = {
        (run.pair, run.n, run.seed): ratios(run)
        for name in names
        for run in runs(pairs / name)
        if run.seed == 0
    }
    compared_rules = {
        name: rule for name, rule in rules(records, posterior, "hgb").items() if "floor" not in name
    }
    for name in ("datatunner_star", "datatunner_best"):
        compared_rules[name] = lambda record, name=name: chosen[key(record)][name]
    return [
        {"rule": name, **summary(regrets(judged, rule, "hgb"))}
        for name, rule in compared_rules.items()
    ]


def print_report(report: Record) -> None:
    for learner in LEARNERS:
        found = report[learner]
        print(
            f"\n{learner}: {found['datasets']} datasets, each left out in turn, "
            f"{found['runs']} runs\n"
        )
        print_rules(found["rules"])
        for name in ("interval", "calibration"):
            said = ", ".join(f"{key} {val:.3g}" for key, val in found[name].items())
            print(f"\n{name}: {said}")
    print("\nfitted on the real rows")
    for row in report["fitted on the real rows"]:
        print("  ".join(str(value) for value in row.values()))
    if "datatunner" in report:
        print("\nbeside DataTunner, boosting, one draw")
        print_rules(report["datatunner"])


def print_rules(rows: list[Record]) -> None:
    print("| rule | " + " | ".join(REGIMES) + " | mean | share of cross-validation | worst |")
    print("|---" * (len(REGIMES) + 4) + "|")
    for row in rows:
        regimes = " | ".join(f"{row.get(name, np.nan):.4f}" for name in REGIMES)
        part = ""
        if "share" in row:
            part = f"{row['share']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
        print(
            f"| {row['rule']} | {regimes} | {row['mean']:.4f} | {part} "
            f"| {row['worst']:.2f} {row['worst case']} |"
        )


if __name__ == "__main__":
    sys.exit(main())
