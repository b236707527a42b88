"""Numbers that lie far out and close together: told apart before they are rounded."""

import numpy as np
import pandas as pd
import pytest
from measuring import measure

OPTIONS = {"permutations": 19, "directions": 10}


@pytest.mark.parametrize("offset", [1e6, 1e13, -1e13])
@pytest.mark.parametrize("scaling", ["standard", "robust", "rank"])
def test_an_offset_hides_no_shift(offset, scaling):
    rng = np.random.default_rng(0)
    real, good, bad = (
        pd.DataFrame({"x": offset + shift + rng.normal(size=200)}) for shift in (0, 0, 9)
    )
    assert measure(real, good, scaling=scaling, **OPTIONS).gap < 0.3
    assert measure(real, bad, scaling=scaling, **OPTIONS).gap > (1.5 if scaling == "rank" else 8)


def test_an_offset_changes_nothing():
    rng = np.random.default_rng(0)
    # Multiples of 1/256, so that nothing is rounded at either place.
    sides = [pd.DataFrame({"x": np.round(256 * rng.normal(size=150)) / 256}) for _ in range(2)]
    near, far = (
        measure(*(side + offset for side in sides), **OPTIONS) for offset in (0.0, 2.0**43)
    )
    assert far.gap == pytest.approx(near.gap, abs=1e-5)
    assert far.p_value == near.p_value


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64"])
def test_big_integers_are_told_apart(dtype):
    rng = np.random.default_rng(0)
    real, good, bad = (
        pd.DataFrame({"id": pd.array(2**62 + shift + rng.integers(0, 1000, 200), dtype=dtype)})
        for shift in (0, 0, 3000)
    )
    assert abs(measure(real, good, **OPTIONS).gap) < 0.3
    assert measure(real, bad, **OPTIONS).gap > 8


def test_a_constant_big_integer_is_another_than_its_neighbour():
    same = pd.DataFrame({"id": [2**62] * 50, "x": range(50)})
    other = same.assign(id=2**62 + 1)
    assert "dropped, constant in real: id" in measure(same, same, **OPTIONS).notes
    assert measure(same, other, **OPTIONS).gap > 0.9


def test_every_row_is_counted_from_the_same_origin():
    rng = np.random.default_rng(0)
    real, bad = (pd.DataFrame({"x": 1e13 + shift + rng.normal(size=300)}) for shift in (0, 4))
    frames = tuple(lambda frame=frame: iter([frame[:100], frame[100:]]) for frame in (real, bad))
    report = measure(real, bad, rows="all", every_row=frames, **OPTIONS)
    assert report.gap == pytest.approx(4, abs=0.4)
