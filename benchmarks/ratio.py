"""How good is the recommended ratio? Regret against the true error, beside the usual guesses.

    python -m benchmarks.ratio --pairs DIR [--only adult] [--json FILE]

Regret of a rule on a pair: the error at its ratio over the lowest error on the grid, minus 1,
averaged over seeds. Tables show the mean by regime and the unweighted mean of the regimes.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.pairs import LEARNERS, Run, kind, regime, runs
from synthmix_dagster import SynthMixError, recommend_ratio

RULES = ("largest_equivalent", "best", "smallest_equivalent")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folders = sorted(f for f in options.pairs.iterdir() if f.is_dir() and options.only in f.name)
    rows = [row for folder in folders for row in judge(folder)]
    table = pd.DataFrame(rows)
    names = [*RULES, "none", "one_to_one", "all"]
    for label, part in table.groupby("kind"):
        for learner in LEARNERS:
            columns = {f"{learner}_{name}": name for name in names}
            by_regime = part.groupby("regime")[list(columns)].mean().rename(columns=columns)
            by_regime.loc["mean of regimes"] = by_regime.mean()
            by_regime.loc["worst pair"] = part[list(columns)].max().rename(columns)
            print(f"\nmean regret for {learner}, generators: {label}\n{by_regime.round(3)}")
    print(f"\n{len(table)} pairs and sizes, {table['seconds'].mean():.2f} s a recommendation")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


def judge(folder: Path) -> list[dict[str, object]]:
    """One row for each number of real rows of a pair."""
    by_size: dict[int, list[Run]] = defaultdict(list)
    for run in runs(folder):
        by_size[run.n].append(run)
    rows = []
    for n, group in by_size.items():
        started = time.perf_counter()
        try:
            chosen = [ratios(run) for run in group]
        except SynthMixError as error:
            print(f"{folder.name}, n={n}: refused. {error}", file=sys.stderr)
            continue
        mean = {name: np.mean([run.errors[name] for run in group], axis=0) for name in LEARNERS}
        rows.append(
            {
                "pair": folder.name,
                "kind": kind(folder.name),
                "n": n,
                "regime": regime(mean["krr"]),
                "seconds": (time.perf_counter() - started) / len(group),
                **{
                    f"{learner}_{rule}": float(
                        np.mean(
                            [
                                run.error_at(learner, ratio[rule])
                                for run, ratio in zip(group, chosen, strict=True)
                            ]
                        )
                        / np.nanmin(mean[learner])
                        - 1
                    )
                    for learner in LEARNERS
                    for rule in chosen[0]
                },
            }
        )
    return rows


def ratios(run: Run) -> dict[str, float]:
    """Ratio of every rule on one run."""
    advice = recommend_ratio(
        run.real, run.synthetic, target=run.target, task=run.task, categorical=run.categorical
    )
    risks = np.array([point.risk for point in advice.curve])
    highest = len(run.synthetic) / run.n
    return {
        "largest_equivalent": advice.interval[1],
        "best": advice.curve[int(risks.argmin())].ratio,
        "smallest_equivalent": advice.interval[0],
        "none": 0.0,
        "one_to_one": min(1.0, highest),
        "all": highest,
    }


if __name__ == "__main__":
    sys.exit(main())
