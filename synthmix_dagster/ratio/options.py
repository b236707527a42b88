"""How a ratio is recommended: the options of `recommend_ratio`, each declared once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from synthmix_dagster.encoding.options import SampleOptions, require_choice, require_min
from synthmix_dagster.encoding.references import is_reference
from synthmix_dagster.errors import ConfigError

Learner = Literal["kernel", "linear", "trees"]
ClassWeight = Literal["balanced"]
#: Name of a scorer of scikit-learn, ``module:object``, or the object itself.
Scoring = str | Callable[[Any, Any, Any], float]
#: Rules that choose on the risk path of the rows at hand alone; the first two are the same.
PathRule = Literal["path", "largest_equivalent", "best", "smallest_equivalent"]
#: What a curve means on which no ratio is measurably better than none.
FlatCurve = Literal["none", "rows"]
Rule = Literal["posterior", "path", "largest_equivalent", "best", "smallest_equivalent"]


@dataclass(frozen=True)
class RatioOptions(SampleOptions):
    """How a ratio is recommended.

    Attributes
    ----------
    learner : {"kernel", "linear", "trees"}
        Learner whose risk is predicted: kernel ridge regression, linear ridge regression, or a
        small gradient boosting, fitted to a few mixes.
    estimator : str, optional
        ``module:object`` of your learner itself, in the place of `learner`: a scikit-learn
        estimator, or a callable without arguments that returns one. It gets the columns as they
        are.
    max_ratio : float, optional
        Highest ratio to consider; by default as many rows as there are.
    rule : {"posterior", "path", "largest_equivalent", "best", "smallest_equivalent"}
        ``posterior`` takes the lowest risk that these rows and the experience of other datasets
        together predict; it applies to ``kernel`` and ``trees`` and their plain risks, others use
        ``path``. The rest look at these rows alone: ``path`` takes the most synthetic rows within
        half a standard error of the lowest risk (``largest_equivalent`` is its earlier name),
        ``best`` the lowest risk itself, ``smallest_equivalent`` the fewest rows statistically
        indistinguishable from the best.
    flat_curve : {"none", "rows"}, optional
        What to release where synthetic rows make no measurable difference: ``none`` of them, the
        cheaper choice, or the ``rows`` with the lowest predicted error. Without it such a
        recommendation is not released.
    generator_saw_real : bool, optional
        Whether the generator was fitted on the real rows. If so, and without evaluation rows, the
        predicted risk is worthless and a safe ratio is recommended. Unknown by default.
    scoring : str or callable, optional
        What the ratio is chosen by, for ``trees`` and an estimator: the name of a scikit-learn
        scorer such as ``roc_auc``, ``average_precision``, ``f1_macro``, ``r2`` or
        ``neg_mean_absolute_error``, or ``module:object`` for one of your own. By default the Brier
        score of classes, and the squared error of numbers.
    positive_class : str, optional
        Which of two classes a `scoring` that is named takes as the positive one, by default the
        last in sorted order.
    class_weight : {"balanced"}, optional
        With ``balanced`` every class counts the same in fits and in the risk, however rare it is.
        For ``kernel``, ``linear`` and ``trees``; an estimator has its own, and its risk only is
        balanced. The experience of other datasets is of plain risks, so `rule` is ``path`` then.
    experience : str, optional
        File with what happened on other datasets, such as your own: ``synthmix learn`` makes it for
        a learner. By default what the package comes with.
    """

    learner: Learner = "kernel"
    estimator: str | None = field(default=None, metadata={"metavar": "MODULE:OBJECT"})
    max_ratio: float | None = None
    rule: Rule = "posterior"
    flat_curve: FlatCurve | None = None
    generator_saw_real: bool | None = None
    scoring: Scoring | None = field(default=None, metadata={"metavar": "NAME"})
    positive_class: str | None = field(default=None, metadata={"metavar": "CLASS"})
    class_weight: ClassWeight | None = None
    experience: str | None = field(default=None, metadata={"metavar": "FILE"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self.learner, Learner, option="learner")
        require_choice(self.rule, Rule, option="rule")
        if self.flat_curve is not None:
            require_choice(self.flat_curve, FlatCurve, option="flat_curve")
        if self.max_ratio is not None:
            require_min(self.max_ratio, 0, option="max_ratio")
        if self.class_weight is not None:
            require_choice(self.class_weight, ClassWeight, option="class_weight")
        if self.experience is not None and not self.by_posterior:
            raise ConfigError(
                "these settings decide by the rows at hand alone",
                option="experience",
                fix="Leave it out, or use rule posterior, learner kernel or trees, no scoring and "
                "no class_weight",
            )
        if self.estimator is not None and not is_reference(self.estimator):
            raise ConfigError(
                f"'{self.estimator}' does not name an object of a module",
                option="estimator",
                fix="Write 'module:object', both as Python imports them",
            )
        if self.estimator is not None and self.learner != "kernel":
            raise ConfigError(
                f"'learner' is '{self.learner}' as well",
                option="estimator",
                fix="Set one of them: an estimator takes the place of a learner",
            )
        if self.positive_class is not None and self.scoring is None:
            raise ConfigError(
                "there is no 'scoring' that would use it",
                option="positive_class",
                fix="Set 'scoring' as well, such as average_precision",
            )

    @property
    def by_posterior(self) -> bool:
        """Whether what happened on other datasets takes part: to two learners, by plain risks."""
        known = self.learner in ("kernel", "trees") and self.estimator is None
        plain = self.class_weight is None and self.scoring is None
        return self.rule == "posterior" and known and plain

    @property
    def refitted(self) -> bool:
        """Whether a learner is fitted to the proposed mixes, so that a score can judge it."""
        return self.learner == "trees" or self.estimator is not None

    @property
    def path_rule(self) -> PathRule:
        """The rule for these rows alone: ``posterior`` becomes ``path``."""
        return "path" if self.rule == "posterior" else self.rule


#: Options of one ratio, which other questions have no answer for.
OF_ONE_RATIO = (
    *("rule", "flat_curve", "learner", "estimator", "scoring", "positive_class", "class_weight"),
    "experience",
)


@dataclass(frozen=True)
class AnswerOptions:
    """What is asked of the ratio, beside one number.

    Attributes
    ----------
    per_class : bool
        Whether every class may have a ratio of its own.
    """

    per_class: bool = False
