"""Judge a history: which series moved, since which batch, by how much, and in which columns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.distance.estimate import signed_root
from synthmix_dagster.drift import blocks, dependence
from synthmix_dagster.drift.control import ControlChart, change_point, control_chart
from synthmix_dagster.drift.history import Batch, Selection, select
from synthmix_dagster.drift.martingale import log_martingale, tie_breakers
from synthmix_dagster.drift.promise import as_promised
from synthmix_dagster.drift.report import (
    STATUSES,
    Change,
    DriftReport,
    Point,
    SeriesReport,
    Status,
)
from synthmix_dagster.drift.series import DAILY, Unit
from synthmix_dagster.drift.standing import StandingAlarm, declared_of, on_earlier_terms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A gap may fall as well as rise; a distance to a reference that falls is no drift.
TWO_SIDED = {"gap": True, "generator": False, "reality": False}
#: Columns that are named, and the share of a change that is worth naming.
MAX_COLUMNS = 5
MIN_SHARE = 0.05


class Rule(NamedTuple):
    """How one history is judged: see `judge_history`."""

    line: float
    history: int
    seasons: tuple[float, ...] | None


def judge_history(
    batches: Sequence[Batch],
    *,
    units: Mapping[str, Unit],
    delta: float = 0.01,
    history: int = 5,
    seasons: tuple[float, ...] | None = DAILY,
    threshold: float | None = None,
    notes: Sequence[str] = (),
    standing: Sequence[StandingAlarm] = (),
) -> DriftReport:
    """Judge all series of a history.

    Parameters
    ----------
    batches : sequence of Batch
        In any order; see `drift.history` for the rules.
    units : mapping of str to {"batch", "block"}
        The series to watch, and what to rank in each.
    delta : float
        Most chance of ever raising a false alarm. It is shared out evenly: each series has its
        alarm at ``n_series / delta``, so that the chance that any of them ever does is at most
        delta, whatever they have to do with each other.
    history : int
        Batches that are taken as normal; no bet is made before.
    seasons : tuple of float, optional
        Lengths of the seasons that scores by batch may have beside autocorrelation, in batches.
        None declares that batches are exchangeable: neither of both is allowed for.
    threshold : float, optional
        Largest gap that may be released, to be shown.
    notes : sequence of str
        Remarks of the caller to keep with the result.
    standing : sequence of StandingAlarm
        Alarms of the declared version and baseline that were raised before. They stand, whatever
        the history shows.

    Returns
    -------
    DriftReport

    Examples
    --------
    >>> from synthmix_dagster.drift.history import Observation
    >>> def batch(day, square):
    ...     seen = Observation(square, 1000, f"rows {day}", {}, columns={"x": square})
    ...     return Batch(f"day {day}", str(day), None, 0, float(day), "", {"gap": seen})
    >>> squares = [0.1 + day % 7 / 100 + (day > 40) for day in range(60)]
    >>> batches = [batch(*each) for each in enumerate(squares)]
    >>> report = judge_history(batches, units={"gap": "batch"})
    >>> report.status, report.series[0].change.since, report.series[0].change.columns
    ('alarm', 'day 41', (('x', 1.0),))
    """
    line = math.log(len(units) / delta)
    rule = Rule(line, history, seasons)
    series = tuple(
        _with_standing(
            _judge(select(batches, name, unit), name, unit, rule), batches, standing, rule
        )
        for name, unit in units.items()
    )
    worst = max((one.status for one in series), key=STATUSES.index)
    if worst == "short" and any(one.status == "quiet" for one in series):
        worst = "quiet"
    return DriftReport(worst, series, delta, line, history, threshold, tuple(notes))


def _with_standing(
    one: SeriesReport,
    batches: Sequence[Batch],
    standing: Sequence[StandingAlarm],
    rule: Rule,
) -> SeriesReport:
    """Let an alarm stand that was raised on earlier terms, or was recorded.

    Every history of one version and baseline is judged by the same line; the first that alarmed is
    named.
    """
    if one.status == "alarm":
        return one
    kept = next((alarm for alarm in standing if alarm.series == one.series), None)
    unit: Unit = "block" if one.unit == "block" else "batch"
    for earlier in on_earlier_terms(batches, one.series):
        if kept is not None:
            break
        selection = select(earlier, one.series, unit)
        kept = _judge(selection, one.series, unit, rule).alarm_to_keep
    return one if kept is None else replace(one, status="alarm", standing=kept)


def _judge(selection: Selection, name: str, unit: Unit, rule: Rule) -> SeriesReport:
    kept = [batch.series[name] for batch in selection.batches]
    squares = np.array([one.square for one in kept], dtype=np.float64)
    status: Status = "short"
    alarm, change, chart, capital = None, None, None, np.zeros(len(kept))
    notes = selection.notes
    if len(kept) > rule.history:
        capital, distances, more = _capital(selection, name, unit, rule)
        notes += more
        chart = control_chart(squares, rule.history)
        alarm = _alarm(selection, name, unit, rule, capital)
        if alarm is not None:
            # An alarm stands: drift that lasts becomes ordinary to ranks, but is no less drift.
            status = "alarm"
        elif chart.outside[-1] or capital[-1] >= rule.line:
            status = "watch"
        else:
            status = "quiet"
        first = len(kept)
        if status != "quiet":
            first = change_point(*_scores(selection.batches, name, unit))
            change = _change(selection.batches, name, squares, first)
        spread = None if distances is None else blocks.day_effects(distances[:first])
        if spread is not None:
            notes += (
                f"its batches differ {spread:.1f} times as much as independent rows would; such "
                "day effects are allowed for, and delay an alarm",
            )
    if selection.problem and status != "alarm":
        status = "unable"
    return SeriesReport(
        series=name,
        unit=unit,
        status=status,
        points=_points(selection, name, chart, capital),
        log_martingale=float(np.max(capital, initial=0.0)),
        alarm=alarm,
        change=change,
        problem=selection.problem,
        notes=notes,
        declared=declared_of(selection.terms),
    )


def _alarm(selection: Selection, name: str, unit: Unit, rule: Rule, capital: Floats) -> str | None:
    """First batch at which the capital was over the line, of those that count.

    The bound holds for one order of arrival. A batch that comes late makes another history of all
    that is after it; to look at each anew would be to have more than one chance. So capital counts
    only at batches that came when all before them were there.
    """
    known = selection.in_order()
    if len(known.batches) < len(selection.batches):
        if len(known.batches) <= rule.history:
            return None
        capital, _, _ = _capital(known, name, unit, rule)
    over = np.flatnonzero((capital >= rule.line) & np.array(known.judged()))
    return known.batches[int(over[0])].label if len(over) else None


def _capital(
    selection: Selection, name: str, unit: Unit, rule: Rule
) -> tuple[Floats, Floats | None, tuple[str, ...]]:
    """Log capital after every batch, how far batches are from the past by their blocks, and notes.

    By block, half of the capital is bet on blocks and half on the whole batches: blocks know sooner
    what is ordinary, the score of all rows sees smaller changes. The mean of two fair bets is fair.
    By batch, the smaller of two capitals counts, so that an alarm needs a change that neither the
    order of exchangeable batches nor autocorrelation and seasons explain.
    """
    batches, history = selection.batches, rule.history
    ties = np.concatenate([tie_breakers(f"{name}|{batch.key}", 1) for batch in batches])
    usual = np.array([batch.key not in selection.odd for batch in batches])
    squares = np.array([batch.series[name].square for batch in batches], dtype=np.float64)
    whole = log_martingale(squares[usual], ties[usual], warm_up=history, two_sided=TWO_SIDED[name])
    if unit == "batch":
        if rule.seasons is None:
            return whole, None, ()
        places = _places(batches)
        found = dependence.evidence(squares, places, warm_up=history, seasons=rule.seasons)
        both = np.minimum(whole, found.log_capital)
        kept = as_promised(both, squares, places, rule.seasons, rule.line)
        notes = found.notes(whole, rule.line)
        if both.max() >= rule.line > kept.max():
            notes += (
                "its scores resemble those before them and their noise is not normal, so that a "
                "jump that decays looks like a change: the monitor cannot promise its bound here, "
                "and raises no alarm",
            )
        return kept, None, notes
    scores, ends = _scores(batches, name, unit)
    counts = np.diff(ends, prepend=0).tolist()
    dealt = np.concatenate(
        [
            tie_breakers(f"{name}|{batch.key}|blocks", count)
            for batch, count in zip(batches, counts, strict=True)
        ]
    )
    # A batch of another size is bet on by its blocks alone; on the whole batches nothing is won.
    carried = np.concatenate(([0.0], whole))[np.cumsum(usual)]
    won = blocks.log_capital_of_blocks(scores, dealt, ends, warm_up=history)
    return np.logaddexp(carried, won) - math.log(2), blocks.distances(scores, ends), ()


def _places(batches: Sequence[Batch]) -> Floats:
    """Places of batches in time: those of their partitions, or their order where there are none."""
    places = np.array([batch.position for batch in batches], dtype=np.float64)
    rising = bool(np.all(np.diff(places) > 0))
    return places if rising else np.arange(len(batches), dtype=np.float64)


def _scores(batches: Sequence[Batch], name: str, unit: Unit) -> tuple[Floats, Ints]:
    """Scores in order, and their number up to the end of each batch."""
    if unit == "block":
        by_batch = [batch.series[name].blocks for batch in batches]
    else:
        by_batch = [(float(batch.series[name].square or 0.0),) for batch in batches]
    scores = np.array([score for one in by_batch for score in one], dtype=np.float64)
    return scores, np.cumsum([len(one) for one in by_batch])


def _change(batches: Sequence[Batch], name: str, squares: Floats, first: int) -> Change:
    kept = [batch.series[name] for batch in batches]
    old, new = float(np.mean(squares[:first])), float(np.mean(squares[first:]))
    spread = float(np.std(squares[:first], ddof=1)) if first > 1 else 0.0
    names = sorted({column for one in kept for column in one.columns})
    parts = np.array([[one.columns.get(column, 0.0) for column in names] for one in kept])
    parts = parts.reshape(len(kept), len(names))
    moved = np.mean(parts[first:], axis=0) - np.mean(parts[:first], axis=0)
    # Where the gap fell, the columns that fell are responsible.
    moved *= np.sign(new - old)
    whole = float(np.sum(moved[moved > 0]))
    shares = [
        (names[i], float(moved[i]) / whole)
        for i in np.argsort(-moved, kind="stable")[:MAX_COLUMNS].tolist()
        if moved[i] >= MIN_SHARE * whole > 0
    ]
    return Change(
        since=batches[first].label,
        batches=len(batches) - first,
        before=signed_root(old),
        after=signed_root(new),
        deviations=(new - old) / spread if spread > 0 else None,
        columns=tuple(shares),
    )


def _points(
    selection: Selection, name: str, chart: ControlChart | None, capital: Floats
) -> tuple[Point, ...]:
    points = []
    for i, batch in enumerate(selection.batches):
        one = batch.series[name]
        limits = {}
        if chart is not None:
            limits = {
                key: signed_root(float(values[i]))
                for key, values in (
                    ("average", chart.average),
                    ("low", chart.low),
                    ("high", chart.high),
                )
                if math.isfinite(values[i])
            }
        points.append(
            Point(
                batch.label,
                batch.version,
                signed_root(float(one.square or 0.0)),
                True,
                one.floor,
                log_martingale=float(capital[i]),
                **limits,
            )
        )
    places = {batch.key: i for i, batch in enumerate(selection.batches)}
    shown = dict(zip(places, points, strict=True))
    for batch in selection.others:
        one = batch.series[name]
        shown[batch.key] = Point(
            batch.label, batch.version, signed_root(float(one.square or 0.0)), False, one.floor
        )
    everyone = sorted(
        [*selection.batches, *selection.others],
        key=lambda each: (each.position, each.partition or "", each.time),
    )
    return tuple(shown[batch.key] for batch in everyone)
