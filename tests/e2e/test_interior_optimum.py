"""The demo's claim: the recommended ratio beats both none and all, whatever the split."""

import pytest

from benchmarks.interior import judged
from example_repo.digits import COLUMNS, FOR_GENERATOR, LABELLED, TARGET, split
from example_repo.generators import SmoteGenerator


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_recommended_ratio_beats_none_and_all(seed: int) -> None:
    found = judged(seed, ratios=(0.0, 8.0))
    assert 0.0 < found.ratio < 8.0
    assert found.error(0.0) > 1.04 * found.error(found.ratio)
    assert found.error(8.0) > 1.1 * found.error(found.ratio)
    assert min(found.worse(0.0), found.worse(8.0)) > 3.0


def test_labelled_and_held_out_digits_and_those_of_the_generator_are_disjoint() -> None:
    labelled, for_generator, held_out = split()
    assert len(labelled) == LABELLED
    assert len(for_generator) == FOR_GENERATOR
    images = [*labelled["image"], *for_generator["image"], *held_out["image"]]
    assert sorted(images) == list(range(1797))


def test_the_generator_makes_new_rows_of_every_class() -> None:
    rows = split()[1][COLUMNS]
    made = SmoteGenerator(TARGET).fit(rows).sample(95)
    assert len(made) == 95
    assert list(made.columns) == COLUMNS
    assert set(made[TARGET]) == set(range(10))
    both = made.merge(rows, on=COLUMNS[:-1])
    assert both.empty  # between two rows, not one of them
