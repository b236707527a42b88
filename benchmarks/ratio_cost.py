"""What the risk path costs, beside cross-validation, and how it grows.

    python -m benchmarks.ratio_cost [--only curve peers growth] [--json FILE]

curve   all 40 ratios at n=400, m=6,400 and n=2,000, m=20,000, by the path (two bandwidths) and by
        the posterior (three): landmarks and features included
peers   n=400, m=6,400: scikit-learn's GridSearchCV with KernelRidge over 9 ratios, 10 ridges and
        5 folds, and five folds of ridge regression on the same features over the same ratios and
        all ridges; landmarks and features included there as well
growth  n and m doubled up to m=200,000

CPU seconds of one process with one thread.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.gridsearch import grid_losses
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.evidence import bandwidth_paths
from synthmix_dagster.ratio.experience import shipped_experience
from synthmix_dagster.ratio.learners import kernel_path
from synthmix_dagster.ratio.path import ratio_grid
from synthmix_dagster.ratio.posterior_rule import candidate_counts, decide_by_posterior
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.threads import one_thread

RATIOS = np.array([0, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16])
COLUMNS = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sections = {"curve": curve, "peers": peers, "growth": growth}
    parser.add_argument("--only", nargs="*", choices=sections, default=list(sections))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    with one_thread():
        for name in options.only:
            results[name] = sections[name]()
            print(f"\n{name}\n{pd.DataFrame(results[name]).to_string(index=False)}", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def rows(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        rng.normal(size=(count, COLUMNS)), columns=[f"x{i}" for i in range(COLUMNS)]
    )
    return frame.assign(y=np.sin(2 * frame.x0) + frame.x1 + rng.normal(0, 0.5, count))


def encoded(n: int, m: int) -> EncodedSample:
    frames = {"real": rows(n, 0), "synthetic": rows(m, 1)}
    return EncodedSample.encode(frames, TargetCode.fit(frames["real"], "y", "regression"))


def cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def whole_curve(sample: EncodedSample) -> NystroemMap:
    feature_map = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(0)
    )
    kernel_path(sample, feature_map, ratio_grid(sample.n, sample.m))
    return feature_map


def whole_posterior(sample: EncodedSample) -> None:
    feature_map = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(0)
    )
    paths, _ = bandwidth_paths(sample, feature_map, candidate_counts(sample.n, sample.m))
    decide_by_posterior(paths, sample.n, shipped_experience())


def curve() -> list[dict[str, Any]]:
    found = []
    rules: dict[str, Callable[[EncodedSample], Any]] = {
        "path": whole_curve,
        "posterior": whole_posterior,
    }
    for n, m in ((400, 6_400), (2_000, 20_000)):
        sample = encoded(n, m)
        for rule, work in rules.items():
            times = [cpu(partial(work, sample)) for _ in range(6)][1:]
            found.append(
                {
                    "n": n,
                    "m": m,
                    "rule": rule,
                    "median s": np.median(times),
                    "worst of 5": max(times),
                }
            )
    return found


def peers() -> list[dict[str, Any]]:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    n, m = 400, 6_400
    sample = encoded(n, m)
    ours = float(np.median([cpu(lambda: whole_curve(sample)) for _ in range(5)]))
    feature_map = whole_curve(sample)
    counts = np.rint(RATIOS * n).astype(int)

    def ridge_regression() -> None:
        fitted = NystroemMap.fit(
            sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(0)
        )
        features = {side: fitted.transform(at) for side, at in sample.points.items()}
        grid_losses(features, sample.targets, counts, seed=0)

    ridge = float(np.median([cpu(ridge_regression) for _ in range(5)]))
    folds = np.random.default_rng(0).permutation(n) % 5

    def kernel_ridge() -> None:
        for count in counts:
            points = np.concatenate((sample.points["real"], sample.points["synthetic"][:count]))
            target = np.concatenate((sample.targets["real"], sample.targets["synthetic"][:count]))
            # Synthetic rows are in every training set and in no test set.
            split = PredefinedSplit(np.concatenate((folds, np.full(count, -1))))
            gamma = 1 / (2 * feature_map.bandwidth**2)
            grid = {"alpha": list(10.0 ** np.arange(-4, 1, 0.5))}
            GridSearchCV(KernelRidge(kernel="rbf", gamma=gamma), grid, cv=split).fit(points, target)

    search = cpu(kernel_ridge)
    return [
        {"what": name, "s": seconds, "times the curve": seconds / ours}
        for name, seconds in (
            ("the whole curve, 40 ratios", ours),
            ("5 folds of ridge on the same features, 9 ratios", ridge),
            ("GridSearchCV of KernelRidge, 9 ratios x 10 ridges x 5 folds", search),
        )
    ]


def growth() -> list[dict[str, Any]]:
    found = []
    for m in (12_500, 25_000, 50_000, 100_000, 200_000):
        sample = encoded(m // 10, m)
        found.append({"n": m // 10, "m": m, "s": cpu(partial(whole_curve, sample))})
    return found


if __name__ == "__main__":
    sys.exit(main())
