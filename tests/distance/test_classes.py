"""The shift of one class: none where there is none, and rare classes that a mean would hide."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from measuring import measure

from synthmix_dagster import DistanceReport
from synthmix_dagster.distance.classes import MIN_CLASS_ROWS, class_shifts
from synthmix_dagster.distance.folds import draw_sides

NAMES = ("a", "b", "rare")


def sample(n, *seed, wrong=None):
    """Three classes that inputs tell apart, one of 5 %; its labels may be wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.45, 0.5, 0.05])
    x = rng.normal(size=(n, 3))
    x[:, 0] += 3 * (labels == 2)
    x[:, 1] += 1.5 * (labels == 0)
    rare = np.flatnonzero(labels == 2)
    others = rng.choice(np.flatnonzero(labels != 2), len(rare), replace=False)
    if wrong == "flipped":
        labels[rare] = 0
    elif wrong == "swapped":
        labels[rare], labels[others] = labels[others], 2
    return x, labels


def shifts(real, synthetic, names=NAMES, seed=0):
    sides = draw_sides(len(real[0]), len(synthetic[0]), np.random.default_rng(seed))
    return class_shifts(*real, *synthetic, names, sides, np.random.default_rng(seed))


@pytest.mark.slow
def test_without_a_shift_the_mean_square_of_a_class_is_zero():
    found = [
        {
            shift.name: shift
            for shift in shifts(sample(800, seed, 1), sample(800, seed, 2), seed=seed)
        }
        for seed in range(6)
    ]
    for name in NAMES:
        gaps = np.array([each[name].gap for each in found])
        squares = np.sign(gaps) * gaps**2
        assert abs(np.mean(squares)) < 4 * np.std(squares, ddof=1) / np.sqrt(len(squares)) + 1e-3
    assert np.mean([s.interval[0] <= 0 <= s.interval[1] for e in found for s in e.values()]) > 0.8


def test_other_inputs_are_no_shift_of_a_class():
    x, labels = sample(3000, 2)
    # Rows are kept or dropped by their inputs alone, so that labels given the inputs stay.
    kept = np.random.default_rng(3).random(len(x)) < 1 / (1 + np.exp(-2 * x[:, 1]))
    for shift in shifts(sample(1000, 1), (x[kept], labels[kept])):
        assert abs(shift.gap) < 0.12


@pytest.mark.parametrize("wrong", ["flipped", pytest.param("swapped", marks=pytest.mark.slow)])
def test_wrong_labels_of_a_rare_class_show_in_that_class(wrong):
    worst, *others = shifts(sample(1000, 1), sample(2000, 2, wrong=wrong))
    assert worst.name == "rare"
    assert worst.gap > 0.2
    assert worst.interval[0] > 0.1
    assert all(shift.gap < worst.gap for shift in others)


def test_of_two_classes_one_is_compared_as_what_leaves_it_enters_the_other():
    def two(sample):
        x, labels = sample
        return x, (labels == 2).astype(np.int64)

    (only,) = shifts(two(sample(800, 1)), two(sample(800, 2)), ("other", "rare"))
    assert only.name == "rare"
    # With a third label on one side that is not so.
    x, labels = two(sample(800, 2))
    labels[:100] = -1
    assert len(shifts(two(sample(800, 1)), (x, labels), ("other", "rare"))) == 2


def test_intervals_of_several_classes_are_wider_than_that_of_one():
    real, synthetic = sample(800, 1), sample(800, 2)
    together = {shift.name: shift for shift in shifts(real, synthetic)}["rare"]
    for side in (real, synthetic):
        side[1][side[1] < 2] = 0
        side[1][side[1] == 2] = 1
    (alone,) = shifts(real, synthetic, ("other", "rare"))
    assert together.gap == pytest.approx(alone.gap, abs=1e-9)
    assert np.ptp(together.interval) > np.ptp(alone.interval)


def frame(n, *seed, wrong=None):
    x, labels = sample(n, *seed, wrong=wrong)
    return pd.DataFrame(x, columns=list("uvw")).assign(y=np.array(NAMES)[labels])


