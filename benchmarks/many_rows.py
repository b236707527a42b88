"""Does the prior let go? With many rows the posterior has to agree with the rows at hand.

    python -m benchmarks.many_rows [--sizes 400 1600 6400 25600] [--json FILE]

Simulated real rows with ten columns, and generators that are perfect, biased in the labels so that
some rows help and many hurt, or worthless. For each: the largest difference between the posterior
curve and the path's own, in logarithms, the ratios that the two prefer, and by how much the path
thinks the posterior's choice worse than its own.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.evidence import bandwidth_paths
from synthmix_dagster.ratio.experience import shipped_experience
from synthmix_dagster.ratio.posterior_rule import candidate_counts, decide_by_posterior
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.threads import one_thread

COLUMNS = 10
#: Error of the synthetic labels: a function of the inputs, in standard deviations of the noise.
GENERATORS = {"perfect": 0.0, "slightly biased": 0.3, "biased": 1.0, "worthless": 4.0}
#: Synthetic rows at most, so that it fits into memory.
MOST = 110_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[400, 1_600, 6_400, 25_600])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    with one_thread():
        for n in options.sizes:
            for name, bias in GENERATORS.items():
                rows.append({"generator": name, "n": n, **compared(n, bias)})
                print(pd.DataFrame(rows[-1:]).round(4).to_string(header=len(rows) == 1), flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


def compared(n: int, bias: float) -> dict[str, Any]:
    """Posterior and path on one simulated pair."""
    real, made = simulated(n, 0.0, seed=0), simulated(min(16 * n, MOST), bias, seed=1)
    code = TargetCode.fit(real, "y", "regression")
    sample = EncodedSample.encode({"real": real, "synthetic": made}, code, Columns())
    kernel = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(0)
    )
    paths, _ = bandwidth_paths(sample, kernel, candidate_counts(n, sample.m))
    result = decide_by_posterior(paths, n, shipped_experience())
    path = np.array(result.effect.path_risks)
    chosen = result.decision.chosen
    return {
        "largest difference": float(np.abs(np.log(result.risks / path)).max()),
        "posterior": float(result.counts[chosen] / n),
        "path": result.effect.path_ratio,
        "path's excess there": float(path[chosen] / path.min() - 1),
    }


def simulated(rows: int, bias: float, *, seed: int) -> pd.DataFrame:
    """Rows whose labels are off by a smooth function of the inputs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, COLUMNS))
    y = np.sin(2 * x[:, 0]) + x[:, 1] + rng.normal(0, 0.5, rows) + 0.5 * bias * np.cos(x[:, 2])
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(COLUMNS)]).assign(y=y)


if __name__ == "__main__":
    sys.exit(main())
