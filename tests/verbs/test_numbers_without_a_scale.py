"""Numbers whose spread no float holds, or none at all: refused by name, never a raw traceback.

They came from fuzzed frames: an `IndexError` where a risk is infinite, a `LinAlgError` and a
`ValueError` where encoded points are not numbers.
"""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster import measure_distance, recommend_ratio
from synthmix_dagster.errors import DataError


def base(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pd.DataFrame({"x": x, "y": x + rng.normal(size=rows)})


def opposite(rows):
    """Of both signs, so far apart that their difference overflows."""
    return np.where(np.arange(rows) % 2, 1e308, -1e308)


def denormal(rows):
    return np.arange(rows) * 5e-324


def far(rows):
    return np.arange(rows) * 1e200


@pytest.mark.parametrize("rows", ["sample", "all"])
@pytest.mark.parametrize(("column", "scaling"), [(opposite, "robust"), (denormal, "rank")])
def test_points_that_are_not_numbers_are_refused_by_column(column, scaling, rows):
    real, synthetic = base(60, 1).assign(z=column(60)), base(80, 2).assign(z=column(80))
    options = {"directions": 5, "permutations": 0, "scaling": scaling, "rows": rows}
    with pytest.raises(DataError, match="standard deviations out") as caught:
        measure_distance(real, synthetic, **options, sample_rows=30)
    assert caught.value.column == "z"


@pytest.mark.parametrize("options", [{}, {"rule": "path"}, {"learner": "linear"}])
@pytest.mark.parametrize(
    ("name", "column"), [("y", far), ("y", opposite), ("x", far), ("x", opposite)]
)
def test_evaluation_rows_far_out_are_refused_by_column(name, column, options):
    judges = base(30, 3).assign(**{name: column(30)})
    asked = {"target": "y", "task": "regression", "evaluation": judges, **options}
    with pytest.raises(DataError, match="standard deviations out") as caught:
        recommend_ratio(base(60, 1), base(80, 2), **asked)
    assert (caught.value.dataset, caught.value.column) == ("evaluation", name)
