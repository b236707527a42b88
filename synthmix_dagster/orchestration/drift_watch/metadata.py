"""Drift as Dagster metadata: what a batch records, and what a check shows of the judged history."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from synthmix_dagster.distance.estimate import signed_root
from synthmix_dagster.drift.display import drift_markdown
from synthmix_dagster.drift.history import Observation
from synthmix_dagster.drift.report import DriftReport, SeriesReport
from synthmix_dagster.orchestration.metadata_keys import BatchMetadata, DriftMetadata
from synthmix_dagster.orchestration.sparklines import compact_drift

#: Columns of the table of series.
_COLUMNS = {
    "series": "string",
    "status": "string",
    "unit": "string",
    "batches": "int",
    "since": "string",
    "before": "float",
    "after": "float",
    "columns": "string",
}


def of_observations(
    observations: Mapping[str, Observation], version: str | None, notes: Sequence[str]
) -> Mapping[str, Any]:
    """What one batch records: a scalar a series to plot, and one entry to judge from later."""
    scores = {
        f"{name}_drift": signed_root(seen.square)
        for name, seen in observations.items()
        # The gap has a key of its own.
        if name != "gap" and seen.square is not None
    }
    series = {name: asdict(_finite(seen)) for name, seen in observations.items()}
    problems = [f"{name}: {seen.problem}" for name, seen in observations.items() if seen.problem]
    return dict(
        BatchMetadata(
            **scores,
            drift=dg.MetadataValue.json({"version": version or "", "series": series}),
            generator_version=version,
            drift_notes=_notes([*notes, *problems]),
        )
    )


def of_drift(report: DriftReport) -> Mapping[str, Any]:
    """The judged history: scalars to plot, a table of the series, and the picture."""
    scalars: dict[str, Any] = {}
    for series in report.series:
        scalars[f"{series.series}_batches"] = series.counted
        if series.counted:
            last = [point for point in series.points if point.counted][-1]
            scalars[f"{series.series}_log_capital"] = last.log_martingale or 0.0
    shown = any(series.points for series in report.series)
    return dict(
        DriftMetadata(
            alarm_line=report.alarm_line,
            **scalars,
            series=dg.MetadataValue.table(
                [_row(series) for series in report.series],
                schema=dg.TableSchema([dg.TableColumn(*column) for column in _COLUMNS.items()]),
            ),
            drift_notes=_notes(
                [*report.notes, *(f"{one.series}: {n}" for one in report.series for n in one.notes)]
            ),
            drift_picture=dg.MetadataValue.md(compact_drift(report)) if shown else None,
            drift_plot=dg.MetadataValue.md(drift_markdown(report)) if shown else None,
        )
    )


def _row(series: SeriesReport) -> dg.TableRecord:
    change = series.change
    return dg.TableRecord(
        {
            "series": series.series,
            "status": series.status,
            "unit": series.unit,
            "batches": series.counted,
            "since": change.since if change else "",
            "before": change.before if change else None,
            "after": change.after if change else None,
            "columns": ", ".join(
                f"{name} {share:.0%}" for name, share in (change.columns if change else ())
            ),
        }
    )


def _notes(notes: Sequence[str]) -> dg.JsonMetadataValue | None:
    return dg.MetadataValue.json(list(notes)) if notes else None


def _finite(seen: Observation) -> Observation:
    """JSON has no NaN: what is not a number is stored as missing, with the reason."""
    values = (seen.square, *seen.blocks)
    if all(value is None or math.isfinite(value) for value in values):
        return seen
    return Observation(None, seen.rows, seen.fingerprint, seen.terms, problem="it is not a number")
