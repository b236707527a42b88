"""Let the learner judge: cross-validated losses of an estimator at a handful of mixes.

The risk path speaks for kernel ridge regression, and the best ratio belongs to the learner: trees
that need twenty rows a leaf gain more from synthetic rows than a smooth fit does. So the path
proposes a few counts, and the learner itself is fitted to those.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.options import Task
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.decision import Decision
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.seeds import rng_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Folds of the real rows, where no evaluation rows judge.
FOLDS = 5


def gradient_boosting(task: Task, categorical: Sequence[bool]) -> Any:
    """The estimator behind ``learner="trees"``: a small histogram gradient boosting.

    Parameters
    ----------
    task : {"regression", "classification"}
    categorical : sequence of bool
        Which columns are categories, numbered from 0.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    boosting = (
        HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    )
    return boosting(
        max_iter=50,
        max_leaf_nodes=15,
        early_stopping=False,
        categorical_features=list(categorical),
        random_state=0,
    )


def proposed_counts(counts: Ints, decision: Decision, n: int) -> Ints:
    """The few mixes that are worth a fit: none, a few, those that the path prefers, and all.

    Learners that need more rows than a smooth fit gain from a few even of a generator that the path
    refuses.

    Parameters
    ----------
    counts : ndarray of int
        Candidates of the path.
    decision : Decision
        What the path says of them.
    n : int
        Real rows.

    Returns
    -------
    ndarray of int
        None, a quarter of n, the ends of the interval of equivalents, what the path recommends, and
        all; fewer where some coincide or there are not as many.
    """
    preferred = counts[[0, decision.low, decision.chosen, decision.high, len(counts) - 1]]
    return np.unique([*preferred, min(n // 4, int(counts[-1]))])


def refit_losses(
    estimator: Any,
    inputs: Mapping[str, pd.DataFrame],
    targets: Mapping[str, Floats],
    code: TargetCode,
    counts: Sequence[int] | Ints,
    *,
    seed: int,
) -> Floats:
    """Losses of the judging rows after fits to the real rows and each count of synthetic ones.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Is cloned for every fit. A classifier needs ``predict_proba``.
    inputs : mapping of str to DataFrame
        Inputs of ``real``, ``synthetic`` and, where there are any, ``evaluation`` rows. With the
        last there is one fit a count, judged by them; without, one for each of `FOLDS` folds of the
        real rows, with the same share of the synthetic rows as of the real ones.
    targets : mapping of str to ndarray of shape (n_rows, q)
        Of the same, encoded.
    code : TargetCode
    counts : sequence of int
        Synthetic rows beside all real ones. Each count contains the rows of the smaller ones.
    seed : int
        Draws the folds and the synthetic rows.

    Returns
    -------
    ndarray of shape (n_counts, n_judged)
        Squared errors in real variances, or Brier scores.

    Raises
    ------
    ConfigError
        The estimator cannot do it; its own words are part of the message.
    """
    needed = "predict" if code.task == "regression" else "predict_proba"
    for method in ("fit", needed):
        if not hasattr(estimator, method):
            raise ConfigError(
                f"{type(estimator).__name__} has no '{method}'",
                option="estimator",
                fix=f"Pass a scikit-learn estimator for {code.task} that has it",
            )
    rng = rng_of(seed, "refits")
    n = len(inputs["real"])
    order = rng.permutation(len(inputs["synthetic"]))
    if "evaluation" in inputs:
        everyone = np.arange(n)
        parts = [(everyone, inputs["evaluation"], np.arange(len(inputs["evaluation"])))]
        judged = targets["evaluation"]
    else:
        judged, parts = targets["real"], []
        for left_out in _folds(judged if code.task == "classification" else None, n, rng):
            kept = np.setdiff1d(np.arange(n), left_out)
            parts.append((kept, inputs["real"].iloc[left_out], left_out))
    losses = np.empty((len(counts), len(judged)))
    for kept, judges, at in parts:
        for i, count in enumerate(counts):
            drawn = order[: round(int(count) * len(kept) / n)]
            predicted = _fitted_predictions(
                estimator,
                pd.concat((inputs["real"].iloc[kept], inputs["synthetic"].iloc[drawn])),
                np.concatenate((targets["real"][kept], targets["synthetic"][drawn])),
                judges,
                code,
            )
            losses[i, at] = np.sum((judged[at] - predicted) ** 2, axis=1)
    return losses


def _folds(classes: Floats | None, n: int, rng: np.random.Generator) -> list[Ints]:
    """Random folds of n rows; where there are classes, each has as many of a class as it can."""
    order = rng.permutation(n)
    if classes is not None:
        order = order[np.argsort(classes[order].argmax(axis=1), kind="stable")]
    return [order[fold::FOLDS] for fold in range(FOLDS)]


def _fitted_predictions(
    estimator: Any, inputs: pd.DataFrame, target: Floats, judges: pd.DataFrame, code: TargetCode
) -> Floats:
    """Encoded predictions of a fresh fit, of shape (n_judges, q)."""
    from sklearn.base import clone

    inputs = inputs.reset_index(drop=True)
    try:
        if code.task == "regression":
            fit = clone(estimator).fit(inputs, target[:, 0] * code.scale + code.center)
            numbers = np.asarray(fit.predict(judges), dtype=np.float64).reshape(-1, 1)
            return (numbers - code.center) / code.scale
        fit = clone(estimator).fit(inputs, target.argmax(axis=1))
        predicted = np.zeros((len(judges), target.shape[1]))
        # A fold may lack a rare class.
        predicted[:, np.asarray(fit.classes_, dtype=np.int64)] = fit.predict_proba(judges)
        return predicted
    except Exception as error:
        raise ConfigError(
            f"{type(estimator).__name__} could not learn from {len(inputs)} rows: {error}",
            option="estimator",
            fix="Pass one that takes the columns as they are, such as a Pipeline that encodes "
            "categories and fills in missing values",
        ) from cause_of(error)
