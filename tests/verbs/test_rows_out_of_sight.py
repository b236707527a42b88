"""Rows placed by somebody who knows the code and the seed: out of the sample, or into the release.

The identity of a row of a file is its name and number, so its priority under the configured seed is
known before the rows are.
"""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster import measure_distance, mix
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.priority import sample_positions
from synthmix_dagster.distance.folds import draw_cuts
from synthmix_dagster.errors import GateError
from synthmix_dagster.seeds import rng_of

ROWS, SAMPLE = 6_000, 400
QUICK = {"permutations": 0, "directions": 20, "target": "y", "sample_rows": SAMPLE}


def draw(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pd.DataFrame(
        {"x": x, "y": x + rng.normal(0, 0.3, rows), "kind": rng.choice(["a"], rows)}
    )


def placed(path, first, rest, seed=0):
    """Write rows so that `first` are those of lowest priority under a seed, in a file of a name."""
    frame = pd.concat([first, rest], ignore_index=True)
    frame.to_parquet(path)
    order = sample_positions(open_dataset(path, "synthetic"), len(frame), seed)
    moved = np.empty(len(frame), dtype=int)
    moved[order] = np.arange(len(frame))
    frame.iloc[moved].to_parquet(path)
    return path


@pytest.fixture(scope="module")
def real():
    return draw(2_000, 1)


@pytest.fixture(scope="module")
def garbage():
    return draw(ROWS, 2).assign(x=lambda frame: frame.x + 4)


def test_garbage_where_the_public_order_does_not_look_is_measured(real, garbage, tmp_path):
    path = placed(tmp_path / "rows.parquet", draw(SAMPLE, 3), garbage[SAMPLE:])
    report = measure_distance(real, path, **QUICK)
    assert report.gap > 2
    with pytest.raises(GateError, match="wasserstein_gap"):
        mix(real, path, ratio=1, output=tmp_path / "mix", distance=report, threshold=0.3)


def test_folds_of_one_side_cannot_be_made_to_differ(tmp_path):
    # What two folds of one side show is subtracted as chance, so that rows moved up in one fold and
    # down in the other would make a gap of 0.23 look like none.
    rows = 10_000
    real, side, path = draw(rows, 1), draw(rows, 3), tmp_path / "rows.parquet"
    side.to_parquet(path)
    order = sample_positions(open_dataset(path, "synthetic"), rows, 0)
    up = np.zeros(rows)
    for _, cut in draw_cuts(rows, rows, rng_of(0, "distance folds")):
        up[order[cut.folds[0]]] += 1
        up[order[cut.folds[1]]] -= 1
    side.assign(x=side.x + np.sign(up)).to_parquet(path)
    assert measure_distance(real, path, permutations=0, directions=20).gap > 0.15


@pytest.mark.parametrize("seed", [0, 5])
def test_garbage_placed_where_the_selection_takes_it_is_refused(real, garbage, tmp_path, seed):
    # One row in twelve is garbage, which a gap of all rows hardly shows, and all of it is taken.
    path = placed(tmp_path / "rows.parquet", garbage[:500], draw(ROWS - 500, 4), seed)
    report = measure_distance(real, path, **QUICK)
    options = {"ratio": 0.25, "seed": seed, "distance": report, "threshold": 2.0}
    with pytest.raises(GateError, match=r"released_rows.* of the released rows are ") as found:
        mix(real, path, output=tmp_path / "mix", **options)
    assert "500 synthetic rows to be released" in str(found.value)
    assert not (tmp_path / "mix" / "latest").exists()
    # Another seed takes rows like those that were measured.
    made = mix(real, path, output=tmp_path / "mix", **{**options, "seed": seed + 1})
    assert made.manifest["evidence"]["checks"]["released_rows"]["passed"]


def test_wrong_labels_placed_where_the_selection_takes_them_are_refused(real, tmp_path):
    first = draw(500, 5)
    wrong = first.assign(y=first.y.sample(frac=1, random_state=0).to_numpy())
    path = placed(tmp_path / "rows.parquet", wrong, draw(ROWS - 500, 4))
    report = measure_distance(real, path, **QUICK)
    with pytest.raises(GateError, match="beside"):
        mix(real, path, ratio=0.25, output=tmp_path / "mix", distance=report, threshold=2.0)


def test_an_infinite_value_outside_the_sample_is_refused_when_it_is_to_be_released(real, tmp_path):
    rows = draw(ROWS, 6)
    for row in range(5):
        wild = rows.assign(x=rows.x.where(rows.index != row, np.inf))
        try:
            report = measure_distance(real, wild, **QUICK)
        except Exception:  # this one was drawn
            continue
        with pytest.raises(GateError, match="1 infinite values in 'x'"):
            mix(real, wild, ratio=3, output=tmp_path / "mix", distance=report, threshold=2.0)
        return
    raise AssertionError("every row was drawn")
