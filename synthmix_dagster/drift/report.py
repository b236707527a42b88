"""The answer to "since when": one frozen result that the check, metadata and plots read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from synthmix_dagster.drift.standing import StandingAlarm
from synthmix_dagster.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Status = Literal["short", "quiet", "watch", "unable", "alarm"]
#: From harmless to worst.
STATUSES: tuple[Status, ...] = ("quiet", "short", "watch", "unable", "alarm")


@dataclass(frozen=True)
class Point:
    """One batch of one series.

    Attributes
    ----------
    label : str
        Partition, or time of the run.
    version : str
        Version of the generator.
    gap : float
        Signed distance, in real standard deviations.
    counted : bool
        Whether the martingale has seen it; the rest is None where it has not.
    floor : float, optional
        What chance alone shows.
    average, low, high : float, optional
        Moving average and its control limits, as distances.
    log_martingale : float, optional
        Natural logarithm of the capital after this batch.
    """

    label: str
    version: str
    gap: float
    counted: bool
    floor: float | None = None
    average: float | None = None
    low: float | None = None
    high: float | None = None
    log_martingale: float | None = None


@dataclass(frozen=True)
class Change:
    """What moved, since when, and by how much.

    Attributes
    ----------
    since : str
        Batch that the change most likely began with.
    batches : int
        Batches since then, that one included.
    before, after : float
        Distance before and since, in real standard deviations.
    deviations : float, optional
        The change in standard deviations that the score of a batch had before it.
    columns : tuple of (str, float)
        Columns that moved with it, and their shares of the change, the largest first.
    """

    since: str
    batches: int
    before: float
    after: float
    deviations: float | None
    columns: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class SeriesReport:
    """One series and what is to be said of it.

    Attributes
    ----------
    series : str
        ``gap``, ``generator`` or ``reality``.
    unit : {"batch", "block"}
        What was ranked.
    status : str
        ``short`` (too little history), ``quiet``, ``watch`` (moving average beyond its limits, or
        capital over the line but for batches that came late),
        ``unable`` (the latest batch cannot be judged) or ``alarm``.
    points : tuple of Point
        All batches that have a score, in order.
    log_martingale : float
        Highest logarithm of the capital so far.
    alarm : str, optional
        First batch at which the capital was over the line.
    change : Change, optional
        For ``watch`` and ``alarm``.
    problem : str
        Why the latest batch cannot be judged.
    notes : tuple of str
        Which batches were left out, and why.
    declared : mapping of str to str
        Version and baseline that these batches were declared with.
    standing : StandingAlarm, optional
        An alarm of the same version and baseline that these batches alone do not raise: it was
        raised on other terms, or its history is gone.
    """

    series: str
    unit: str
    status: Status
    points: tuple[Point, ...]
    log_martingale: float
    alarm: str | None
    change: Change | None
    problem: str
    notes: tuple[str, ...]
    declared: Mapping[str, str] = field(default_factory=dict)
    standing: StandingAlarm | None = None

    @property
    def counted(self) -> int:
        """Number of batches that were judged."""
        return sum(point.counted for point in self.points)

    @property
    def latest_capital(self) -> float:
        """Logarithm of the capital after the latest batch that was judged."""
        found = [point.log_martingale for point in self.points if point.counted]
        return (found[-1] or 0.0) if found else 0.0

    @property
    def moved(self) -> str:
        """What moved since when, by how much and in which columns; empty without a change."""
        change = self.change
        if change is None:
            return ""
        columns = ", ".join(f"{name} ({share:.0%})" for name, share in change.columns[:3])
        words = (
            f"{_MOVED[self.series]} since batch {change.since} ({change.batches} "
            f"batch{'' if change.batches == 1 else 'es'}), from {change.before:.3f} to "
            f"{change.after:.3f} standard deviations"
        )
        if change.deviations is not None:
            words += f", {abs(change.deviations):.1f} deviations of its score"
        return f"{words}; columns: {columns}" if columns else words

    @property
    def alarm_to_keep(self) -> StandingAlarm | None:
        """The alarm that these batches raise, or that stands from before."""
        if self.alarm is None or self.change is None:
            return self.standing
        return StandingAlarm(
            self.series, self.change.since, self.alarm, self.moved, dict(self.declared)
        )


_MOVED = {
    "gap": "the gap between real and synthetic moved",
    "generator": "the generator moved away from its reference",
    "reality": "the real data moved away from their reference",
}


@dataclass(frozen=True, repr=False)
class DriftReport(Result):
    """Whether anything moved, since when, by how much and in which columns.

    Attributes
    ----------
    status : str
        The worst of its series.
    series : tuple of SeriesReport
    delta : float
        Most chance of ever raising a false alarm, all series together.
    alarm_line : float
        Logarithm of the capital that is an alarm: ``log(n_series / delta)``.
    history : int
        Batches that are taken as the history before anything is judged.
    threshold : float, optional
        Largest gap that may be released.
    notes : tuple of str
    """

    status: Status
    series: tuple[SeriesReport, ...]
    delta: float
    alarm_line: float
    history: int
    threshold: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there is nothing to look at."""
        return self.status in ("short", "quiet")

    @property
    def sentence(self) -> str:
        """What was found and what to do next, for a person."""
        said = " ".join(self._said(one) for one in self.series if one.status == self.status)
        if self.status == "alarm":
            return (
                f"{said} The chance of ever raising a false alarm is at most {self.delta:.2g}. "
                f"{self._remedy}"
            )
        watched = [one for one in self.series if one.counted > self.history]
        if self.status == "quiet":
            lengths = ", ".join(f"{one.series} over {one.counted} batches" for one in watched)
            said = f"Nothing moved: {lengths}."
        return said + "".join(f" {note[0].upper()}{note[1:]}." for note in self.notes)

    @property
    def _remedy(self) -> str:
        """What clears the alarms that stand."""
        raised = [one.series for one in self.series if one.status == "alarm"]
        if "reality" in raised:
            clears = "a new 'baseline', which accepts it as the new normal"
        else:
            clears = (
                "a new 'generator_version' for a fixed generator, or a new 'baseline', which "
                "accepts it as the new normal"
            )
        return f"The alarm stands until you declare {clears}. No other setting clears it."

    def _said(self, one: SeriesReport) -> str:
        if one.status == "short":
            return (
                f"The history of {one.series} is short: {one.counted} comparable "
                f"batch{'' if one.counted == 1 else 'es'}, more than {self.history} are needed."
            )
        if one.status == "unable":
            return f"The latest batch of {one.series} cannot be judged: {one.problem}."
        if one.standing is not None:
            return (
                f"The alarm of {one.series} stands since batch {one.standing.since}: it was raised "
                f"at batch {one.standing.raised}, when {one.standing.finding}. The latest batches "
                "cannot clear it: they were measured on other terms, or the history is shorter."
            )
        moved = one.moved
        if not moved:
            return ""
        if one.status == "watch" and one.latest_capital >= self.alarm_line:
            return (
                "The evidence is over the alarm line, but batches came late, after later ones: "
                f"perhaps {moved}. It counts from the next batch on that comes in order."
            )
        if one.status == "watch":
            return f"The moving average is beyond its control limits: perhaps {moved}."
        return f"{moved[0].upper()}{moved[1:]}."

    def __repr__(self) -> str:
        lines = [f"{self.status}: {self.sentence}"]
        for one in self.series:
            last = f", last {one.points[-1].gap:.3f}" if one.points else ""
            lines.append(
                f"{one.series} by {one.unit}: {one.status}, {one.counted} of {len(one.points)} "
                f"batches{last}, log capital at most {one.log_martingale:.2f} of "
                f"{self.alarm_line:.2f}"
            )
            lines += [f"  note: {note}" for note in one.notes]
        return "<DriftReport\n  " + "\n  ".join(lines) + ">"

    def _repr_html_(self) -> str:
        from synthmix_dagster.drift.display import drift_html

        return drift_html(self)

    def plot(self, axes: "list[Axes] | None" = None) -> "list[Axes]":
        """Draw every series with its moving average, and the capital against its alarm line.

        Parameters
        ----------
        axes : list of matplotlib Axes, optional
            One for each series and one more; a figure of its own by default.

        Returns
        -------
        list of matplotlib Axes
        """
        from synthmix_dagster.drift.display import plot_drift

        return plot_drift(self, axes)
