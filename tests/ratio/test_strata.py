"""Ratios by class: against refits on new rows, and what does not depend on how rows are given."""

import json

import numpy as np
import pytest

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.strata import ClassRatios, class_ratios


def rows(rng, n, shares, off=(0.0, 0.0, 0.0)):
    """Gaussian classes at the unit vectors, moved by `off`, with a constant feature."""
    label = rng.choice(len(shares), size=n, p=shares)
    x = rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[label] + np.array(off)[label][:, None]
    return np.column_stack([x, np.ones(n)]), np.eye(len(shares))[label]


def brier(real, synthetic, counts, new):
    label = synthetic[1].argmax(axis=1)
    at = np.concatenate([np.flatnonzero(label == c)[:k] for c, k in enumerate(counts)])
    x = np.concatenate((real[0], synthetic[0][at]))
    y = np.concatenate((real[1], synthetic[1][at]))
    fit = np.linalg.solve(x.T @ x + 0.1 * np.eye(4), x.T @ y)
    return np.mean(np.sum((new[1] - new[0] @ fit) ** 2, axis=1))


def test_wrong_class_frequencies_are_put_right():
    shares = (0.7, 0.2, 0.1)
    errors, better = [], 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        real, new = rows(rng, 60, shares), rows(rng, 5_000, shares)
        synthetic = rows(rng, 4_000, shares[::-1])
        found = class_ratios(*real, *synthetic)
        counts = np.array([[of.rows, of.rows_in_proportion] for of in found.classes]).T
        errors.append([brier(real, synthetic, by, new) for by in counts])
        better += found.better
        # The generator makes one in ten of the first class, the world seven.
        assert counts[0, 0] > 0.6 * counts[0].sum()
    by_class, in_proportion = np.array(errors).T
    assert (by_class < in_proportion).all()
    assert by_class.mean() < 0.97 * in_proportion.mean()
    assert better >= 2


def test_a_class_made_wrongly_spoils_the_others():
    """One fit without class weights: more rows of two classes only would make the third rarer."""
    shares = (0.4, 0.3, 0.3)
    rng = np.random.default_rng(0)
    real = rows(rng, 100, shares)
    found = class_ratios(*real, *rows(rng, 2_000, shares, off=(0.0, 0.0, -3.0)))
    assert sum(of.recommended for of in found.classes) < 0.02 * 2_000
    assert sum(of.rows for of in found.classes) < 0.02 * 2_000


def test_right_frequencies_have_nothing_to_gain():
    shares, better = (0.4, 0.3, 0.3), 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        found = class_ratios(*rows(rng, 60, shares), *rows(rng, 600, shares))
        better += found.better
        if not found.better:
            assert "in the generator's proportion" in found.reason
            assert all(of.recommended == of.rows_in_proportion for of in found.classes)
    assert better <= 1


def test_a_class_that_the_generator_never_makes_gets_no_rows():
    rng = np.random.default_rng(0)
    real = rows(rng, 80, (0.4, 0.4, 0.2))
    synthetic = rows(rng, 400, (0.5, 0.5, 0.0))
    found = class_ratios(*real, *synthetic, names=["one", "two", "three"])
    missing = found.classes[2]
    assert missing.name == "three"
    assert missing.n_synthetic == missing.rows == missing.rows_in_proportion == 0
    assert missing.n_real == real[1][:, 2].sum()
    assert found.ratios["three"] == 0


def test_counts_are_within_the_rows_there_are_and_the_limit():
    rng = np.random.default_rng(0)
    real, synthetic = rows(rng, 80, (0.4, 0.4, 0.2)), rows(rng, 400, (0.2, 0.4, 0.4))
    for max_ratio in (None, 2.0, 0.0):
        found = class_ratios(*real, *synthetic, max_ratio=max_ratio)
        most = 400 if max_ratio is None else 80 * max_ratio
        for counts in zip(*((of.rows, of.rows_in_proportion) for of in found.classes), strict=True):
            assert sum(counts) <= most + 2
            for k, of in zip(counts, found.classes, strict=True):
                assert 0 <= k <= of.n_synthetic


def test_the_order_of_the_classes_does_not_matter():
    rng = np.random.default_rng(2)
    (x, y), (z, t) = rows(rng, 80, (0.6, 0.3, 0.1)), rows(rng, 600, (0.1, 0.3, 0.6))
    one, other = class_ratios(x, y, z, t), class_ratios(x, y[:, ::-1], z, t[:, ::-1])
    assert other.risk_in_proportion == pytest.approx(one.risk_in_proportion)
    assert other.risk_by_class == pytest.approx(one.risk_by_class, rel=0.01)
    assert [of.n_synthetic for of in other.classes] == [of.n_synthetic for of in one.classes][::-1]


def test_it_survives_json_and_refuses_a_number():
    rng = np.random.default_rng(0)
    real, synthetic = rows(rng, 60, (0.5, 0.5, 0.0)), rows(rng, 90, (0.5, 0.5, 0.0))
    found = class_ratios(*real, *synthetic)
    assert ClassRatios.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with pytest.raises(ConfigError, match="no classes"):
        class_ratios(real[0], real[1][:, :1], synthetic[0], synthetic[1][:, :1])
