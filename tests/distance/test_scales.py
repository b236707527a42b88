"""What estimated scales add to the uncertainty, and units in which no side had more say."""

import numpy as np
import pandas as pd
import pytest
from measuring import measure

from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.scales import in_pooled_units, rescalings
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns


def frames(rng, rows):
    return pd.DataFrame(
        {
            "x": np.where(rng.random(rows) < 0.1, np.nan, rng.exponential(size=rows)),
            "c": rng.choice(["a", "b", "c"], rows),
            "v": list(rng.normal(size=(rows, 3))),
        }
    )


def test_a_rescaling_is_what_the_scale_would_be_without_the_block():
    rng = np.random.default_rng(0)
    real = frames(rng, 200)
    encoder = Encoder.fit(real, real)
    side, _ = draw_sides(200, 200, rng)
    points = encoder.transform(real, np.float32)
    factors = rescalings(encoder, points, side)
    block = np.empty(200, dtype=int)
    for fold, of_rows in zip(side.folds, side.blocks, strict=True):
        block[fold] = of_rows
    for b in range(side.n_blocks):
        left = real[block != b]
        again = Encoder.fit(left, left)
        for name in ("x", "v"):
            whole, without = (one.code(name).scale for one in (encoder, again))
            at = encoder.code(name).start
            assert factors[b, at] == pytest.approx((whole / without) ** 2, rel=1e-4)
    levels = encoder.code("c")
    assert np.all(factors[:, levels.start : levels.stop] == 1.0)
    assert np.all(factors[:, encoder.code("x").stop - 1] == 1.0)


@pytest.mark.parametrize("scaling", ["standard", "robust"])
def test_pooled_units_are_the_same_whichever_side_is_called_real(scaling):
    rng = np.random.default_rng(1)
    one, other = (
        pd.DataFrame({"x": rng.normal(0.0, scale, 150), "y": rng.normal(size=150)})
        for scale in (1.0, 4.0)
    )

    def spread(real, synthetic):
        encoder = Encoder.fit(real, synthetic, Columns(scaling=scaling))
        sides = [encoder.transform(side, np.float32) for side in (real, synthetic)]
        return [side.std(axis=0) for side in in_pooled_units(encoder, *sides)]

    there, back = spread(one, other), spread(other, one)
    np.testing.assert_allclose(there[0], back[1], rtol=1e-4)
    np.testing.assert_allclose(there[1], back[0], rtol=1e-4)


@pytest.mark.slow
def test_an_interval_in_units_that_are_estimated_covers_a_wide_gap():
    from scipy.stats import binom

    covered, simulations = 0, 150
    for seed in range(simulations):
        rng = np.random.default_rng(seed)
        real, synthetic = (pd.DataFrame({"x": rng.normal(size=n)}) for n in (150, 600))
        low, high = measure(real, synthetic + 2, permutations=39, seed=seed).interval
        covered += low <= 2 <= high
    assert covered >= binom.ppf(0.001, simulations, 0.93)
