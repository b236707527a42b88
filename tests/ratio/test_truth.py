"""The error on test rows against ridge regressions that are fitted one by one."""

import numpy as np
import pandas as pd

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.path import RIDGES
from synthmix_dagster.ratio.refits import gradient_boosting
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.ratio.truth import true_errors, true_tree_errors


def draw(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame({"x": x, "y": np.sin(2 * x) + rng.normal(0, 0.3, n)})


def test_the_error_is_that_of_refits_with_the_ridge_that_leaving_out_prefers():
    frames, test = {"real": draw(14, 0), "synthetic": draw(30, 1)}, draw(50, 2)
    code = TargetCode.fit(frames["real"], "y", "regression")
    sample = EncodedSample.encode(frames, code)
    found = true_errors(sample, test, np.array([0.0, 1.0, 16.0]), seed=0)
    kernel = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=np.random.default_rng(0)
    )
    judges = kernel.transform(sample.encoder.transform(test))
    for at, count in enumerate((0, 14)):
        points = np.concatenate((sample.points["real"], sample.points["synthetic"][:count]))
        rows = kernel.transform(points)
        y = np.concatenate((sample.targets["real"], sample.targets["synthetic"][:count]))

        def fit(kept, ridge, rows=rows, y=y):
            # Leaving a row out of a sum keeps the weight of the others and of the ridge.
            gram = rows[kept].T @ rows[kept] / len(rows) + ridge * np.eye(rows.shape[1])
            return np.linalg.solve(gram, rows[kept].T @ y[kept] / len(rows))

        everyone = np.arange(len(rows))
        left_out = [
            np.mean(
                [
                    (y[i] - rows[i] @ fit(np.delete(everyone, i), ridge))[0] ** 2
                    for i in range(sample.n)
                ]
            )
            for ridge in RIDGES
        ]
        best = fit(everyone, RIDGES[int(np.argmin(left_out))])
        expected = np.mean((code.encode(test, "test") - judges @ best) ** 2)
        np.testing.assert_allclose(found[at], expected, rtol=1e-4)
    assert np.isnan(found[2])


def test_the_error_of_trees_is_that_of_one_fit_to_all_rows_of_a_ratio():
    frames, test = {"real": draw(40, 0), "synthetic": draw(40, 1)}, draw(200, 2)
    code = TargetCode.fit(frames["real"], "y", "regression")
    sample = EncodedSample.encode(frames, code)
    found = true_tree_errors(sample, test, np.array([0.0, 1.0]), seed=0)
    points = {name: sample.encoder.transform(frame) for name, frame in frames.items()}
    for at, sides in enumerate((["real"], ["real", "synthetic"])):
        x = np.concatenate([points[side] for side in sides])
        y = np.concatenate([sample.targets[side][:, 0] for side in sides])
        fit = gradient_boosting("regression", [False]).fit(x, y)
        wrong = code.encode(test, "test")[:, 0] - fit.predict(sample.encoder.transform(test))
        np.testing.assert_allclose(found[at], np.mean(wrong**2), rtol=1e-6)
