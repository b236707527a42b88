"""The answer to "how far": one frozen result that gates, metadata and plots read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthmix_dagster.data.profile import Profile
from synthmix_dagster.distance.classes import ClassShift
from synthmix_dagster.distance.classifier import ClassifierTest
from synthmix_dagster.distance.differences import Difference
from synthmix_dagster.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Interval = tuple[float, float]


@dataclass(frozen=True)
class ColumnGap:
    """What one column has to do with the gap.

    Attributes
    ----------
    column : str
        Name in the user's data.
    part : float
        Its part of the squared gap; the parts of all columns sum to the debiased square of the
        rows that were sampled.
    gap : float
        Debiased, signed distance of this column by itself, in real standard deviations.
    real_missing, synthetic_missing : float
        Shares of missing values.
    unseen : int
        Synthetic values with a level that no real row has.
    clipped : int
        Synthetic values beyond the real extremes, where ranks end.
    """

    column: str
    part: float
    gap: float
    real_missing: float
    synthetic_missing: float
    unseen: int = 0
    clipped: int = 0


@dataclass(frozen=True)
class WorstDirection:
    """A direction along which the two sides differ most.

    Attributes
    ----------
    gap : float
        Debiased, signed distance along it, from rows that were not used to find it.
    columns : tuple of (str, float)
        The columns it leans on, and how much: shares of its squared length, the largest first.
    """

    gap: float
    columns: tuple[tuple[str, float], ...]


@dataclass(frozen=True, repr=False)
class DistanceReport(Result):
    """How far the synthetic rows are from the real ones.

    Attributes
    ----------
    gap : float
        Debiased Wasserstein distance with the sign of its square, in real standard deviations.
        Negative means indistinguishable at this sample size.
    gap_squared : float
        The debiased square itself; this is the unbiased quantity.
    gap_per_column : float
        ``gap / sqrt(dimension)``.
    floor : float
        What two folds of the real rows show by chance: nobody gets below it without debiasing.
    p_value : float, optional
        Share of random relabellings that are at least as far apart; None without permutations.
    interval : tuple of float, optional
        95 % confidence interval of the gap; None without permutations.
    input_gap : float, optional
        The same without the target; None where no target was named.
    conditional_gap : float, optional
        Shift of the target given the inputs, as the root mean square difference of what kernel
        ridge regression learns from either side, debiased, in real standard deviations of the
        target (for classes, one unit is another class). None where no target was named.
    conditional_interval : tuple of float, optional
        95 % confidence interval of the conditional gap.
    overlap : float, optional
        How much of the real side the conditional gap speaks for: 1 where synthetic rows have the
        same inputs, 0 where the inputs tell the sides apart, so that no labels can be compared.
    columns : tuple of ColumnGap
        What every column contributes, the largest part first.
    directions : tuple of WorstDirection
        Where the two sides differ most, the widest first.
    differences : tuple of Difference
        Plain statistics of the columns with the largest parts.
    dimension : int
        Number of encoded coordinates.
    method : str
        Estimator used.
    p : int
        Order of the distance.
    scaling : str
        How numbers became comparable.
    rows : str
        ``sample``, or ``all`` where the gap is that of every row. All else is from the sample.
    n_real, n_synthetic : int
        Rows the gap was measured on.
    n_directions, n_permutations : int
        Size of the computation.
    clipped : float
        With ``rows="all"``, share of values that fell outside the bins of the histograms.
    memory_mb : int
        What the computation was planned to need at most, the inputs not counted.
    seed : int
        Seed of directions, folds and relabellings.
    notes : tuple of str
        What a reader has to know: columns left out, levels unseen, rows sampled.
    null : tuple of float
        What random relabellings show, as gaps: their 0, 5, ..., 100 % quantiles in standard
        deviations, with what they show on average taken off. The p-value ranks a statistic of all
        rows among them, which chance moves less than the gap. Empty without permutations.
    classes : tuple of ClassShift
        How far the label of each class moved for given inputs, the worst first; of classes with at
        least 20 real rows, at most the 20 rarest. Empty without permutations, and where the target
        is not a class.
    classifier : ClassifierTest, optional
        How well a classifier tells the sides apart; None where it was not asked for.
    distinct_share : float, optional
        Effective number of distinct synthetic rows, as a share of those that were compared; None
        where real rows repeat too, so that repeats tell nothing, and in earlier reports.
    inputs : mapping of str to str
        Fingerprint of each dataset that was measured, by its name; empty where frames were handed
        to the numerics directly.
    profile : Profile, optional
        What the values of the measured synthetic rows look like, column by column. All rows that a
        gate releases are held to it.
    """

    gap: float
    gap_squared: float
    gap_per_column: float
    floor: float
    p_value: float | None
    interval: Interval | None
    input_gap: float | None
    conditional_gap: float | None
    conditional_interval: Interval | None
    overlap: float | None
    columns: tuple[ColumnGap, ...]
    directions: tuple[WorstDirection, ...]
    differences: tuple[Difference, ...]
    dimension: int
    method: str
    p: int
    scaling: str
    rows: str
    n_real: int
    n_synthetic: int
    n_directions: int
    n_permutations: int
    clipped: float
    memory_mb: int
    seed: int
    notes: tuple[str, ...]
    null: tuple[float, ...] = ()
    classes: tuple[ClassShift, ...] = ()
    classifier: ClassifierTest | None = None
    distinct_share: float | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    profile: Profile | None = None

    @property
    def worst_class(self) -> ClassShift | None:
        """The class whose label moved most; None where none was compared."""
        return self.classes[0] if self.classes else None

    @property
    def distinct_rows(self) -> float | None:
        """Effective number of distinct synthetic rows."""
        return None if self.distinct_share is None else self.distinct_share * self.n_synthetic

    @property
    def effect_size(self) -> float:
        """The gap in floors: from about 1 on, a difference would show without debiasing too."""
        return self.gap / self.floor if self.floor > 0 else float("nan")

    def __repr__(self) -> str:
        lines = [
            f"gap {self.gap:.3f}{_between(self.interval)}, floor {self.floor:.3f}, "
            f"effect size {self.effect_size:.2f}"
            + ("" if self.p_value is None else f", p = {self.p_value:.3g}")
        ]
        if self.input_gap is not None:
            lines.append(f"without the target {self.input_gap:.3f}")
        if self.conditional_gap is not None:
            lines[-1] += (
                f"; of the target given the rest {self.conditional_gap:.3f}"
                f"{_between(self.conditional_interval)}, overlap {self.overlap:.0%}"
            )
        if (shift := self.worst_class) is not None:
            lines.append(f"worst class {shift.name}: {shift.gap:.3f}{_between(shift.interval)}")
        if self.classifier is not None:
            lines.append(
                f"a classifier is right in {self.classifier.accuracy:.1%} of the cases"
                f"{_between(self.classifier.interval)}"
            )
        worst = ", ".join(f"{c.column} {c.part:.3f}" for c in self.columns[:3])
        lines.append(f"largest parts of {self.gap_squared:.3f} = gap squared: {worst}")
        lines.append(
            f"{self.method}, p = {self.p}, {self.rows} rows: {self.n_real} real, "
            f"{self.n_synthetic} synthetic, {self.dimension} coordinates, seed {self.seed}"
        )
        lines += [f"note: {note}" for note in self.notes]
        return "<DistanceReport\n  " + "\n  ".join(lines) + ">"

    def _repr_html_(self) -> str:
        from synthmix_dagster.distance.display import distance_html

        return distance_html(self)

    def plot(self, axes: "Axes | None" = None, *, threshold: float | None = None) -> "Axes":
        """Draw the gap with interval, floor and threshold, and what every column has in it.

        Parameters
        ----------
        axes : matplotlib Axes, optional
            Where to draw; a figure of its own by default.
        threshold : float, optional
            Largest gap to release.

        Returns
        -------
        matplotlib Axes
        """
        from synthmix_dagster.distance.display import plot_distance

        return plot_distance(self, axes, threshold=threshold)


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"
