"""Does the recommended ratio beat both none and all? On the demo's digits, for several splits.

    python -m benchmarks.interior [--seeds 5]

Every seed is another split of the images into labelled ones, those of the generator, and held out.
The recommendation sees the first and the generated rows. Afterwards the example's learner is
trained on each mix and judged on the held-out digits: errors are mean Brier scores, and
differences to the recommended mix have the standard error over held-out digits.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from example_repo.digits import COLUMNS, GENERATED, LABELLED, TARGET, split
from example_repo.generators import SmoteGenerator
from example_repo.learner import losses
from synthmix_dagster import recommend_ratio

RATIOS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Judged:
    """One split.

    Attributes
    ----------
    ratio : float
        Recommended.
    losses : mapping of float to ndarray
        Brier score of every held-out digit after training at each ratio.
    """

    ratio: float
    losses: Mapping[float, np.ndarray]

    def error(self, ratio: float) -> float:
        return float(self.losses[ratio].mean())

    def worse(self, ratio: float) -> float:
        """By how many standard errors this ratio is worse than the recommended one."""
        more = self.losses[ratio] - self.losses[self.ratio]
        return float(more.mean() / (more.std(ddof=1) / np.sqrt(len(more))))


def judged(seed: int, ratios: tuple[float, ...] = RATIOS) -> Judged:
    """Recommend, then train at the recommended ratio and at `ratios`."""
    labelled, for_generator, held_out = split(seed)
    real = labelled[COLUMNS]
    generated = SmoteGenerator(TARGET, seed).fit(for_generator[COLUMNS]).sample(GENERATED)
    ratio = recommend_ratio(real, generated, target=TARGET, task="classification").ratio
    return Judged(
        ratio,
        {
            at: losses(pd.concat([real, generated.iloc[: round(at * LABELLED)]]), held_out)
            for at in sorted({*ratios, ratio})
        },
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    print("seed  ratio   error   none is worse by     all is worse by     at " + str(RATIOS))
    for seed in range(seeds):
        found = judged(seed)
        best = found.error(found.ratio)
        beside = (
            f"{found.error(at) / best - 1:+6.1%} ({found.worse(at):4.1f} s.e.)" for at in (0.0, 8.0)
        )
        curve = " ".join(f"{found.error(at):.3f}" for at in RATIOS)
        print(
            f"{seed:4}  {found.ratio:5.2f}   {best:.3f}   {'   '.join(beside)}   {curve}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
