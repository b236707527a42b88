"""Any scikit-learn scorer as a judge of mixes: its score, and how sure of it the judging rows are.

A score such as the area under the ROC curve belongs to all rows together, so there is no loss of a
single row. Its jackknife pseudo-values take that place: the judging rows are cut into G groups, and
with s the score of all and s_g that without group g, the value of the group is
``G s - (G - 1) s_g``. Their spread, paired between mixes, estimates the standard error of s; for a
score that is a mean over rows they are the means of the groups.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.references import is_reference, load_reference
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError
from synthmix_dagster.ratio.options import Scoring
from synthmix_dagster.redaction import cause_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Groups that the judging rows are cut into.
GROUPS = 25
#: What a scorer may ask of a fit.
_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
#: Scorers of scikit-learn that judge numbers; its others judge classes, or clusters.
_OF_NUMBERS = ("r2", "explained_variance", "d2_absolute_error_score", "max_error")
_OF_CLUSTERS = ("rand", "mutual", "completeness", "fowlkes", "homogeneity", "v_measure")
#: Words in the names of scores that are in the unit of the target.
_IN_UNITS = ("_absolute_error", "root_mean_squared_error", "max_error")


@dataclass(frozen=True)
class Score:
    """What is scored, and how a reader sees it. A risk is the score times -1.

    Attributes
    ----------
    name : str
        Such as ``roc_auc``, or ``mean_absolute_error`` for ``neg_mean_absolute_error``.
    higher_is_better : bool
        Of what a reader sees.
    unit : str
        Unit of it, or the class that counts as positive; empty where there is neither.

    Examples
    --------
    >>> Score("mean_absolute_error", False, "in units of 'price'").label
    "mean_absolute_error in units of 'price', lower is better"
    """

    name: str
    higher_is_better: bool
    unit: str = ""

    def shown(self, risk: float) -> float:
        """What a reader sees of a risk."""
        return -risk if self.higher_is_better else risk

    @property
    def label(self) -> str:
        """Name, unit and direction."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name}{unit}, {'higher' if self.higher_is_better else 'lower'} is better"


@dataclass(frozen=True, eq=False)
class Scorer:
    """A scorer of scikit-learn, and the labels that it is to see.

    Attributes
    ----------
    score : Score
    function : callable
        ``(fit, inputs, labels) -> float``, higher is better.
    labels : ndarray of shape (n_classes,), optional
        Label of each class of the target code; None for numbers.
    """

    score: Score
    function: Callable[[Any, pd.DataFrame, NDArray[Any]], float]
    labels: NDArray[Any] | None

    @classmethod
    def of(
        cls, scoring: Scoring, code: TargetCode, real: pd.DataFrame, positive: str | None = None
    ) -> "Scorer":
        """Look a scorer up.

        Parameters
        ----------
        scoring : str or callable
            Name of a scorer of scikit-learn, ``module:object``, or the object itself.
        code : TargetCode
        real : DataFrame
            Real rows. An object sees the labels as they are here; to a name two classes are 0 and
            1, others are numbered in sorted order.
        positive : str, optional
            Which of two classes is 1, by default the last in sorted order.

        Raises
        ------
        ConfigError
            There is no such scorer, it is one of another task, or `positive` is not a class.
        """
        if isinstance(scoring, str) and is_reference(scoring):
            scoring = load_reference(scoring, option="scoring")
        if isinstance(scoring, str):
            return cls._named(scoring, code, positive)
        if not callable(scoring):
            raise ConfigError(
                f"it is a {type(scoring).__name__}",
                option="scoring",
                fix="Set the name of a scikit-learn scorer, or what `make_scorer(...)` returns",
            )
        if positive is not None:
            raise ConfigError(
                "the scorer is an object, which knows its positive class",
                option="positive_class",
                fix="Leave it out, and pass `pos_label` to `make_scorer(...)`",
            )
        # The name of a function, or that of the metric in the object that make_scorer returns.
        name = getattr(scoring, "__name__", None) or getattr(
            getattr(scoring, "_score_func", None), "__name__", type(scoring).__name__
        )
        return cls(Score(str(name), True), scoring, _labels_of(code, real))

    @classmethod
    def _named(cls, name: str, code: TargetCode, positive: str | None) -> "Scorer":
        from sklearn.metrics import get_scorer, get_scorer_names

        known = [each for each in get_scorer_names() if _task_of(each) == code.task]
        if name not in known:
            raise UnknownChoiceError(name, option="scoring", known=known)
        shown = name.removeprefix("neg_")
        unit, labels = "", None
        if code.task == "classification":
            labels, unit = _numbered(code, positive)
        elif name.endswith(_IN_UNITS):
            unit = f"in units of '{code.column}'"
        elif name.endswith("mean_squared_error"):
            unit = f"in squared units of '{code.column}'"
        return cls(Score(shown, shown == name, unit), get_scorer(name), labels)

    def target(self, encoded: Floats, code: TargetCode) -> NDArray[Any]:
        """What a fit learns and the scorer sees of an encoded target."""
        if self.labels is None:
            numbers: NDArray[Any] = encoded[:, 0] * code.scale + code.center
            return numbers
        return self.labels[encoded.argmax(axis=1)]

    def losses(self, fits: "JudgedFits", target: NDArray[Any]) -> tuple[float, Floats]:
        """The risk of fits, which is their score times -1, and its pseudo-values.

        Returns
        -------
        risk : float
        losses : ndarray of shape (n_groups,)

        Raises
        ------
        ConfigError, DataError
            The scorer fails, or its score is not a finite number.
        """
        inputs, count = fits.inputs, len(target)
        groups = _groups(target if self.labels is not None else None, count)
        whole = self._scored(fits, inputs, target)
        without = np.array(
            [
                self._scored(fits, inputs.iloc[kept], target[kept])
                for kept in (np.flatnonzero(groups != g) for g in range(groups.max() + 1))
            ]
        )
        return -whole, (len(without) - 1) * without - len(without) * whole

    def _scored(self, fits: "JudgedFits", inputs: pd.DataFrame, target: NDArray[Any]) -> float:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                score = float(self.function(fits, inputs, target))
        except Exception as error:
            raise ConfigError(
                f"{self.score.name} cannot score {len(target)} rows: {error}",
                option="scoring",
                fix="Set a scorer that suits the task and the estimator",
            ) from cause_of(error)
        if not np.isfinite(score):
            raise DataError(
                f"{self.score.name} of {len(target)} judging rows is {score}",
                dataset="real",
                fix="Provide more rows of the rarest class, or set another 'scoring'",
            )
        return score


