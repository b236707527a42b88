"""Let the learner judge: cross-validated losses of an estimator at a handful of mixes.

The risk path speaks for kernel ridge regression, and the best ratio belongs to the learner: trees
that need twenty rows a leaf gain more from synthetic rows than a smooth fit does. So the path
proposes a few counts, and the learner itself is fitted to those.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.options import Task
from synthmix_dagster.encoding.references import load_reference
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.decision import Decision
from synthmix_dagster.ratio.learners import tree_inputs
from synthmix_dagster.ratio.options import ClassWeight
from synthmix_dagster.ratio.path import RiskPath
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.ratio.scoring import JudgedFits, Scorer
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.seeds import rng_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Folds of the real rows, where no evaluation rows judge.
FOLDS = 5


def gradient_boosting(
    task: Task, categorical: Sequence[bool], class_weight: ClassWeight | None = None
) -> Any:
    """The estimator behind ``learner="trees"``: a small histogram gradient boosting.

    Parameters
    ----------
    task : {"regression", "classification"}
    categorical : sequence of bool
        Which columns are categories, numbered from 0.
    class_weight : {"balanced"}, optional
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    size: dict[str, Any] = {
        "max_iter": 50,
        "max_leaf_nodes": 15,
        "early_stopping": False,
        "categorical_features": list(categorical),
        "random_state": 0,
    }
    if task == "regression":
        return HistGradientBoostingRegressor(**size)
    return HistGradientBoostingClassifier(**size, class_weight=class_weight)


def load_estimator(text: str) -> Any:
    """The estimator that ``module:object`` names, or that the object there makes.

    Raises
    ------
    ConfigError
        It cannot be imported or made, or has no ``fit``.

    Examples
    --------
    >>> load_estimator("sklearn.linear_model:Ridge")
    Ridge()
    """
    found = load_reference(text, option="estimator")
    if callable(found) and not (hasattr(found, "get_params") and not isinstance(found, type)):
        try:
            found = found()
        except Exception as error:
            raise ConfigError(
                f"'{text}' cannot be called without arguments ({type(error).__name__}: {error})",
                option="estimator",
                fix="Name an estimator, or a callable without arguments that returns one",
            ) from cause_of(error)
    if not (hasattr(found, "fit") and hasattr(found, "get_params")):
        raise ConfigError(
            f"'{text}' is a {type(found).__name__}, which is not a scikit-learn estimator",
            option="estimator",
            fix="Name an estimator with 'fit' and 'get_params', or what returns one",
        )
    return found


