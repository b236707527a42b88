"""Random streams by name."""

import numpy as np
import pytest

from synthmix_dagster.seeds import rng_of


def first(seed, name):
    return rng_of(seed, name).integers(2**62, size=4).tolist()


def test_a_stream_depends_on_the_seed_and_on_its_name_alone():
    names = ["landmarks", "refits", "memorisation", "cross-fitting", "distance folds"]
    drawn = [first(seed, name) for seed in (0, 1) for name in names]
    assert len({tuple(numbers) for numbers in drawn}) == len(drawn)
    assert first(0, "refits") == first(0, "refits")


@pytest.mark.parametrize(
    ("room", "names"),
    [
        (
            "distance",
            ["rows", "directions", "folds", "relabellings", "worst directions", "target"],
        ),
        ("drift", ["directions", "folds", "blocks"]),
    ],
)
def test_what_thresholds_and_stored_scores_were_drawn_with_stays(room, names):
    for name, child in zip(names, np.random.SeedSequence(7).spawn(len(names)), strict=True):
        expected = np.random.default_rng(child).integers(2**62, size=4).tolist()
        assert first(7, f"{room} {name}") == expected
