"""A ratio of its own for every class.

The synthetic rows of each class are a source of their own in `search`, and the best numbers of them
are compared with taking all classes in the proportion that the generator makes them in. The fit is
one fit on all rows: other numbers change how often it sees a class as well as how much it knows of
it, and both are in the risk, which the real rows judge as often as they occur.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.mixtures import Pool
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.ratio.search import all_sources, descend, joined, single_sources
from synthmix_dagster.ratio.sources import paired, require_fit, rows_allowed
from synthmix_dagster.results import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassRows:
    """Synthetic rows of one class.

    Attributes
    ----------
    name : str
    n_real, n_synthetic : int
        Rows there are.
    rows : int
        Synthetic rows, if every class has a ratio of its own.
    rows_in_proportion : int
        Synthetic rows, if all classes are taken in the generator's proportion.
    recommended : int
        The one or the other.
    """

    name: str
    n_real: int
    n_synthetic: int
    rows: int
    rows_in_proportion: int
    recommended: int


@dataclass(frozen=True)
class ClassRatios(Result):
    """Whether classes should have ratios of their own, and which.

    Attributes
    ----------
    classes : tuple of ClassRows
    risk_by_class, risk_in_proportion, risk_none : float
        Predicted Brier scores; each row is judged by what suits the other folds.
    gain, gain_error : float
        ``risk_in_proportion - risk_by_class``, and its paired standard error.
    better : bool
        Whether the gain exceeds its standard error; only then is `rows` recommended.
    n_real : int
    reason : str
        The result in one sentence.
    """

    classes: tuple[ClassRows, ...]
    risk_by_class: float
    risk_in_proportion: float
    risk_none: float
    gain: float
    gain_error: float
    better: bool
    n_real: int
    reason: str
    provenance: Provenance | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    question: str = "classes"

    @property
    def ratios(self) -> dict[str, float]:
        """Recommended synthetic rows per real row of the class."""
        return {of.name: of.recommended / max(of.n_real, 1) for of in self.classes}

    @property
    def ratio(self) -> float:
        """Recommended rows of all classes together, per real row."""
        return sum(of.recommended for of in self.classes) / self.n_real

    def using_none(self, why: str) -> "ClassRatios":
        """The same without synthetic rows, and why."""
        classes = tuple(replace(of, recommended=0) for of in self.classes)
        return replace(self, classes=classes, better=False, reason=why)


def class_ratios(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    *,
    names: Sequence[str] | None = None,
    evaluation: tuple[Floats, Floats] | None = None,
    max_ratio: float | None = None,
) -> ClassRatios:
    """Find how many synthetic rows of each class predict the least risk together.

    Parameters
    ----------
    real, real_target : ndarray of shape (n, p), (n, q)
        Features, and targets with ones at the row's class.
    synthetic, synthetic_target : ndarray of shape (m, p), (m, q)
    names : sequence of str, optional
        The q classes; by default their numbers.
    evaluation : pair of ndarray, optional
        See `risk_path`.
    max_ratio : float, optional
        Most synthetic rows, of all classes together, per real row.

    Returns
    -------
    ClassRatios

    Raises
    ------
    ConfigError
        The target has one column, so it has no classes.

    Examples
    --------
    A generator that makes the rare class as often as the other:

    >>> rng = np.random.default_rng(0)
    >>> def rows(n, rare):
    ...     label = (rng.random(n) < rare).astype(int)
    ...     x = rng.normal(size=(n, 2)) + label[:, None]
    ...     return np.column_stack([x, np.ones(n)]), np.eye(2)[label]
    >>> found = class_ratios(*rows(80, 0.1), *rows(800, 0.5), names=["usual", "rare"])
    >>> found.better, found.classes[1].rows < 0.3 * found.classes[0].rows
    (True, True)
    """
    q = real_target.shape[1]
    if q < 2:
        raise ConfigError(
            "the target is a number, so there are no classes to have ratios",
            option="task",
            fix="Set it to classification, or ask for one ratio",
        )
    labels = [str(c) for c in range(q)] if names is None else list(names)
    class_of, real_class = synthetic_target.argmax(axis=1), real_target.argmax(axis=1)
    available = np.bincount(class_of, minlength=q)
    present = np.flatnonzero(available)
    most = rows_allowed(len(real), max_ratio)
    together = Pool.of((real, real_target), [(synthetic, synthetic_target)], evaluation)
    parts = [(synthetic[class_of == c], synthetic_target[class_of == c]) for c in present]
    apart = Pool.of((real, real_target), parts, evaluation)
    proportional = single_sources(together, most)
    require_fit(proportional)
    # From no rows, one class alone would only make the others seem rarer.
    frequencies = np.bincount(real_class, minlength=q)[present] / len(real)
    starts = [all_sources(apart, mixed, most) for mixed in (apart.caps[1:], frequencies)]
    by_class = joined([descend(apart, start, most) for start in starts])
    none = proportional.where(proportional.rows.sum(axis=1) == 0)
    losses = {
        "by_class": by_class.judged(apart),
        "in_proportion": proportional.judged(together),
        "none": none.judged(together),
    }
    gain, gain_error = paired(losses["in_proportion"], losses["by_class"])
    better = gain > gain_error
    rows, in_proportion = np.zeros(q, dtype=np.int64), np.zeros(q, dtype=np.int64)
    rows[present] = np.rint(by_class.rows[by_class.best(apart.judged)])
    total = float(proportional.rows[proportional.best(together.judged), 0])
    in_proportion[present] = np.rint(total * available[present] / available.sum())
    chosen = rows if better else in_proportion
    classes = tuple(
        ClassRows(
            name=labels[c],
            n_real=int(np.sum(real_class == c)),
            n_synthetic=int(available[c]),
            rows=int(rows[c]),
            rows_in_proportion=int(in_proportion[c]),
            recommended=int(chosen[c]),
        )
        for c in range(q)
    )
    risks = {name: float(of.mean()) for name, of in losses.items()}
    return ClassRatios(
        classes=classes,
        risk_by_class=risks["by_class"],
        risk_in_proportion=risks["in_proportion"],
        risk_none=risks["none"],
        gain=gain,
        gain_error=gain_error,
        better=better,
        n_real=len(real),
        reason=_reason(classes, gain / risks["in_proportion"], gain_error / risks["in_proportion"]),
    )


def _reason(classes: tuple[ClassRows, ...], gain: float, error: float) -> str:
    if gain > error:
        told = ", ".join(f"{of.recommended} of '{of.name}'" for of in classes)
        return (
            f"Take {told}: the predicted error is {gain:.1%} (standard error {error:.1%}) lower "
            "than with all classes in the generator's proportion."
        )
    total = sum(of.recommended for of in classes)
    return (
        f"Take {total} synthetic rows in the generator's proportion: ratios of their own for the "
        f"classes change the predicted error by {-gain:+.1%} (standard error {error:.1%})."
    )
