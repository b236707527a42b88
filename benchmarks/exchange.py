"""The risk at four times the real rows, predicted from the first quarter of them.

    python -m benchmarks.exchange --pairs DIR [--only adult] [--seeds 3] [--json FILE]

For every pair of DIR with runs of n and 4n real rows: from the n rows and the synthetic rows of the
larger run, `exchange_rate` predicts the error without synthetic rows at 4n, and the best ratio
there. Both are compared with the true curve of the kernel learner at 4n; so is the ratio that is
best at n, and the one that the risk path finds with all 4n rows.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.pairs import kind, runs
from benchmarks.sources import encoded_run
from synthmix_dagster.ratio.decision import decide
from synthmix_dagster.ratio.exchange import exchange_rate
from synthmix_dagster.ratio.path import RiskPath, ratio_grid, risk_path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--landmarks", type=int, default=150)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for folder in sorted(f for f in options.pairs.iterdir() if f.is_dir()):
        if options.only in folder.name and kind(folder.name) == "honest":
            for row in judge(folder, options.seeds, options.landmarks):
                print(json.dumps(row), file=sys.stderr, flush=True)
                rows.append(row)
    table = pd.DataFrame(rows)
    mean = table.groupby("pair").mean(numeric_only=True)
    for name in ("predicted", "unchanged", "with_all"):
        error = np.abs(np.log(mean[f"none_{name}"] / mean["none_true"]))
        print(f"error without synthetic rows at 4n, {name}: off by {np.expm1(error.mean()):.1%}")
    for name in ("predicted", "unchanged", "with_all"):
        regret = mean[f"error_{name}"] / mean["error_best"] - 1
        print(f"ratio at 4n, {name}: regret {regret.mean():.3f}, largest {regret.max():.3f}")
    print(f"{len(mean)} pairs, {len(table)} runs")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


def judge(folder: Path, seeds: int, landmarks: int) -> Iterator[dict[str, object]]:
    """One row for every seed that has a run of n and one of 4n real rows."""
    by_size = {(run.n, run.seed): run for run in runs(folder)}
    test = pd.read_parquet(folder / "real_test.parquet")
    lowest = {
        n: np.nanmin(np.mean([run.errors["krr"] for run in by_size.values() if run.n == n], axis=0))
        for n in {n for n, _ in by_size}
    }
    for (n, seed), small in by_size.items():
        large = by_size.get((4 * n, seed))
        if large is None or seed >= seeds:
            continue
        real, _, sides = encoded_run(small, {"synthetic": large.synthetic}, test, landmarks)
        data = *real, *sides["synthetic"]
        small_path = risk_path(*data, ratio_grid(n, len(small.synthetic), points=24))
        best = chosen(small_path)
        ahead = exchange_rate(*data, rows=best, factors=(4,))
        real, _, sides = encoded_run(large, {"synthetic": large.synthetic}, test, landmarks)
        path = risk_path(*real, *sides["synthetic"], ratio_grid(4 * n, len(large.synthetic), 24))
        ratios = {
            "predicted": ahead.outlook[0].ratio,
            "unchanged": best / n,
            "with_all": chosen(path) / (4 * n),
        }
        yield {
            "pair": folder.name,
            "seed": seed,
            "none_true": large.error_at("krr", 0.0),
            "none_predicted": ahead.outlook[0].risk_none,
            "none_unchanged": ahead.risk_none,
            "none_with_all": float(path.risks[0]),
            "error_best": float(lowest[4 * n]),
            **{f"error_{name}": large.error_at("krr", ratio) for name, ratio in ratios.items()},
            **{f"ratio_{name}": ratio for name, ratio in ratios.items()},
            "worth": ahead.worth,
            "interval": ahead.interval,
            "rows": best,
        }


def chosen(path: RiskPath) -> int:
    """Rows of the default rule."""
    return int(path.counts[decide(path.risks, path.losses, "largest_equivalent").chosen])


if __name__ == "__main__":
    sys.exit(main())
