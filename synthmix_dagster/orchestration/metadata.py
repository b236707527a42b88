"""Results as Dagster metadata: one scalar a key, so that Dagster plots each of them over time.

Keys are ``synthmix/<word of the vocabulary>``. Rows of the user never get in here: metadata is
copied to the event log and stays there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
import pyarrow as pa

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.schema_contract import Violation
from synthmix_dagster.display.formatting import readable
from synthmix_dagster.distance.display import distance_markdown
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.orchestration.sparklines import (
    compact_composition,
    compact_distance,
    compact_ratio,
)
from synthmix_dagster.ratio.display import risk_curve_markdown
from synthmix_dagster.ratio.memorisation import Memorisation
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.display import composition_markdown
from synthmix_dagster.release.handle import Release
from synthmix_dagster.release.report.page import REPORT

Metadata = Mapping[str, Any]

#: Columns listed in the table of gaps.
WORST_COLUMNS = 10


def of_dataset(dataset: Dataset, place: str | None = None) -> Metadata:
    """Rows, schema and fingerprint of an ingested dataset, and where it lies.

    Parameters
    ----------
    dataset : Dataset
    place : str, optional
        Path or URI; user names, passwords and parameters in it are left out.
    """
    return {
        **({} if place is None else {"dagster/uri": without_secrets(place)}),
        "dagster/row_count": dataset.rows,
        "dagster/column_schema": _schema(dataset.schema),
        "synthmix/fingerprint": dataset.fingerprint,
        "synthmix/files": len(dataset.files),
    }


def without_secrets(place: str) -> str:
    """A path or URI without what may be secret in it.

    Examples
    --------
    >>> without_secrets("s3://key:secret@bucket/data?token=1"), without_secrets("data/a@b.csv")
    ('s3://bucket/data', 'data/a@b.csv')
    """
    scheme, separator, rest = place.partition("://")
    if not separator:
        return place
    host, slash, path = rest.split("?", 1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def of_distance(report: DistanceReport, threshold: float | None) -> Metadata:
    """Gap, floor and p-value, with a table of the columns that make it up."""
    return {
        **picture_of(report, threshold),
        **of_gate(report, threshold),
        **_finite(
            {
                "synthmix/gap_squared": report.gap_squared,
                **_ends("gap", report.interval),
                "synthmix/gap_per_column": report.gap_per_column,
                "synthmix/effect_size": report.effect_size,
                "synthmix/input_gap": report.input_gap,
                **_ends("conditional_gap", report.conditional_interval),
            }
        ),
        "synthmix/rows": report.rows,
        "synthmix/rows_real": report.n_real,
        "synthmix/rows_synthetic": report.n_synthetic,
        "synthmix/method": report.method,
        "synthmix/order": report.p,
        "synthmix/scaling": report.scaling,
        "synthmix/clipped": report.clipped,
        "synthmix/seed": report.seed,
        "synthmix/parts_of_gap": dg.MetadataValue.md(distance_markdown(report, threshold)),
        "synthmix/columns": dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "column": column.column,
                        "part_of_squared_gap": round(column.part, 4),
                        "gap_by_itself": round(column.gap, 4),
                        "missing_real": round(column.real_missing, 4),
                        "missing_synthetic": round(column.synthetic_missing, 4),
                        "unseen_synthetic": column.unseen,
                        "clipped_synthetic": column.clipped,
                    }
                )
                for column in report.columns[:WORST_COLUMNS]
            ]
        ),
        **_tables(report),
        "synthmix/notes": list(report.notes),
    }


def picture_of(report: DistanceReport, threshold: float | None) -> Metadata:
    """The gap with its interval, floor and threshold, small enough to be shown in a row."""
    return {"synthmix/picture": dg.MetadataValue.md(compact_distance(report, threshold))}


def of_gate(report: DistanceReport, threshold: float | None) -> Metadata:
    """The numbers a gate compared, and what says whether the labels are to blame."""
    return _finite(
        {
            "synthmix/gap": report.gap,
            "synthmix/threshold": threshold,
            "synthmix/floor": report.floor,
            "synthmix/p_value": report.p_value,
            "synthmix/conditional_gap": report.conditional_gap,
            "synthmix/overlap": report.overlap,
        }
    )


def of_recommendation(recommendation: Recommendation) -> Metadata:
    """Ratio, interval, predicted risks, and the picture of the curve."""
    low, high = recommendation.interval
    weighted, exchange = recommendation.weighted, recommendation.exchange
    return {
        "synthmix/picture": dg.MetadataValue.md(compact_ratio(recommendation)),
        "synthmix/risk_curve": dg.MetadataValue.md(risk_curve_markdown(recommendation)),
        "synthmix/reason": recommendation.reason,
        **_finite(
            {
                "synthmix/ratio": recommendation.ratio,
                "synthmix/ratio_low": low,
                "synthmix/ratio_high": high,
                **{f"synthmix/risk_{at}": risk for at, risk in recommendation.baselines.items()},
                **{f"synthmix/bound_{b.name}_ratio": b.row_ratio for b in recommendation.bounds},
                "synthmix/critical_gap": recommendation.critical_gap,
                "synthmix/row_weight": weighted.row_weight if weighted else None,
                "synthmix/worth_real_rows": exchange.further_real_rows if exchange else None,
            }
        ),
        "synthmix/bounds": dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "bound": bound.name,
                        "ratio": round(bound.row_ratio, 4),
                        "synthetic_weight": round(bound.weight, 4),
                        "interior": bound.interior,
                        "agrees": bound.equivalent,
                    }
                )
                for bound in recommendation.bounds
            ]
        ),
        # In the table they would make it too wide to read.
        "synthmix/bounds_from": dg.MetadataValue.json(
            {
                b.name: {"constants": dict(b.constants), "caveat": b.caveat}
                for b in recommendation.bounds
            }
        ),
        **({"synthmix/weights_instead": weighted.reason} if weighted else {}),
        **({"synthmix/exchange_rate": exchange.reason} if exchange else {}),
        "synthmix/learner": recommendation.learner,
        "synthmix/shape": recommendation.shape,
        "synthmix/rule": recommendation.rule,
        "synthmix/risk_metric": recommendation.metric,
        "synthmix/judged_by": recommendation.provenance.sentence,
        "synthmix/notes": list(recommendation.notes),
    }


def of_violations(found: Sequence[Violation]) -> Metadata:
    """How columns differ from what they are held to."""
    rows = [dg.TableRecord(asdict(violation)) for violation in found]
    table = {"synthmix/schema": dg.MetadataValue.table(rows)} if rows else {}
    return {"synthmix/schema_violations": len(found), **table}


def of_memorisation(test: Memorisation | None) -> Metadata:
    """The numbers behind the test for traces of the real rows."""
    if test is None:
        return {}
    return _finite(
        {
            "synthmix/exact_copies": test.exact_copies,
            "synthmix/expected_copies": test.expected_copies,
            "synthmix/nearness": test.nearness,
            "synthmix/memorisation_p_value": test.p_value,
        }
    )


def of_overrides(said: Mapping[str, Any]) -> Metadata:
    """What was set for this run only."""
    return {f"synthmix/run_{name}": value for name, value in said.items()}


def of_release(
    release: Release, lineage: Mapping[dg.AssetKey, tuple[list[str], Mapping[str, str]]]
) -> Metadata:
    """Where the release lies, what it holds, and which columns of which assets it came from.

    Parameters
    ----------
    release : Release
    lineage : mapping of AssetKey to (columns, names at the source)
        For each dataset its columns, and what those that were renamed are called in the asset.
    """
    columns = release.manifest["columns"]
    realised = release.manifest["realised"]
    return {
        "dagster/row_count": realised["real_rows"] + realised["synthetic_rows"],
        "dagster/uri": str(release.path),
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(column["name"], column["type"]) for column in columns]
        ),
        "dagster/column_lineage": dg.TableColumnLineage(
            {
                column["name"]: [
                    dg.TableColumnDep(key, names.get(column["name"], column["name"]))
                    for key, (found, names) in lineage.items()
                    if column["name"] in found
                ]
                for column in columns
            }
        ),
        "synthmix/picture": dg.MetadataValue.md(compact_composition(release.details)),
        "synthmix/composition": dg.MetadataValue.md(composition_markdown(release.details)),
        "synthmix/report": dg.MetadataValue.path(str(release.path / REPORT)),
        "synthmix/release_id": release.release_id,
        "synthmix/shards": len(release.manifest["shards"]),
        **of_realised(release),
    }


def of_realised(release: Release) -> Metadata:
    """Requested and realised numbers, side by side."""
    realised, requested = release.manifest["realised"], release.manifest["mix"]
    return {
        "synthmix/ratio_requested": requested["ratio"],
        "synthmix/ratio_realised": realised["ratio"],
        "synthmix/synthetic_rows_requested": requested["synthetic_rows"],
        "synthmix/synthetic_rows_realised": realised["synthetic_rows"],
        "synthmix/real_rows_realised": realised["real_rows"],
        "synthmix/duplicates": realised["duplicates"],
        "synthmix/missing_values": sum(realised["nulls"].values()),
    }


def _tables(report: DistanceReport) -> Metadata:
    """Where the sides differ most, and what differs there, as far as there is something to list."""
    directions = [
        dg.TableRecord(
            {
                "gap": round(direction.gap, 4),
                "columns": ", ".join(f"{name} {share:.0%}" for name, share in direction.columns),
            }
        )
        for direction in report.directions
    ]
    # One type a cell: dates are text, numbers are numbers, so all of them are shown as text.
    differences = [
        dg.TableRecord(
            {
                "column": row.column,
                "statistic": row.statistic,
                "real": readable(row.real),
                "synthetic": readable(row.synthetic),
            }
        )
        for row in report.differences
    ]
    found = {"synthmix/directions": directions, "synthmix/differences": differences}
    return {key: dg.MetadataValue.table(rows) for key, rows in found.items() if rows}


def _ends(name: str, interval: tuple[float, float] | None) -> dict[str, float]:
    if interval is None:
        return {}
    return {f"synthmix/{name}_low": interval[0], f"synthmix/{name}_high": interval[1]}


def _schema(schema: pa.Schema) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(field.name, str(field.type)) for field in schema])


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    """Leave out what is not a number: Dagster would store it but not plot it."""
    return {
        key: float(value)
        for key, value in values.items()
        if value is not None and math.isfinite(value)
    }
