"""A ratio of its own for every class, beside one for all of them, on real test rows.

    python -m benchmarks.strata --pairs DIR [--only labelshift] [--json FILE]

For every pair of DIR with classes: a kernel ridge regression of the same features is trained on the
rows that `class_ratios` chooses, by class and in the generator's proportion, and its Brier score is
taken on ``real_test.parquet``.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.pairs import kind, runs
from benchmarks.sources import encoded_run, test_error
from synthmix_dagster.ratio.strata import class_ratios


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
        task = json.loads((folder / "meta.json").read_text())["task"]
        named = options.only in folder.name and kind(folder.name) == "honest"
        if task == "classification" and named:
            for row in judge(folder, options.seeds, options.landmarks):
                print(json.dumps(row), file=sys.stderr, flush=True)
                rows.append(row)
    table = pd.DataFrame(rows)
    columns = ["none", "by_class", "recommended"]
    relative = table[columns].div(table["in_proportion"], axis=0) - 1
    shown = pd.concat([table[["pair", "n", "better", "seconds"]], relative], axis=1)
    print("\ntest error over that in the generator's proportion, minus 1; mean over seeds")
    print(shown.groupby(["pair", "n"]).mean().round(3).to_string())
    for label, part in {"all": shown, "called better": shown[shown["better"]]}.items():
        change = part["by_class"]
        error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
        print(
            f"{label}: {len(part)} runs, ratios by class change the test error by "
            f"{change.mean():+.3f} (standard error {error:.3f}); recommended "
            f"{part['recommended'].mean():+.3f}"
        )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


def judge(folder: Path, seeds: int, landmarks: int) -> Iterator[dict[str, object]]:
    """One row for every number of real rows and seed."""
    test = pd.read_parquet(folder / "real_test.parquet")
    for run in runs(folder):
        if run.seed >= seeds:
            continue
        real, unseen, sides = encoded_run(run, {"synthetic": run.synthetic}, test, landmarks)
        features, target = sides["synthetic"]
        started = time.perf_counter()
        found = class_ratios(*real, features, target)
        seconds = time.perf_counter() - started
        class_of = target.argmax(axis=1).astype(str)
        parts = {
            of.name: (features[class_of == of.name], target[class_of == of.name])
            for of in found.classes
        }
        counts = {
            "none": {},
            "by_class": {of.name: of.rows for of in found.classes},
            "in_proportion": {of.name: of.rows_in_proportion for of in found.classes},
            "recommended": {of.name: of.recommended for of in found.classes},
        }
        yield {
            "pair": folder.name,
            "n": run.n,
            "seed": run.seed,
            **{name: test_error(real, parts, rows, unseen) for name, rows in counts.items()},
            "better": found.better,
            "gain": found.gain,
            "gain_error": found.gain_error,
            "rows": counts["by_class"],
            "rows_in_proportion": counts["in_proportion"],
            "seconds": round(seconds, 1),
        }


if __name__ == "__main__":
    sys.exit(main())
