"""Which test sees a bad generator first? Ours beside MMD and a classifier, on real pairs.

Every test sees the same n rows a side, drawn from a pair's real and synthetic pool, and rejects at
5 %. On the pairs named ``perfect`` both sides have one distribution: there it should reject in 5
of 100 cases.

MMD         Gaussian kernel, median heuristic, permutation test (Gretton et al., 2012), on the same
            encoded points
classifier  random forest trained on half of the rows, binomial test of its accuracy on the other
            half (Lopez-Paz and Oquab, 2017), on the same encoded points
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.pairs import kind
from benchmarks.simulation import repeated
from synthmix_dagster import SynthMixError
from synthmix_dagster.distance.measure import measure
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns

Floats = NDArray[np.float64]
LEVEL = 0.05
PERMUTATIONS = 199


def power(folders: list[Path], sizes: list[int], repetitions: int) -> list[dict[str, Any]]:
    """Share of rejections of every test, by pair and rows."""
    rows = []
    for folder in folders:
        for n in sizes:
            try:
                found = np.array(repeated(_p_values, repetitions, folder=folder, n=n))
            except SynthMixError as error:
                print(f"{folder.name}, n={n}: refused. {error}")
                continue
            shares = np.mean(found <= LEVEL + 1e-9, axis=0)
            rows.append(
                {
                    "pair": folder.name,
                    "kind": "equal" if folder.name.endswith("__perfect") else kind(folder.name),
                    "n": n,
                    **dict(zip(("synthmix", "MMD", "classifier"), map(float, shares), strict=True)),
                }
            )
    return rows


def _p_values(seed: int, *, folder: Path, n: int) -> tuple[float, float, float]:
    meta = json.loads((folder / "meta.json").read_text())
    rng = np.random.default_rng(seed)
    pools = [pd.read_parquet(folder / f"{name}.parquet") for name in ("real_train", "synthetic")]
    real, synthetic = (pool.iloc[rng.permutation(len(pool))[:n]] for pool in pools)
    categorical = meta["categorical"]
    if meta["task"] == "classification":
        categorical = [*categorical, meta["target"]]
    report = measure(
        real,
        synthetic,
        columns=Columns(categorical=categorical),
        options=DistanceOptions(permutations=PERMUTATIONS, seed=seed),
    )
    encoder = Encoder.fit(real, synthetic, Columns(categorical=categorical))
    points = encoder.transform(real), encoder.transform(synthetic)
    assert report.p_value is not None
    return report.p_value, _mmd(*points, rng), _classifier(*points, rng)


def _mmd(real: Floats, synthetic: Floats, rng: np.random.Generator) -> float:
    from scipy.spatial.distance import pdist, squareform

    pooled = np.concatenate((real, synthetic))
    apart = pdist(pooled, "sqeuclidean")
    kernel = squareform(np.exp(-apart / np.median(apart[apart > 0])))
    n = len(real)
    # The sum within both sides minus that across, for equal sizes; the diagonal is zero.
    signs = np.ones((len(pooled), 1 + PERMUTATIONS))
    for b in range(1 + PERMUTATIONS):
        order = np.arange(len(pooled)) if b == 0 else rng.permutation(len(pooled))
        signs[order[n:], b] = -1
    statistics = np.einsum("ib,ib->b", signs, kernel @ signs)
    return float(np.mean(statistics >= statistics[0] * (1 - 1e-9)))


def _classifier(real: Floats, synthetic: Floats, rng: np.random.Generator) -> float:
    from scipy.stats import binomtest
    from sklearn.ensemble import RandomForestClassifier

    points = np.concatenate((real, synthetic))
    labels = np.arange(len(points)) < len(real)
    order = rng.permutation(len(points))
    learn, judge = np.array_split(order, 2)
    forest = RandomForestClassifier(100, random_state=0).fit(points[learn], labels[learn])
    right = int(np.sum(forest.predict(points[judge]) == labels[judge]))
    return float(binomtest(right, len(judge), 0.5, alternative="greater").pvalue)
