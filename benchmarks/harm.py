"""Does the gap tell harm? Rank correlation of every gap with what adding all synthetic rows costs.

    python -m benchmarks.harm --pairs DIR [--only adult] [--json FILE]

Harm is the true error with every synthetic row over that with none, minus 1. Gaps and errors are
averaged over the seeds of a pair and a number of real rows. Intervals: bootstrap over datasets,
whose pairs share their real rows. Below the gaps stand predictions of the harm itself, which know
how many rows there are and how well the real ones do alone: the least a gap can leave out.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.pairs import LEARNERS, Run, kind, runs
from synthmix_dagster import SynthMixError
from synthmix_dagster.distance.conditional import LANDMARKS, conditional_estimate
from synthmix_dagster.distance.estimate import signed_root
from synthmix_dagster.distance.folds import Side, draw_sides
from synthmix_dagster.distance.wasserstein import orthonormal_directions, sliced_estimate
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.ratio.path import risk_path

Floats = NDArray[np.float64]
Sides = tuple[Side, Side]

DIRECTIONS = 100
BOOTSTRAPS = 1_000
#: A rank correlation of fewer is noise.
LEAST_PAIRS = 5
#: Borders of the conditional gap, in units of the target, between which pairs are counted.
BORDERS = (-np.inf, 0.05, 0.1, 0.15, np.inf)

GAPS: dict[str, Callable[[dict[str, float]], float]] = {
    "X": lambda of: of["inputs"],
    "target": lambda of: of["target"],
    "joint": lambda of: of["joint"],
    "X, weighted by sensitivity": lambda of: of["inputs_weighted"],
    "joint, weighted by sensitivity": lambda of: of["joint_weighted"],
    "joint, weighted to mean square 1": lambda of: of["joint_reweighted"],
    "joint of prediction and target": lambda of: of["predicted"],
    "conditional": lambda of: of["conditional"],
    "conditional over error": lambda of: of["conditional"] / of["error"],
    "conditional + weighted X": lambda of: of["conditional"] + of["inputs_weighted"],
    "excess error of synthetic folds": lambda of: of["excess"],
}
PREDICTIONS: dict[str, Callable[[dict[str, float]], float]] = {
    "conditional against variance": lambda of: variance_form(of, of["conditional"]),
    "excess error against variance": lambda of: variance_form(of, of["excess"]),
    "train on synthetic, test on real": lambda of: of["transfer"] / of["error"],
    "risk path, all against none": lambda of: of["path"] / of["error"],
}


def variance_form(of: dict[str, float], square: float) -> float:
    """Predicted harm of pooling: ``a^2 D^2`` for the shift, less the ``a V/n`` of variance saved.

    With the weight ``a = k / (n + k)`` the variance falls from V/n to ``V/(n + k) = (1 - a) V/n``.
    """
    a = of["weight"]
    return (a**2 * square - a * of["variance"]) / of["error"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folders = sorted(f for f in options.pairs.iterdir() if f.is_dir() and options.only in f.name)
    started = time.perf_counter()
    judged = pd.DataFrame([row for folder in folders for row in judge(folder)])
    found = by_generators(judged)
    if found.empty:
        parser.error(f"{len(judged)} pairs and sizes are too few to correlate")
    for (label, n), table in found.groupby(["generators", "n"], sort=False):
        size = f"n = {n}" if n else "every n"
        print(f"\nSpearman correlation with harm, generators: {label}, {size}")
        print(table.drop(columns=["generators", "n"]).round(2).to_string(index=False))
    print(f"\nharmed by all synthetic rows, honest generators\n{harmed(judged)}")
    print(f"\n{len(judged)} pairs and sizes in {time.perf_counter() - started:.0f} s")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = {
            "correlations": found.to_dict(orient="records"),
            "pairs": judged.to_dict(orient="records"),
        }
        options.json.write_text(json.dumps(report, indent=1))
    return 0


def harm(folders: list[Path]) -> list[dict[str, Any]]:
    """Correlation of every gap with harm, for honest generators and for all, by real rows."""
    judged = pd.DataFrame([row for folder in folders for row in judge(folder)])
    found = by_generators(judged).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in found]


def by_generators(judged: pd.DataFrame) -> pd.DataFrame:
    """Correlations over honest generators and over all, for every number of real rows."""
    tables = [pd.DataFrame()]
    for name, part in {"honest": judged[judged["kind"] == "honest"], "all": judged}.items():
        for n in (None, *sorted(part["n"].unique())):
            rows = part if n is None else part[part["n"] == n]
            if len(rows) >= LEAST_PAIRS:
                tables.append(correlations(rows).assign(generators=name, n=n or 0))
    return pd.concat(tables)


def judge(folder: Path) -> list[dict[str, Any]]:
    """One row for each number of real rows of a pair: every gap and the harm to every learner."""
    by_size: dict[int, list[Run]] = defaultdict(list)
    for run in runs(folder):
        by_size[run.n].append(run)
    rows = []
    for n, group in by_size.items():
        try:
            of_seeds = [measure_run(run) for run in group]
        except SynthMixError as error:
            print(f"{folder.name}, n={n}: refused. {error}", file=sys.stderr)
            continue
        measured = {key: float(np.mean([of[key] for of in of_seeds])) for key in of_seeds[0]}
        mean = {name: np.mean([run.errors[name] for run in group], axis=0) for name in LEARNERS}
        harms = {f"harm {name}": curve[last(curve)] / curve[0] - 1 for name, curve in mean.items()}
        gaps = {name: gap(measured) for name, gap in (GAPS | PREDICTIONS).items()}
        rows.append({"pair": folder.name, "kind": kind(folder.name), "n": n, **harms, **gaps})
    return rows


def last(curve: Floats) -> int:
    """Position of the largest ratio that there were rows for."""
    return int(np.flatnonzero(np.isfinite(curve))[-1])


def measure_run(run: Run) -> dict[str, float]:
    """Debiased squares of one run, and what they are compared with."""
    rng = np.random.default_rng(run.seed)
    labels = [run.target] if run.task == "classification" else []
    encoder = Encoder.fit(run.real, run.synthetic, Columns(categorical=[*run.categorical, *labels]))
    real, synthetic = encoder.transform(run.real), encoder.transform(run.synthetic)
    code = encoder.code(run.target)
    target = slice(code.start, code.stop)
    y, v = real[:, target], synthetic[:, target]
    x, z = np.delete(real, target, axis=1), np.delete(synthetic, target, axis=1)
    n, m = len(x), len(z)
    sides = draw_sides(n, m, rng)
    count = round(run.ratios[last(run.errors["krr"])] * n)

    def gap(one: Floats, other: Floats) -> float:
        directions = orthonormal_directions(one.shape[1], DIRECTIONS, rng)
        found = sliced_estimate(one.astype(np.float32), other.astype(np.float32), directions, sides)
        return float(np.mean(found.squares)) * one.shape[1]

    feature_map = NystroemMap.fit(x, z, rng=rng, landmarks=LANDMARKS)
    phi, psi = feature_map.transform(x), feature_map.transform(z)
    center = y.mean(axis=0)
    path = risk_path(phi, y - center, psi, v - center, [0, count])
    fit, hat = ridge_fit(phi, y - center, path.ridges[0]), hat_matrix(phi, path.ridges[0])
    errors = (y - center - phi @ fit) / (1 - np.diag(hat))[:, None]
    noise = np.sum((y - center - phi @ fit) ** 2) / (n - np.trace(hat))
    slopes = np.sqrt(sum(np.mean(feature_map.gradients(x, c) ** 2, axis=0) for c in fit.T))
    relative = slopes / max(float(np.sqrt(np.mean(slopes**2))), 1e-12)
    transfer_ridge = risk_path(psi, v - center, phi, y - center, [0]).ridges[0]
    transfer = ridge_fit(psi, v - center, transfer_ridge)
    return {
        "inputs": gap(x, z),
        "target": gap(y, v),
        "joint": gap(np.hstack((x, y)), np.hstack((z, v))),
        "inputs_weighted": gap(x * slopes, z * slopes),
        "joint_weighted": gap(np.hstack((x * slopes, y)), np.hstack((z * slopes, v))),
        "joint_reweighted": gap(np.hstack((x * relative, y)), np.hstack((z * relative, v))),
        "predicted": gap(np.hstack((y - errors, y)), np.hstack((psi @ fit + center, v))),
        "conditional": conditional_estimate(x, y, z, v, sides, rng).square,
        "excess": excess_error(phi, y - center, psi, v - center, sides),
        "transfer": np.sum((y - center - phi @ transfer) ** 2) / n - path.risks[0],
        "path": path.risks[1] - path.risks[0],
        "error": path.risks[0],
        "variance": noise * float(np.sum(hat**2)) / n,
        "weight": count / (n + count),
    }


def ridge_fit(features: Floats, target: Floats, ridge: float) -> Floats:
    """Coefficients of a ridge regression."""
    n, p = features.shape
    fit: Floats = np.linalg.solve(
        features.T @ features / n + ridge * np.eye(p), features.T @ target / n
    )
    return fit


def hat_matrix(features: Floats, ridge: float) -> Floats:
    """Matrix that makes fitted values of targets."""
    return features @ ridge_fit(features, np.eye(len(features)), ridge)


def excess_error(phi: Floats, y: Floats, psi: Floats, v: Floats, sides: Sides) -> float:
    """Squared bias on real rows of fits to synthetic folds, less that of fits to real folds.

    From products of the errors of independent fits, so that neither noise nor variance counts.
    """
    first = sides[0].folds[0]
    ridge = risk_path(phi[first], y[first], psi, v, [0]).ridges[0]
    squares = []
    for features, target, side, own in ((psi, v, sides[1], False), (phi, y, sides[0], True)):
        errors = []
        for fold in side.folds:
            error = y - phi @ ridge_fit(features[fold], target[fold], ridge)
            if own:
                error[fold] /= (1 - np.diag(hat_matrix(features[fold], ridge)))[:, None]
            errors.append(error)
        k, total = len(errors), np.sum(errors, axis=0)
        products = np.sum(total**2) - np.sum([np.sum(error**2) for error in errors])
        squares.append(products / (k * (k - 1) * len(y)))
    return float(squares[0] - squares[1])


def correlations(rows: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of every gap with the harm to every learner, and its 95 % interval."""
    names = [*GAPS, *PREDICTIONS]
    values = rows[[*names, *(f"harm {learner}" for learner in LEARNERS)]].to_numpy()
    datasets = rows["pair"].str.split("__").str[0].to_numpy()
    members = [np.flatnonzero(datasets == name) for name in np.unique(datasets)]
    rng = np.random.default_rng(0)

    def ranked(picked: Floats) -> Floats:
        return np.asarray(spearmanr(picked).statistic)[: len(names), len(names) :]

    drawn = [
        ranked(values[np.concatenate([members[i] for i in chosen])])
        for chosen in rng.integers(0, len(members), (BOOTSTRAPS, len(members)))
    ]
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=0)
    table = pd.DataFrame({"gap": names})
    for i, learner in enumerate(LEARNERS):
        table[learner] = ranked(values)[:, i]
        table[f"{learner} low"], table[f"{learner} high"] = low[:, i], high[:, i]
    return table


def harmed(judged: pd.DataFrame) -> pd.DataFrame:
    """Share of pairs that every synthetic row makes worse, by conditional gap."""
    rows = judged[judged["kind"] == "honest"]
    gaps = rows["conditional"].map(signed_root).rename("conditional gap")
    table = pd.DataFrame({f"harmed {name}": rows[f"harm {name}"] > 0 for name in LEARNERS})
    between = table.groupby(pd.cut(gaps, BORDERS), observed=False)
    return between.mean().round(2).assign(pairs=between.size())


if __name__ == "__main__":
    sys.exit(main())
