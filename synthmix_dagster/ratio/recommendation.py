"""The answer to "how much": one frozen result that assets, metadata and plots read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthmix_dagster.ratio.bounds import Bound
from synthmix_dagster.ratio.decision import EQUIVALENT
from synthmix_dagster.ratio.exchange import ExchangeRate
from synthmix_dagster.ratio.options import FlatCurve
from synthmix_dagster.ratio.posterior_rule import PriorEffect
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.ratio.scoring import Score
from synthmix_dagster.ratio.weighted import WeightedOptimum
from synthmix_dagster.results import OrInfinite, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class CurvePoint:
    """One candidate on the risk curve.

    Attributes
    ----------
    ratio : float
        Synthetic rows divided by real rows.
    rows : int
        Synthetic rows.
    risk : float
        Predicted test risk.
    excess_error : float
        Standard error of the paired difference in risk to the best candidate.
    equivalent : bool
        Whether that difference is within chance, see `decision.EQUIVALENT`.
    """

    ratio: float
    rows: int
    risk: float
    excess_error: float
    equivalent: bool


@dataclass(frozen=True)
class Recommendation(Result):
    """How many synthetic rows to add for each real one, and why.

    Attributes
    ----------
    ratio : float
        Recommended synthetic rows per real row; 0 means none.
    interval : tuple of float
        Lowest and highest ratio that may be the best one. Under the posterior rule it held the
        ratio that is truly best in nine of ten cases of datasets that were left out; otherwise it
        is what is statistically indistinguishable from the best, and held it in four of five.
    resampled : tuple of float
        Between which ratios the choice lies in nine of ten bootstrap samples of the judging rows.
    rule : str
        How the ratio was chosen: ``posterior``, or one of the rules on the risk path alone.
    learner : str
        Whose risk was predicted: ``kernel``, ``linear``, ``trees`` or the name of an estimator.
    shape : {"flat", "decreasing", "increasing", "u-shaped"}
        What the risk curve does as synthetic rows are added.
    curve : tuple of CurvePoint
        Predicted risk of every candidate ratio: of the posterior where `experience` took part,
        else on the risk path.
    refits : tuple of CurvePoint
        Measured risk of the learner itself at the few ratios that the path proposed, for ``trees``
        and for an estimator. Where there are any they decide, and interval, shape and baselines are
        theirs.
    baselines : mapping of str to float
        Predicted risk of the usual guesses: ``none``, ``one_to_one``, ``all`` (the last two only
        where there are enough synthetic rows) and of the ``recommended`` ratio.
    weighted : WeightedOptimum, optional
        All synthetic rows with a weight instead of some of them, for learners that take weights.
        Of the risk path; None where it may not decide, or no synthetic rows are allowed.
    exchange : ExchangeRate, optional
        What the rows that the path prefers are worth in real ones, and the best ratio once there
        are more of these. None as before.
    bounds : tuple of Bound
        Closed-form priors, reported beside the curve with how far they disagree with it; they do
        not decide.
    critical_gap : float
        Gap from which the stability bound would take no synthetic rows, for `n_real` rows and the
        noise in them; infinite where there is none. A prior, see `bounds.critical_gap`.
    reason : str
        The recommendation in one sentence.
    metric : str
        What a risk is: ``mean squared error in real variances``, ``Brier score``, or a score with
        its unit.
    score : Score, optional
        What `refits` and `baselines` are judged by, if it was set: a risk is the score times -1
        there, and ``score.shown(risk)`` what a reader sees. The curve stays that of the risk path.
    provenance : Provenance
        Which rows the risk was measured on, and whether the generator may have seen them.
    n_real, n_synthetic : int
        Rows used to compute the curve.
    seed : int
    notes : tuple of str
        What a reader has to know, such as a bound that disagrees.
    experience : PriorEffect, optional
        What other datasets did to the curve, beside what the rows at hand alone say. None where
        they took no part.
    inputs : mapping of str to str
        Fingerprints of the datasets it was computed from, by their names.
    flat_curve : {"none", "rows"}, optional
        What the user wants released where the curve is flat.
    absent : tuple of str
        Classes and levels that the real rows have and the synthetic rows lack, beyond chance.
    """

    ratio: float
    interval: tuple[float, float]
    resampled: tuple[float, float]
    rule: str
    learner: str
    shape: str
    curve: tuple[CurvePoint, ...]
    refits: tuple[CurvePoint, ...]
    baselines: Mapping[str, float]
    weighted: WeightedOptimum | None
    exchange: ExchangeRate | None
    bounds: tuple[Bound, ...]
    critical_gap: OrInfinite
    reason: str
    metric: str
    provenance: Provenance
    n_real: int
    n_synthetic: int
    seed: int
    notes: tuple[str, ...] = field(default=())
    experience: PriorEffect | None = None
    score: Score | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    flat_curve: FlatCurve | None = None

    @property
    def meaning_of_interval(self) -> str:
        """What the interval is, to be read after its ends."""
        if self.experience is not None:
            return "holds the best ratio in nine of ten cases"
        return f"within {EQUIVALENT:g} standard errors of the best"

    @property
    def undecided(self) -> bool:
        """Whether the curve is flat, and nobody has said which of two equal choices to release."""
        # Who asked for the fewest rows has said it.
        said = self.flat_curve is not None or self.rule == "smallest_equivalent"
        flat = self.shape == "flat"
        if self.experience is None:
            # None is as good as the best ratio, though the largest may be worse.
            flat = flat or (self.ratio > 0 and (self.refits or self.curve)[0].equivalent)
        return flat and self.curve[-1].ratio > 0 and self.provenance.trusted and not said

    @property
    def risk_name(self) -> str:
        """What `shown` values are called: ``risk``, or the name of the score."""
        return "risk" if self.score is None else self.score.name

    @property
    def shown(self) -> dict[str, float]:
        """The baselines as a reader sees them: risks, or scores where there is a score."""
        score = self.score
        return {
            name: risk if score is None else score.shown(risk)
            for name, risk in self.baselines.items()
        }

    def __repr__(self) -> str:
        low, high = self.interval
        risks = ", ".join(f"{name}={value:.3g}" for name, value in self.shown.items())
        return (
            f"Recommendation(ratio={self.ratio:.3g}, interval=({low:.3g}, {high:.3g}), "
            f"shape={self.shape!r}, {self.risk_name}: {risks})"
        )

    def _repr_html_(self) -> str:
        from synthmix_dagster.ratio.display import recommendation_html

        return recommendation_html(self)

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the risk curve with its interval, bounds and baselines."""
        from synthmix_dagster.ratio.display import plot_risk_curve

        return plot_risk_curve(self, axes)