class JudgedFits:
    """Fits to several parts of the rows, each asked for the rows that it did not see.

    To a scorer they look like one fitted estimator. Rows are recognised by the index of the frame.

    Parameters
    ----------
    fits : sequence of fitted estimators
    judges : sequence of DataFrame
        What each of them predicts.
    at : sequence of ndarray of int
        Positions of these rows among all that judge.
    inputs : DataFrame
        All rows that judge, numbered from 0, with the columns that a scorer may want to see.
    """

    def __init__(
        self,
        fits: Sequence[Any],
        judges: Sequence[pd.DataFrame],
        at: Sequence[Ints],
        inputs: pd.DataFrame,
    ) -> None:
        self._fits, self._judges, self._at = fits, judges, at
        self._known: dict[str, NDArray[Any]] = {}
        self.inputs = inputs.reset_index(drop=True)
        self._estimator_type = getattr(fits[0], "_estimator_type", None)
        if hasattr(fits[0], "classes_"):
            self.classes_ = np.unique(np.concatenate([fit.classes_ for fit in fits]))

    def __sklearn_tags__(self) -> Any:
        return self._fits[0].__sklearn_tags__()

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS or not all(hasattr(fit, name) for fit in self._fits):
            raise AttributeError(f"the fits have no '{name}'")

        def predictions(inputs: pd.DataFrame) -> NDArray[Any]:
            return self._predicted(name)[inputs.index]

        # Scorers tell methods by their names.
        predictions.__name__ = name
        return predictions

    def _predicted(self, method: str) -> NDArray[Any]:
        """Predictions of every row that judges, made once."""
        if method not in self._known:
            parts = [
                self._aligned(np.asarray(getattr(fit, method)(rows)), fit, method)
                for fit, rows in zip(self._fits, self._judges, strict=True)
            ]
            found = np.empty((len(self.inputs), *parts[0].shape[1:]), dtype=parts[0].dtype)
            for at, part in zip(self._at, parts, strict=True):
                found[at] = part
            self._known[method] = found
        return self._known[method]

    def _aligned(self, predicted: NDArray[Any], fit: Any, method: str) -> NDArray[Any]:
        """Columns by class: a fit may have met no row of a rare one."""
        if method == "predict" or predicted.ndim == 1 or len(fit.classes_) == len(self.classes_):
            return predicted
        lowest = 0.0 if method == "predict_proba" else float(predicted.min()) - 1
        full = np.full((len(predicted), len(self.classes_)), lowest)
        full[:, np.searchsorted(self.classes_, fit.classes_)] = predicted
        return full


def _task_of(name: str) -> str:
    """The task that a scorer of scikit-learn judges."""
    plain = name.removeprefix("neg_")
    if any(word in name for word in _OF_CLUSTERS):
        return "clustering"
    numbers = plain in _OF_NUMBERS or plain.endswith(("_error", "_deviance"))
    return "regression" if numbers else "classification"


def _numbered(code: TargetCode, positive: str | None) -> tuple[NDArray[Any], str]:
    """Classes as numbers, the positive one of two last; and what to say of it."""
    labels = np.arange(len(code.classes))
    if positive is not None and (positive not in code.classes or len(labels) > 2):
        found = ", ".join(code.classes)
        raise ConfigError(
            f"'{positive}' cannot be the positive class of the {len(labels)} classes {found}",
            option="positive_class",
            fix="Name one of two classes; scores such as f1_macro take more",
        )
    if len(labels) > 2:
        return labels, ""
    if positive == code.classes[0]:
        labels = labels[::-1].copy()
    return labels, f"with '{positive or code.classes[-1]}' as the positive class"


def _labels_of(code: TargetCode, real: pd.DataFrame) -> NDArray[Any] | None:
    """Labels as they are in the data, in the order of the code."""
    if code.task == "regression":
        return None
    codes = code.encode(real, "real").argmax(axis=1)
    values = real[code.column].to_numpy()
    return np.array([values[np.argmax(codes == i)] for i in range(len(code.classes))])


def _groups(classes: NDArray[Any] | None, count: int) -> Ints:
    """Group of each judging row; each group has as many of a class as it can."""
    groups = min(GROUPS, count)
    # One fixed assignment, no stream of a seed: an error should not move because a seed did.
    order = np.random.default_rng(0).permutation(count)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    found = np.empty(count, dtype=np.int64)
    found[order] = np.arange(count) % groups
    return found
