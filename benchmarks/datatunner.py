"""What DataTunner recommends on real pairs, beside synthmix; a part of `benchmarks.ratio`.

DataTunner (``pip install datatunner``; its releases ask for pandas below 3, so this is best run in
an environment of its own) splits the real rows into train, validation and test, trains the model
again for every fraction and repetition, and takes the cheapest fraction whose confidence interval
meets that of the best one (alpha*), or the best one (alpha**). It has generators of its own; here
it is given the rows of the pair instead.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.pairs import Run
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.learners import tree_inputs
from synthmix_dagster.ratio.refits import gradient_boosting
from synthmix_dagster.ratio.sample import EncodedSample

TARGET = "target"
#: Fractions and repetitions: 9 and 5, so that it trains 45 times, as five folds of nine ratios do.
BUDGET, REPETITIONS = 9, 5


class Pool:
    """The synthetic rows of a pair in the place of a generator."""

    name = "pool"

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows

    def fit(self, train: pd.DataFrame, seed: int) -> None:
        """Nothing to learn: the rows are there."""

    def sample(self, count: int, seed: int) -> pd.DataFrame:
        return self.rows.sample(count, random_state=seed).reset_index(drop=True)


def ratios(run: Run) -> dict[str, float]:
    """Synthetic rows per real row that alpha* and alpha** stand for, boosting being the model."""
    from datatunner import DataTunnerTabular
    from datatunner.core.config import AlphaSpec, ExperimentConfig, MetricSpec

    frames = {"real": run.real, "synthetic": run.synthetic}
    code = TargetCode.fit(run.real, run.target, run.task)
    sample = EncodedSample.encode(frames, code, Columns(categorical=run.categorical))
    arrays, categorical = tree_inputs(sample)
    tables = {
        side: pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])]).assign(
            **{TARGET: _target(sample, side)}
        )
        for side, array in arrays.items()
    }
    regression = run.task == "regression"
    # Of n real rows it trains on three fifths, and cannot draw more rows than there are.
    trained = math.floor(0.6 * run.n) - 1
    highest = min(16.0, len(run.synthetic) / trained)
    report = DataTunnerTabular(
        ExperimentConfig(
            task_type=run.task,
            data_type="tabular",
            metric=MetricSpec("rmse", "minimize")
            if regression
            else MetricSpec("accuracy", "maximize"),
            alpha=AlphaSpec(0.0, highest / (1 + highest) - 1e-6),
            target_column=TARGET,
            positive_class=None if regression else 1,
            repetitions=REPETITIONS,
            search_budget=BUDGET,
            base_seed=run.seed,
        )
    ).run(
        tables["real"],
        lambda: gradient_boosting(run.task, categorical),
        Pool(tables["synthetic"]),
    )
    alphas: dict[str, Any] = {
        "datatunner_star": report.selected.requested_alpha,
        "datatunner_best": report.alpha_star_star.requested_alpha,
    }
    return {name: alpha / (1 - alpha) for name, alpha in alphas.items()}


def _target(sample: EncodedSample, side: str) -> np.ndarray:
    encoded = sample.targets[side]
    return encoded[:, 0] if sample.code.task == "regression" else encoded.argmax(axis=1)
