"""Drift as Dagster metadata: what a batch records, and what a check shows of the judged history."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from synthmix_dagster.distance.estimate import signed_root
from synthmix_dagster.drift.display import drift_markdown
from synthmix_dagster.drift.history import Observation
from synthmix_dagster.drift.report import DriftReport
from synthmix_dagster.orchestration.sparklines import compact_drift

#: Where a materialisation keeps what the history is read from.
RECORD = "synthmix/drift"


def of_observations(
    observations: Mapping[str, Observation], version: str | None, notes: Sequence[str]
) -> dict[str, Any]:
    """What one batch records: a scalar a series to plot, and one entry to judge from later."""
    scalars = {
        f"synthmix/{name}_drift": signed_root(seen.square)
        for name, seen in observations.items()
        # The gap has a key of its own.
        if name != "gap" and seen.square is not None and math.isfinite(seen.square)
    }
    series = {name: asdict(_finite(seen)) for name, seen in observations.items()}
    found: dict[str, Any] = {
        **scalars,
        RECORD: dg.MetadataValue.json({"version": version or "", "series": series}),
    }
    if version is not None:
        found["synthmix/generator_version"] = version
    problems = [f"{name}: {seen.problem}" for name, seen in observations.items() if seen.problem]
    if said := [*notes, *problems]:
        found["synthmix/drift_notes"] = said
    return found


def of_drift(report: DriftReport) -> dict[str, Any]:
    """The judged history: scalars to plot, a table of the series, and the picture."""
    found: dict[str, Any] = {"synthmix/alarm_line": report.alarm_line}
    for one in report.series:
        found[f"synthmix/{one.series}_batches"] = one.counted
        if one.counted:
            last = [point for point in one.points if point.counted][-1]
            found[f"synthmix/{one.series}_log_capital"] = last.log_martingale or 0.0
    rows = [
        {
            "series": one.series,
            "status": one.status,
            "unit": one.unit,
            "batches": one.counted,
            "since": one.change.since if one.change else "",
            "before": one.change.before if one.change else None,
            "after": one.change.after if one.change else None,
            "columns": ", ".join(
                f"{name} {share:.0%}" for name, share in (one.change.columns if one.change else ())
            ),
        }
        for one in report.series
    ]
    found["synthmix/series"] = dg.MetadataValue.table(
        [dg.TableRecord(row) for row in rows],
        schema=dg.TableSchema(
            [
                dg.TableColumn(name, "int" if name == "batches" else kind)
                for name, kind in (
                    ("series", "string"),
                    ("status", "string"),
                    ("unit", "string"),
                    ("batches", "int"),
                    ("since", "string"),
                    ("before", "float"),
                    ("after", "float"),
                    ("columns", "string"),
                )
            ]
        ),
    )
    notes = [*report.notes, *(f"{one.series}: {n}" for one in report.series for n in one.notes)]
    if notes:
        found["synthmix/drift_notes"] = notes
    if any(one.points for one in report.series):
        found["synthmix/drift_picture"] = dg.MetadataValue.md(compact_drift(report))
        found["synthmix/drift_plot"] = dg.MetadataValue.md(drift_markdown(report))
    return found


def _finite(seen: Observation) -> Observation:
    """JSON knows no nan: what is not a number is stored as missing, with the reason."""
    values = (seen.square, *seen.blocks)
    if all(value is None or math.isfinite(value) for value in values):
        return seen
    return Observation(None, seen.rows, seen.fingerprint, seen.terms, problem="it is not a number")
