"""Folders of real (dataset, generator) pairs with the true error at every ratio.

Each folder holds ``real_train.parquet``, ``synthetic.parquet``, ``meta.json`` (target, task,
categorical columns, generator) and ``oracle.json``: for every run (n real rows, seed) the test
error of two learners at each of ``ratios``, null where there were too few rows.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEARNERS = ("krr", "hgb")
#: Kind of the generators that were fitted on the real rows of the pair themselves.
FITTED = "fitted on the real rows"


@dataclass(frozen=True)
class Run:
    """The rows of one run, and the error that each ratio led to."""

    pair: str
    seed: int
    target: str
    task: str
    categorical: list[str]
    ratios: NDArray[np.float64]
    errors: dict[str, NDArray[np.float64]]
    real: pd.DataFrame
    synthetic: pd.DataFrame

    @property
    def n(self) -> int:
        return len(self.real)

    def error_at(self, learner: str, ratio: float) -> float:
        """Error at any ratio, linear between grid points in ``log(ratio + 0.05)``."""
        curve = self.errors[learner]
        known = np.isfinite(curve)
        at = np.log(np.clip(ratio, 0, self.ratios[known][-1]) + 0.05)
        return float(np.interp(at, np.log(self.ratios[known] + 0.05), curve[known]))


def runs(folder: Path) -> Iterator[Run]:
    """Every run of one pair."""
    meta = json.loads((folder / "meta.json").read_text())
    oracle = json.loads((folder / "oracle.json").read_text())
    train = pd.read_parquet(folder / "real_train.parquet")
    pool = pd.read_parquet(folder / "synthetic.parquet")
    for run in oracle["runs"]:
        n, seed = run["n"], run["seed"]
        if meta.get("blocks"):
            block = meta["blocks"][seed]
            real = train.iloc[slice(*block["real_rows"])]
            synthetic = pool.iloc[slice(*block["syn_rows"])]
        else:
            rng = np.random.default_rng(seed)
            real = train.iloc[rng.permutation(len(train))[:n]]
            synthetic = pool.iloc[rng.permutation(len(pool))[: 16 * n]]
        yield Run(
            pair=folder.name,
            seed=seed,
            target=meta["target"],
            task=meta["task"],
            categorical=meta["categorical"],
            ratios=np.array(oracle["ratios"], dtype=float),
            errors={name: np.array(run[name], dtype=float) for name in LEARNERS},
            real=real.reset_index(drop=True),
            synthetic=synthetic.reset_index(drop=True),
        )


def regime(curve: NDArray[np.float64]) -> str:
    """``hurts``, ``more`` or ``interior``, by the seed-averaged curve of the kernel learner."""
    known = np.flatnonzero(np.isfinite(curve))
    best = float(np.nanmin(curve))
    if curve[0] <= 1.01 * best:
        return "hurts"
    return "more" if int(np.nanargmin(curve)) == known[-1] else "interior"


def kind(pair: str) -> str:
    """Honest generators, those fitted on the real rows, and constructed label biases."""
    if pair.endswith("_fitreal"):
        return FITTED
    return "label bias dialled in" if "__dial" in pair else "honest"
