"""Results as HTML for notebooks: plain tables, everything escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.ratio.recommendation import Recommendation

_STYLE = "border-collapse:collapse;margin:0.4em 0"
_CELL = "text-align:left;padding:0.1em 0.8em 0.1em 0;border-bottom:1px solid #dddddd"


def recommendation_html(recommendation: Recommendation) -> str:
    """Return a recommendation as HTML."""
    low, high = recommendation.interval
    facts: list[tuple[str, object]] = [
        ("ratio", f"{recommendation.ratio:.3g} ({low:.3g} to {high:.3g})"),
        ("chosen in nine of ten resamples", "{:.3g} to {:.3g}".format(*recommendation.resampled)),
        ("learner", recommendation.learner),
        ("shape of the curve", recommendation.shape),
        *(
            (f"predicted risk, {name.replace('_', ' ')}", risk)
            for name, risk in recommendation.baselines.items()
        ),
        ("risk", recommendation.metric),
        ("judged by", recommendation.provenance.sentence),
    ]
    if recommendation.weighted is not None:
        facts.append(("weights instead of rows", recommendation.weighted.reason))
    if recommendation.exchange is not None:
        facts.append(("worth in real rows", recommendation.exchange.reason))
    parts = [
        f"<p><b>{escape(recommendation.reason)}</b></p>",
        table((), facts),
        table(
            ("bound, a prior", "ratio", "interior", "agrees"),
            [(b.name, b.row_ratio, b.interior, b.equivalent) for b in recommendation.bounds],
        ),
        *(f"<p>{escape(note)}</p>" for note in recommendation.notes),
    ]
    return "".join(parts)


def distance_html(report: DistanceReport) -> str:
    """Return a distance report as HTML."""
    facts: list[tuple[str, object]] = [
        ("gap", readable(report.gap) + _between(report.interval)),
        ("floor", report.floor),
        ("effect size (gap / floor)", report.effect_size),
    ]
    if report.p_value is not None:
        facts.append(("p-value", report.p_value))
    if report.input_gap is not None:
        facts.append(("gap without the target", report.input_gap))
    if report.conditional_gap is not None:
        facts.append(
            (
                "gap of the target given the rest",
                readable(report.conditional_gap) + _between(report.conditional_interval),
            )
        )
        facts.append(("overlap of the inputs", report.overlap))
    facts.append(
        (
            "measured on",
            f"{report.n_real} real and {report.n_synthetic} synthetic rows "
            f"({report.method}, p = {report.p}, {report.scaling} scaling, {report.rows} rows)",
        )
    )
    if report.rows == "all":
        facts.append(("share of values beyond the bins", report.clipped))
    parts = [
        "<p><b>How far the synthetic rows are from the real ones</b>, in real standard "
        "deviations</p>",
        table((), facts),
        table(
            (
                "column",
                "part of squared gap",
                "gap by itself",
                "missing real",
                "missing synthetic",
                "unseen",
                "clipped",
            ),
            [
                (c.column, c.part, c.gap, c.real_missing, c.synthetic_missing, c.unseen, c.clipped)
                for c in report.columns[:10]
            ],
        ),
        table(
            ("widest direction: gap", "leans on"),
            [
                (d.gap, ", ".join(f"{name} {share:.0%}" for name, share in d.columns))
                for d in report.directions
            ],
        ),
        table(
            ("what differs", "statistic", "real", "synthetic"),
            [(row.column, row.statistic, row.real, row.synthetic) for row in report.differences],
        ),
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return "".join(parts) + (f"<ul>{notes}</ul>" if notes else "")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as an HTML table, or nothing where there are none."""
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(readable(v))}</td>' for v in row) + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    titles = "".join(f'<th style="{_CELL}">{escape(title)}</th>' for title in head)
    return (
        f'<table style="{_STYLE}">' + (f"<tr>{titles}</tr>" if titles else "") + f"{body}</table>"
    )


def readable(value: object) -> str:
    """A number with four significant digits, a dash for nothing, text as it is.

    Examples
    --------
    >>> readable(0.123456), readable(1234567.0), readable(None), readable("red")
    ('0.1235', '1,234,567', '-', 'red')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def _between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"
