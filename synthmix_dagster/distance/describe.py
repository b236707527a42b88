"""From coordinates back to the columns of the user."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthmix_dagster.distance.differences import Difference, differences
from synthmix_dagster.distance.estimate import Points, cut_estimate, signed_root
from synthmix_dagster.distance.report import ColumnGap, WorstDirection
from synthmix_dagster.distance.wasserstein import Floats
from synthmix_dagster.distance.worst import Direction
from synthmix_dagster.encoding.encoder import Encoder

#: Columns whose statistics are compared.
WORST_COLUMNS = 5
#: A direction names the columns that have at least this share of it.
MIN_SHARE = 0.05


def column_gaps(
    encoder: Encoder,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    points: Points,
    parts: Floats,
    p: int,
) -> tuple[ColumnGap, ...]:
    """Sum the coordinates of each column: its part of the whole, and its gap by itself.

    Parameters
    ----------
    encoder : Encoder
    real, synthetic : DataFrame
    points : Points
        The same rows, encoded.
    parts : ndarray of shape (d,)
    p : {1, 2}
    """
    axes = np.eye(encoder.dimension)
    own = cut_estimate(points, axes, p).squares
    gaps = [
        ColumnGap(
            column=code.column,
            part=float(np.sum(parts[code.start : code.stop])),
            # A weight says how much a column counts, not how far it is away.
            gap=signed_root(float(np.sum(own[code.start : code.stop])) / code.weight),
            real_missing=float(real[code.column].isna().mean()),
            synthetic_missing=float(synthetic[code.column].isna().mean()),
            unseen=code.unseen,
            clipped=code.clipped,
        )
        for code in encoder.codes
    ]
    return tuple(sorted(gaps, key=lambda column: -column.part))


def named_directions(
    encoder: Encoder, directions: Sequence[Direction]
) -> tuple[WorstDirection, ...]:
    """Say which columns a direction leans on."""
    named = []
    for direction in directions:
        shares = {
            code.column: float(np.sum(direction.vector[code.start : code.stop] ** 2))
            for code in encoder.codes
        }
        leaning = sorted(shares.items(), key=lambda item: -item[1])
        columns = [(name, share) for name, share in leaning if share >= MIN_SHARE]
        named.append(WorstDirection(signed_root(direction.square), tuple(columns or leaning[:1])))
    return tuple(named)


def worst_differences(
    encoder: Encoder,
    columns: Sequence[ColumnGap],
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
) -> tuple[Difference, ...]:
    """Compare the statistics of the columns with the largest parts."""
    codes = {code.column: code for code in encoder.codes}
    worst = [codes[gap.column] for gap in columns[:WORST_COLUMNS]]
    return tuple(
        row
        for code in worst
        for row in differences(code, real[code.column], synthetic[code.column])
    )
