"""Cases with a known truth, from folders of pairs: the evidence, and what other rules choose.

Evidence and other rules of each learner: ``krr``, the kernel, and ``hgb``, gradient boosting.

Slow to compute and read by several benchmarks, so they are kept in a JSON file; cases that are in
it are not computed again. It holds no rows.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.gridsearch import grid_search
from benchmarks.pairs import FITTED, Run, kind, runs
from synthmix_dagster import SynthMixError
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.decision import decide
from synthmix_dagster.ratio.evidence import Evidence, bandwidth_paths, lowest_path, trusted_paths
from synthmix_dagster.ratio.experience import Case
from synthmix_dagster.ratio.learners import kernel_path
from synthmix_dagster.ratio.path import ratio_grid
from synthmix_dagster.ratio.posterior import knot_counts
from synthmix_dagster.ratio.refits import boosting_refits
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.ratio.truth import true_errors
from synthmix_dagster.threads import one_thread

Floats = NDArray[np.float64]
Record = dict[str, Any]

RATIOS = np.array([0, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16])


def collect(pairs: Path, cache: Path, *, only: str, sizes: list[int], jobs: int) -> list[Record]:
    """Every case of every pair whose generator did not see the real rows.

    Parameters
    ----------
    pairs : Path
    cache : Path
        Cases that are known already; new ones are added.
    only : str
        Folders whose name contains this.
    sizes : list of int
        Numbers of real rows beside those of the folders, one draw each where the pool has as many;
        their truth is measured here.
    jobs : int
    """
    records = json.loads(cache.read_text()) if cache.exists() else []
    known = {(record["pair"], record["n"], record["seed"]) for record in records}
    folders = sorted(f for f in pairs.iterdir() if f.is_dir() and only in f.name)
    folders = [f for f in folders if kind(f.name) != FITTED]
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(partial(of_folder, sizes=sizes, known=known), folders):
            records += found
            if found:
                cache.parent.mkdir(parents=True, exist_ok=True)
                cache.write_text(json.dumps(records))
    return [record for record in records if only in record["pair"]]


def of_folder(folder: Path, sizes: list[int], known: set[tuple[str, int, int]]) -> list[Record]:
    """The cases of one pair that are not known."""
    records = []
    with one_thread():
        for run in [*runs(folder), *further_runs(folder, sizes, known)]:
            if (run.pair, run.n, run.seed) not in known:
                try:
                    records.append(record_of(run, others=run.n not in sizes))
                except SynthMixError as error:
                    print(f"{folder.name}, n={run.n}: refused. {error}", file=sys.stderr)
    return records


def further_runs(folder: Path, sizes: list[int], known: set[tuple[str, int, int]]) -> Iterator[Run]:
    """One draw of each further number of real rows, with its truth measured on the test rows."""
    meta = json.loads((folder / "meta.json").read_text())
    train, pool, test = (
        pd.read_parquet(folder / f"{name}.parquet")
        for name in ("real_train", "synthetic", "real_test")
    )
    for n in sizes:
        if n > len(train) or (folder.name, n, 0) in known:
            continue
        rng = np.random.default_rng(0)
        real = train.iloc[rng.permutation(len(train))[:n]].reset_index(drop=True)
        synthetic = pool.iloc[rng.permutation(len(pool))[: 16 * n]].reset_index(drop=True)
        errors = true_errors(_encoded(real, synthetic, meta), test, RATIOS, seed=0)
        yield Run(
            pair=folder.name,
            seed=0,
            target=meta["target"],
            task=meta["task"],
            categorical=meta["categorical"],
            ratios=RATIOS,
            errors={"krr": errors, "hgb": np.full(len(RATIOS), np.nan)},
            real=real,
            synthetic=synthetic,
        )


def _encoded(real: pd.DataFrame, synthetic: pd.DataFrame, meta: dict[str, Any]) -> EncodedSample:
    code = TargetCode.fit(real, meta["target"], meta["task"])
    frames = {"real": real, "synthetic": synthetic}
    return EncodedSample.encode(frames, code, Columns(categorical=meta["categorical"]))


def record_of(run: Run, *, others: bool) -> Record:
    """The evidence of a run beside its truth, and what other rules choose of its rows."""
    code = TargetCode.fit(run.real, run.target, run.task)
    frames = {"real": run.real, "synthetic": run.synthetic}
    sample = EncodedSample.encode(frames, code, Columns(categorical=run.categorical))
    points = sample.points
    kernel = NystroemMap.fit(
        points["real"], points["synthetic"], rng=np.random.default_rng(run.seed)
    )
    n, m = sample.n, sample.m
    paths, _ = bandwidth_paths(sample, kernel, knot_counts(n, m))
    evidence = Evidence.of_paths(trusted_paths(paths), n)
    record: Record = {
        "pair": run.pair,
        "kind": kind(run.pair),
        "n": n,
        "m": m,
        "seed": run.seed,
        "ratios": run.ratios.tolist(),
        "errors": {name: _with_none(errors) for name, errors in run.errors.items()},
        "risk_of_none": {"krr": float(paths[lowest_path(paths)].risks[0])},
        "evidence": {"krr": _as_lists(evidence)},
        "chosen": {"krr": {}, "hgb": {}},
    }
    if others:
        grid = ratio_grid(n, min(m, 16 * n))
        path, _ = kernel_path(sample, kernel, grid)
        chosen = decide(path.risks, path.losses, "path").chosen
        best, one_error = grid_search(run)
        record["chosen"]["krr"] = {
            "path": float(grid[chosen] / n),
            "cross-validation": best,
            "cross-validation, one standard error": one_error,
        }
        losses = boosting_refits(sample, seed=0).path(knot_counts(n, m)).losses
        add_boosting(record, knot_counts(n, m), losses)
    return record


def add_boosting(record: Record, counts: NDArray[np.int64], losses: Floats) -> None:
    """What five folds of boosting say, of shape (n_counts, n), and which mix rules take by them."""
    risks, ratios = losses.mean(axis=1), counts / record["n"]
    record["risk_of_none"]["hgb"] = float(risks[0])
    record["evidence"]["hgb"] = _as_lists(Evidence.of(ratios, [risks], [losses]))
    best = int(risks.argmin())
    errors = (losses - losses[best]).std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    within = np.flatnonzero(risks - risks[best] <= errors)
    record["chosen"]["hgb"] = {
        "path": float(ratios[decide(risks, losses, "path").chosen]),
        "cross-validation": float(ratios[best]),
        "cross-validation, one standard error": float(ratios[within[0]]),
    }


def case_of(record: Record, learner: str = "krr") -> Case:
    """What the experience of a learner is learned from."""
    errors = np.array(record["errors"][learner], dtype=float)
    known = np.isfinite(errors)
    return Case.measured(
        dataset_of(record),
        record["pair"].split("__")[1],
        record["n"],
        evidence_of(record, learner),
        ratios=np.array(record["ratios"])[known].tolist(),
        errors=errors[known].tolist(),
    )


def evidence_of(record: Record, learner: str = "krr") -> Evidence:
    evidence = record["evidence"][learner]
    return Evidence(**{name: np.array(values) for name, values in evidence.items()})


def _as_lists(evidence: Evidence) -> Record:
    return {name: values.tolist() for name, values in vars(evidence).items()}


def dataset_of(record: Record) -> str:
    return str(record["pair"].split("__")[0])


def _with_none(errors: Floats) -> list[float | None]:
    return [float(error) if np.isfinite(error) else None for error in errors]