@pytest.fixture(scope="module")
def report():
    synthetic = frame(1500, 2, wrong="swapped")
    return measure(frame(1000, 1), synthetic, target="y", permutations=9, directions=20)


def test_a_report_names_the_worst_class_that_the_mean_hides(report):
    assert report.worst_class.name == "rare"
    assert report.worst_class.gap > 0.2 > 0.15 > report.conditional_gap
    assert "worst class rare: 0." in repr(report)
    assert "class gap of rare" in report._repr_html_()


def test_it_comes_back_from_json_and_reports_without_it_do_too(report):
    import json

    values = json.loads(json.dumps(report.to_dict()))
    assert DistanceReport.from_dict(values) == report
    for name in ("classes", "classifier", "distinct_share"):
        values.pop(name)
    earlier = replace(report, classes=(), classifier=None, distinct_share=None)
    assert DistanceReport.from_dict(values) == earlier
    assert earlier.worst_class is None


def test_classes_are_not_compared_for_numbers_or_without_permutations():
    real, synthetic = frame(200, 1), frame(200, 2)
    options = {"directions": 5, "permutations": 9}
    assert not measure(real, synthetic, target="u", **options).classes
    assert not measure(real, synthetic, **options).classes
    assert not measure(real, synthetic, target="y", directions=5, permutations=0).classes


def test_a_class_of_too_few_rows_is_named():
    real = frame(200, 1)
    assert 0 < (real["y"] == "rare").sum() < MIN_CLASS_ROWS
    report = measure(real, frame(200, 2), target="y", directions=5, permutations=9)
    assert {shift.name for shift in report.classes} == {"a", "b"}
    assert any("fewer than 20 real rows: rare" in note for note in report.notes)


def half_flipped(n, seed):
    """Half of the rare class carry a common label."""
    x, labels = sample(n, seed)
    rare = np.flatnonzero(labels == 2)
    labels[rare[::2]] = 1
    return x, labels


def test_half_of_a_rare_class_flipped_shows_in_the_labels_that_it_kept():
    found = {s.name: s for s in shifts(sample(1000, 1), half_flipped(2000, 2))}
    # This is what the gap of the class does not tell from chance.
    assert found["rare"].gap < 0.2
    assert found["rare"].kept == pytest.approx(0.5, abs=0.15)
    assert found["rare"].moved() > 0.2
    assert found["rare"].moved("upper") > found["rare"].moved("lower") == found["rare"].moved()
    assert all(found[name].moved() < 0.05 for name in "ab")


def test_labels_are_kept_where_only_the_inputs_differ():
    x, labels = sample(3000, 2)
    kept = np.random.default_rng(3).random(len(x)) < 1 / (1 + np.exp(-2 * x[:, 1]))
    for shift in shifts(sample(1000, 1), (x[kept], labels[kept])):
        assert shift.kept == pytest.approx(1, abs=0.25)
        assert shift.moved() < 0.05


@pytest.mark.slow
def test_intervals_of_kept_labels_hold_one_where_nothing_moved():
    held = [
        shift.moved() == 0
        for seed in range(30)
        for shift in shifts(sample(400, seed, 1), sample(400, seed, 2), seed=seed)
        if shift.kept is not None
    ]
    assert len(held) > 50
    assert np.mean(held) > 0.93


def test_a_class_that_is_gone_has_kept_no_label():
    x, labels = sample(2000, 2)
    labels[labels == 2] = 0
    worst, *_ = shifts(sample(1000, 1), (x, labels))
    assert (worst.name, worst.kept) == ("rare", 0.0)
    assert worst.moved() > 0.5


def test_kept_labels_are_not_compared_for_rows_in_groups():
    real, synthetic = sample(800, 1), sample(800, 2)
    sides = draw_sides(800, 800, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    groups = (np.arange(800) // 2,) * 2
    found = class_shifts(*real, *synthetic, NAMES, sides, rng, groups=groups)
    assert all(shift.kept is None and shift.moved() == 0 for shift in found)
