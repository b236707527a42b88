"""What every page may take for granted: customers, in frames and in files."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

#: Prefix of URIs that a folder stands for.
BUCKET = "s3://lake/"


def customers(rows: int, seed: int, *, wrong: bool = False) -> pd.DataFrame:
    """Customers of whom it is known whether they cancelled."""
    rng = np.random.default_rng(seed)
    age, income = rng.integers(18, 80, rows), rng.normal(40, 12, rows).round(1)
    country = rng.choice(["FR", "DE", "IT"], rows)
    score = (age - 48) / 8 - (income - 40) / 8 + (country == "FR")
    churned = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    columns = {"age": age, "income": income, "country": country}
    return pd.DataFrame({**columns, "churned": np.roll(churned, 1) if wrong else churned})


def with_bucket(folder: Path, original: Any) -> Any:
    """Let a folder stand for the bucket ``s3://lake``; nothing is looked for elsewhere."""

    def resolve(source: Any, dataset: str) -> Any:
        text = str(source)
        assert "://" not in text or text.startswith(BUCKET), f"no stand-in for {text}"
        return original(text.replace(BUCKET, f"{folder}/lake/"), dataset)

    return resolve


def build(folder: Path) -> dict[str, Any]:
    """Write the files and return the names that are defined."""
    real, synthetic = customers(200, seed=0), customers(1_000, seed=1)
    for name, frame in (("real", real), ("generated", synthetic)):
        (folder / "data" / name).mkdir(parents=True)
        frame.to_parquet(folder / "data" / name / "part-0.parquet")
        frame.to_parquet(folder / f"{name}.parquet")
    for name, frame in (("customers", real), ("generated", synthetic)):
        (folder / "lake" / name).mkdir(parents=True)
        more = {"label": frame["churned"], "year": 2024}
        frame.assign(**more).to_parquet(folder / "lake" / name / "part-0.parquet")
    return {"real": real, "synthetic": synthetic, "dg": dg}
