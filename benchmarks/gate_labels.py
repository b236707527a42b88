"""What sees wrong labels of a rare class: `python -m benchmarks.gate_labels`.

1,000 real and 3,000 synthetic rows, three classes that inputs tell apart, one of 3 %.
"""

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd

from synthmix_dagster import measure_distance

NAMES = np.array(["a", "b", "rare"])
SHARE = 0.03


def drawn(rows: int, seed: tuple[int, ...], wrong: str, share: float) -> pd.DataFrame:
    """Rows of which a share of the rare class have a wrong label."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, rows, p=[0.45, 0.55 - SHARE, SHARE])
    x = rng.normal(size=(rows, 5))
    x[:, 0] += 3 * (labels == 2)
    x[:, 1] += 1.5 * (labels == 0)
    rare = np.flatnonzero(labels == 2)
    moved = rng.permutation(rare)[: round(share * len(rare))]
    if wrong == "flipped":
        labels[moved] = 1
    if wrong == "swapped":
        others = rng.choice(np.flatnonzero(labels != 2), len(moved), replace=False)
        labels[moved], labels[others] = labels[others], 2
    return pd.DataFrame(x, columns=list("uvwxz")).assign(y=NAMES[labels])


def measured(draws: int) -> Iterator[str]:
    """One line a kind of wrong labels, as a table in Markdown."""
    yield "| labels of the class | conditional gap | class gap | kept | at least moved | accuracy |"
    yield "|---|---|---|---|---|---|"
    for wrong, share in (
        ("none", 0.0),
        ("flipped", 1.0),
        ("swapped", 1.0),
        ("flipped", 0.5),
        ("swapped", 0.5),
        ("flipped", 0.25),
    ):
        found = []
        for draw in range(draws):
            report = measure_distance(
                drawn(1_000, (draw, 1), "none", 0.0),
                drawn(3_000, (draw, 2), wrong, share),
                target="y",
                task="classification",
                permutations=9,
                directions=20,
                classifier=True,
            )
            (rare,) = (each for each in report.classes if each.name == "rare")
            assert report.classifier is not None
            found.append(
                (
                    report.conditional_gap,
                    rare.gap,
                    rare.kept,
                    rare.moved(),
                    report.classifier.accuracy,
                )
            )
        columns = np.array(found, dtype=float).T
        cells = [f"{c.mean():.2f} ({c.min():.2f} to {c.max():.2f})" for c in columns]
        yield f"| {share:.0%} {wrong} | {' | '.join(cells)} |"


if __name__ == "__main__":
    for line in measured(int(sys.argv[1]) if len(sys.argv) > 1 else 8):
        print(line, flush=True)