def proposed_counts(
    counts: Ints, decision: Decision, n: int, *, another_metric: bool = False
) -> Ints:
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
    another_metric : bool
        Whether the learner is judged by another metric than the path, which then knows less.

    Returns
    -------
    ndarray of int
        None, a quarter of n, the ends of the interval of equivalents, what the path recommends, and
        all; with another metric also as many as real rows and four times as many. Fewer where some
        coincide or there are not as many.
    """
    preferred = counts[[0, decision.low, decision.chosen, decision.high, len(counts) - 1]]
    further = [n // 4, *([n, 4 * n] if another_metric else [])]
    return np.unique([*preferred, *(min(count, int(counts[-1])) for count in further)])


@dataclass(frozen=True, eq=False)
class Refits:
    """What fits to the real rows and some counts of synthetic ones are made from.

    Attributes
    ----------
    estimator : scikit-learn estimator
        Is cloned for every fit. Without a scorer a classifier needs ``predict_proba``.
    inputs : mapping of str to DataFrame
        Inputs of ``real``, ``synthetic`` and, where there are any, ``evaluation`` rows. With the
        last there is one fit a count, judged by them; without, one for each of `FOLDS` folds of the
        real rows, with the same share of the synthetic rows as of the real ones.
    targets : mapping of str to ndarray of shape (n_rows, q)
        Of the same, encoded.
    code : TargetCode
    seed : int
        Draws the folds and the synthetic rows.
    """

    estimator: Any
    inputs: Mapping[str, pd.DataFrame]
    targets: Mapping[str, Floats]
    code: TargetCode
    seed: int

    def losses(self, counts: Sequence[int] | Ints) -> Floats:
        """Losses of the judging rows with each count of synthetic rows.

        Parameters
        ----------
        counts : sequence of int
            Synthetic rows beside all real ones. Each count contains the rows of the smaller ones.

        Returns
        -------
        ndarray of shape (n_counts, n_judged)
            Squared errors in real variances, or Brier scores.

        Raises
        ------
        ConfigError
            The estimator cannot do it; its own words are part of the message.
        """
        method = "predict" if self.code.task == "regression" else "predict_proba"
        self._require(method)
        judged, labels = self.targets[self._judges], self._labels
        losses = np.empty((len(counts), len(judged)))
        for part in self._parts():
            for i, count in enumerate(counts):
                fit = self._fit(part, int(count), labels)
                predicted = self._predicted(fit, method, part.judges)
                losses[i, part.at] = np.sum((judged[part.at] - predicted) ** 2, axis=1)
        return losses

    def path(self, counts: Ints) -> RiskPath:
        """The measured risk of every count, as a path: without ridges, and nothing added to it."""
        losses = self.losses(counts)
        return RiskPath(counts, losses.mean(axis=1), np.zeros(len(counts)), losses)

    def scored(
        self, counts: Sequence[int] | Ints, scorer: Scorer, shown: pd.DataFrame
    ) -> tuple[Floats, Floats]:
        """Risks by a scorer with each count of synthetic rows, and their pseudo-values.

        Parameters
        ----------
        counts : sequence of int
        scorer : Scorer
        shown : DataFrame
            The judging rows with all columns that the scorer may look at.

        Returns
        -------
        risks : ndarray of shape (n_counts,)
            Scores times -1.
        losses : ndarray of shape (n_counts, n_groups)
            See `Scorer.losses`.
        """
        self._require("predict")
        labels = {name: scorer.target(each, self.code) for name, each in self.targets.items()}
        parts = list(self._parts())
        found = []
        for count in counts:
            fits = JudgedFits(
                [self._fit(part, int(count), labels) for part in parts],
                [part.judges for part in parts],
                [part.at for part in parts],
                shown,
            )
            found.append(scorer.losses(fits, labels[self._judges]))
        risks, losses = zip(*found, strict=True)
        return np.array(risks), np.array(losses)

    @property
    def _judges(self) -> str:
        return "evaluation" if "evaluation" in self.inputs else "real"

    @property
    def _labels(self) -> dict[str, NDArray[Any]]:
        """What a fit learns: numbers in the unit of the target, or the position of the class."""
        if self.code.task == "regression":
            scale, center = self.code.scale, self.code.center
            return {name: each[:, 0] * scale + center for name, each in self.targets.items()}
        return {name: each.argmax(axis=1) for name, each in self.targets.items()}

    def _require(self, method: str) -> None:
        for needed in ("fit", method):
            if not hasattr(self.estimator, needed):
                raise ConfigError(
                    f"{type(self.estimator).__name__} has no '{needed}'",
                    option="estimator",
                    fix=f"Pass a scikit-learn estimator for {self.code.task} that has it",
                )

    def _parts(self) -> Iterator["_Part"]:
        """Real rows to keep, rows that judge, and where these are among all that do."""
        rng = rng_of(self.seed, "refits")
        real, n = self.inputs["real"], len(self.inputs["real"])
        order = rng.permutation(len(self.inputs["synthetic"]))
        if "evaluation" in self.inputs:
            judges = self.inputs["evaluation"]
            yield _Part(np.arange(n), judges, np.arange(len(judges)), order)
            return
        classes = self.targets["real"] if self.code.task == "classification" else None
        for left_out in _folds(classes, n, rng):
            kept = np.setdiff1d(np.arange(n), left_out)
            yield _Part(kept, real.iloc[left_out], left_out, order)

    def _fit(self, part: "_Part", count: int, labels: Mapping[str, NDArray[Any]]) -> Any:
        """A fresh fit to the rows kept and their share of the synthetic ones."""
        from sklearn.base import clone

        kept, real = part.kept, self.inputs["real"]
        drawn = part.order[: round(count * len(kept) / len(real))]
        inputs = pd.concat(
            (real.iloc[kept], self.inputs["synthetic"].iloc[drawn]), ignore_index=True
        )
        target = np.concatenate((labels["real"][kept], labels["synthetic"][drawn]))
        try:
            return clone(self.estimator).fit(inputs, target)
        except Exception as error:
            raise self._unable(len(inputs), error) from cause_of(error)

    def _predicted(self, fit: Any, method: str, judges: pd.DataFrame) -> Floats:
        """Encoded predictions, of shape (n_judges, q)."""
        try:
            found = np.asarray(getattr(fit, method)(judges), dtype=np.float64)
            if method == "predict":
                return (found.reshape(-1, 1) - self.code.center) / self.code.scale
            predicted = np.zeros((len(judges), len(self.code.classes)))
            # A fold may lack a rare class.
            predicted[:, np.asarray(fit.classes_, dtype=np.int64)] = found
            return predicted
        except Exception as error:
            raise self._unable(len(judges), error) from cause_of(error)

    def _unable(self, rows: int, error: Exception) -> ConfigError:
        return ConfigError(
            f"{type(self.estimator).__name__} could not learn from {rows} rows: {error}",
            option="estimator",
            fix="Pass one that takes the columns as they are, such as a Pipeline that encodes "
            "categories and fills in missing values",
        )


def boosting_refits(
    sample: EncodedSample, class_weight: ClassWeight | None = None, *, seed: int
) -> Refits:
    """Fits of `gradient_boosting` to mixes of a sample, judged by the rows that it has for that."""
    arrays, categorical = tree_inputs(sample)
    inputs = {dataset: pd.DataFrame(array) for dataset, array in arrays.items()}
    estimator = gradient_boosting(sample.code.task, categorical, class_weight)
    return Refits(estimator, inputs, sample.targets, sample.code, seed)


@dataclass(frozen=True, eq=False)
class _Part:
    """One fit: positions of the real rows that it sees, and the rows that judge it.

    Attributes
    ----------
    kept : ndarray of int
    judges : DataFrame
    at : ndarray of int
        Positions of these among all rows that judge.
    order : ndarray of int
        In which order synthetic rows are taken.
    """

    kept: Ints
    judges: pd.DataFrame
    at: Ints
    order: Ints


def _folds(classes: Floats | None, n: int, rng: np.random.Generator) -> list[Ints]:
    """Random folds of n rows; where there are classes, each has as many of a class as it can."""
    order = rng.permutation(n)
    if classes is not None:
        order = order[np.argsort(classes[order].argmax(axis=1), kind="stable")]
    return [order[fold::FOLDS] for fold in range(FOLDS)]
