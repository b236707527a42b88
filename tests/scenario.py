"""Small, named datasets and mixes that the tests share."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from synthmix_dagster import DistanceReport

#: The settings of a mix that cannot do without.
MINIMAL: dict[str, Any] = {
    "name": "demo",
    "real": {"path": "real.parquet"},
    "synthetic": {"path": "synthetic.parquet"},
    "target": "y",
    "task": "regression",
    "threshold": 0.5,
    "output_root": "mixes",
}


def rows(n: int, seed: int, *, shift: float = 0.0, shuffled_target: bool = False) -> pd.DataFrame:
    """A learnable regression: numbers, a category, missing values, and a target."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.normal(size=n)
    kind = rng.choice(["a", "b", "c"], size=n, p=[0.5, 0.3, 0.2])
    y = np.sin(2 * x) + 0.5 * z + (kind == "a") + rng.normal(0, 0.4, size=n)
    frame = pd.DataFrame({"x": x + shift, "z": z, "kind": kind, "y": y})
    frame.loc[rng.random(n) < 0.05, "z"] = np.nan
    if shuffled_target:
        frame["y"] = rng.permutation(frame["y"].to_numpy())
    return frame


def table(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """A column of every kind: two numbers that go together, a category and a flag."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.0, n)
    return pd.DataFrame(
        {
            "x": x,
            "y": 2 * x + rng.normal(size=n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "on": rng.random(n) < 0.4,
        }
    )


def gaps(report: DistanceReport) -> dict[str, float]:
    """Gap of every column."""
    return {column.column: column.gap for column in report.columns}


def good(n: int = 400) -> pd.DataFrame:
    """Synthetic rows from the real distribution."""
    return rows(n, seed=1)


def bad(n: int = 400) -> pd.DataFrame:
    """Synthetic rows three standard deviations away."""
    return rows(n, seed=1, shift=3.0)


def write_inputs(folder: Path, *, synthetic: pd.DataFrame | None = None) -> dict[str, Any]:
    """Write both datasets as Parquet and return the options of a mix over them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows(100, seed=0).to_parquet(folder / "real.parquet")
    (good() if synthetic is None else synthetic).to_parquet(folder / "synthetic.parquet")
    return {
        "name": "demo",
        "real": {"path": str(folder / "real.parquet")},
        "synthetic": {"path": str(folder / "synthetic.parquet")},
        "target": "y",
        "task": "regression",
        "threshold": 0.5,
        "output_root": str(folder / "mixes"),
        "permutations": 19,
        "directions": 20,
    }
