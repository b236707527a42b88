"""Several generators together, beside the best of them alone, on real test rows.

    python -m benchmarks.sources --pairs DIR [--only adult] [--json FILE]

For every dataset of DIR with two or more generators: `mix_sources` chooses rows of each, a kernel
ridge regression of the same features is trained on exactly those rows, and its error is taken on
``real_test.parquet``. Beside it: no synthetic rows, the generator that is predicted to be best
alone, and the one that is best alone in hindsight (lowest test error of a grid of ratios).
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.pairs import Run, kind, runs
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.path import RIDGES
from synthmix_dagster.ratio.sources import mix_sources

#: Features and targets.
Side = tuple[NDArray[np.float64], NDArray[np.float64]]
GRID = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--only", default="", help="datasets whose name contains this")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--landmarks", type=int, default=150)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    by_dataset: dict[str, list[Path]] = defaultdict(list)
    for folder in sorted(f for f in options.pairs.iterdir() if f.is_dir()):
        dataset, generator = folder.name.split("__")
        # Held-out real rows are no generator, and would always be the best one.
        if kind(folder.name) == "honest" and generator != "perfect" and options.only in dataset:
            by_dataset[dataset].append(folder)
    rows = []
    for dataset, folders in by_dataset.items():
        if len(folders) > 1:
            for row in judge(dataset, folders, options.seeds, options.landmarks):
                print(json.dumps(row), file=sys.stderr, flush=True)
                rows.append(row)
    table = pd.DataFrame(rows)
    columns = ["none", "everything", "mixture", "recommended", "alone_in_hindsight"]
    relative = table[columns].div(table["alone"], axis=0)
    shown = pd.concat([table[["dataset", "n"]], relative - 1], axis=1)
    means = shown.groupby(["dataset", "n"]).mean()
    means["generators"] = table.groupby(["dataset", "n"])["generators"].first()
    means["called better"] = table.groupby(["dataset", "n"])["better"].sum()
    print("\ntest error over that of the generator predicted to be best alone, minus 1; mean")
    print(means.round(3).to_string())
    for label, part in {
        "all": shown,
        "called better": shown[table["better"]],
        "not called better": shown[~table["better"]],
    }.items():
        change = part["mixture"]
        error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
        print(
            f"{label}: {len(part)} runs, the mixture changes the test error by {change.mean():+.3f}"
            f" (standard error {error:.3f}), lower in {int((change < 0).sum())}, higher in "
            f"{int((change > 0).sum())}; recommended {part['recommended'].mean():+.3f}"
        )
    predicted = 1 - table["risk_mixed"] / table["risk_alone"]
    actual = -(relative["mixture"] - 1)
    print(f"predicted gain {predicted.mean():.3f}, measured {actual.mean():.3f}")
    print(f"{table['seconds'].mean():.1f} s a run")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


def judge(
    dataset: str, folders: list[Path], seeds: int, landmarks: int
) -> Iterator[dict[str, object]]:
    """One row for every number of real rows and seed."""
    test = pd.read_parquet(folders[0] / "real_test.parquet")
    together = {folder.name.split("__")[1]: list(runs(folder)) for folder in folders}
    for number, first in enumerate(next(iter(together.values()))):
        if first.seed >= seeds:
            continue
        pools = {name: of[number].synthetic for name, of in together.items()}
        if not all(of[number].real.equals(first.real) for of in together.values()):
            print(f"{dataset}: the pairs do not share their real rows", file=sys.stderr)
            return
        real, unseen, sources = encoded_run(first, pools, test, landmarks)
        started = time.perf_counter()
        found = mix_sources(*real, sources)
        seconds = time.perf_counter() - started

        error = partial(test_error, real, sources, unseen=unseen)

        shares = {name: getattr(found, name) for name in ("mixture", "alone", "recommended")}
        hindsight = min(
            error(rows={name: round(ratio * first.n)})
            for name in sources
            for ratio in GRID
            if ratio * first.n <= len(sources[name][0])
        )
        yield {
            "dataset": dataset,
            "n": first.n,
            "seed": first.seed,
            "generators": len(sources),
            "none": error(rows={}),
            **{
                name: error(rows={share.name: share.rows for share in of})
                for name, of in shares.items()
            },
            "alone_in_hindsight": hindsight,
            "everything": error(rows={name: len(rows[0]) for name, rows in sources.items()}),
            "better": found.better,
            "risk_none": found.risk_none,
            "risk_alone": found.risk_alone,
            "risk_mixed": found.risk_mixed,
            "gain_error": found.gain_error,
            "mixed_ratios": {share.name: round(share.ratio, 2) for share in found.mixture},
            "alone_ratios": {share.name: round(share.ratio, 2) for share in found.alone},
            "seconds": round(seconds, 1),
        }


def encoded_run(
    run: Run, pools: dict[str, pd.DataFrame], test: pd.DataFrame, landmarks: int
) -> tuple[Side, Side, dict[str, Side]]:
    """Features and targets of the real rows, the test rows and every generator of a run."""
    code = TargetCode.fit(run.real, run.target, run.task)
    everything = pd.concat(pools.values(), ignore_index=True)
    categorical = [column for column in run.categorical if column != run.target]
    encoder = Encoder.fit(
        run.real, everything, Columns(categorical=categorical, ignore=[run.target])
    )
    feature_map = NystroemMap.fit(
        encoder.transform(run.real),
        encoder.transform(everything),
        rng=np.random.default_rng(run.seed),
        landmarks=landmarks,
    )

    def side(frame: pd.DataFrame, name: str) -> Side:
        return feature_map.transform(encoder.transform(frame)), code.encode(frame, name)

    generators = {name: side(frame, name) for name, frame in pools.items()}
    return side(run.real, "real"), side(test, "test"), generators


def test_error(real: Side, sources: dict[str, Side], rows: dict[str, int], unseen: Side) -> float:
    """Error on unseen rows of the fit to real rows and the first so many rows of each source."""
    sides = [
        real,
        *((x[: rows.get(name, 0)], t[: rows.get(name, 0)]) for name, (x, t) in sources.items()),
    ]
    features, target = (np.concatenate([side[i] for side in sides]) for i in (0, 1))
    n, total = len(real[0]), len(features)
    gram, cross = features.T @ features / total, features.T @ target / total
    values, vectors = np.linalg.eigh(gram)
    z, pull, at = real[0] @ vectors, vectors.T @ cross, unseen[0] @ vectors
    best, lowest = float("nan"), float("inf")
    for ridge in RIDGES:
        inverse = 1 / (np.maximum(values, 0) + ridge)
        leverage = (z**2) @ inverse / total
        if leverage.sum() > 0.8 * n:
            continue
        fit = inverse[:, None] * pull
        risk = np.mean(np.sum(((real[1] - z @ fit) / (1 - leverage)[:, None]) ** 2, axis=1))
        if risk < lowest:
            lowest = risk
            best = float(np.mean(np.sum((unseen[1] - at @ fit) ** 2, axis=1)))
    return best


if __name__ == "__main__":
    sys.exit(main())
