"""Results as Dagster metadata: one scalar a key, so that Dagster plots each of them over time.

The keys are declared in `metadata_keys`. The user's rows never appear here: metadata is copied to
the event log and stays there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster._core.definitions.metadata.metadata_set import TableMetadataSet, UriMetadataSet

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.schema_contract import Violation
from synthmix_dagster.display.formatting import readable
from synthmix_dagster.distance.display import distance_markdown
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.orchestration import summaries
from synthmix_dagster.orchestration.metadata_keys import (
    SCHEMA,
    AmountsMetadata,
    DatasetMetadata,
    DistanceMetadata,
    GateMetadata,
    MemorisationMetadata,
    OverridesMetadata,
    RealisedMetadata,
    RecommendationMetadata,
    ReleaseMetadata,
    SchemaMetadata,
    SummaryMetadata,
)
from synthmix_dagster.orchestration.sparklines import (
    compact_composition,
    compact_distance,
    compact_ratio,
)
from synthmix_dagster.ratio.answers import Answer, provenances_of
from synthmix_dagster.ratio.bounds import Bound
from synthmix_dagster.ratio.display import risk_curve_markdown
from synthmix_dagster.ratio.embedding import EmbeddingOptimum
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.ratio.shares import Amounts
from synthmix_dagster.redaction import without_secrets
from synthmix_dagster.release.display import composition_markdown
from synthmix_dagster.release.handle import Release
from synthmix_dagster.release.report.page import REPORT

Metadata = Mapping[str, Any]

#: Columns listed in the table of gaps.
MAX_COLUMNS = 10


def of_dataset(
    dataset: Dataset,
    place: str | None = None,
    evaluation_rows: int | None = None,
    origin: str | None = None,
) -> Metadata:
    """Rows, schema and fingerprint of a dataset, and its location.

    Parameters
    ----------
    dataset : Dataset
    place : str, optional
        Path or URI; user names, passwords and parameters in it are left out.
    evaluation_rows : int, optional
        Rows that were set aside from it.
    origin : str, optional
        Connection and query that the rows came from.
    """
    return {
        **DatasetMetadata(
            summary=summaries.of_dataset(dataset, evaluation_rows),
            fingerprint=dataset.fingerprint,
            files=len(dataset.files) or None if origin else len(dataset.files),
            evaluation_rows=evaluation_rows,
            query=origin,
        ),
        **UriMetadataSet(uri=None if place is None else without_secrets(place)),
        **TableMetadataSet(row_count=dataset.rows, column_schema=_schema(dataset.schema)),
    }


def of_distance(report: DistanceReport, threshold: float | None) -> Metadata:
    """Gap, floor and p-value, with a table of the columns that contribute to it."""
    low, high = report.interval or (None, None)
    conditional_low, conditional_high = report.conditional_interval or (None, None)
    return dict(
        DistanceMetadata(
            summary=summaries.of_distance(report, threshold),
            picture=dg.MetadataValue.md(compact_distance(report, threshold)),
            **_compared(report, threshold),
            gap_squared=report.gap_squared,
            gap_low=low,
            gap_high=high,
            gap_per_column=report.gap_per_column,
            effect_size=report.effect_size,
            input_gap=report.input_gap,
            conditional_gap_low=conditional_low,
            conditional_gap_high=conditional_high,
            rows=report.rows,
            rows_real=report.n_real,
            rows_synthetic=report.n_synthetic,
            method=report.method,
            order=report.p,
            scaling=report.scaling,
            clipped=report.clipped,
            seed=report.seed,
            parts_of_gap=dg.MetadataValue.md(distance_markdown(report, threshold)),
            columns=_columns(report),
            directions=_directions(report),
            differences=_differences(report),
            classes=_classes(report),
            distinct_rows=report.distinct_rows,
            notes=dg.MetadataValue.json(list(report.notes)),
        )
    )


def of_gate(report: DistanceReport, threshold: float | None, *, picture: bool = False) -> Metadata:
    """The numbers a gate compared, and those that show whether the labels are to blame.

    Parameters
    ----------
    report : DistanceReport
    threshold : float, optional
        Maximum gap to release.
    picture : bool
        Whether to draw the gap with its interval, floor and threshold, small enough for one line.
    """
    drawn = dg.MetadataValue.md(compact_distance(report, threshold)) if picture else None
    return dict(GateMetadata(picture=drawn, **_compared(report, threshold)))


def of_recommendation(recommendation: Recommendation) -> Metadata:
    """Ratio, interval, predicted risks, and the picture of the curve."""
    low, high = recommendation.interval
    weighted, exchange = recommendation.weighted, recommendation.exchange
    return dict(
        RecommendationMetadata(
            summary=summaries.of_recommendation(recommendation),
            picture=dg.MetadataValue.md(compact_ratio(recommendation)),
            risk_curve=dg.MetadataValue.md(risk_curve_markdown(recommendation)),
            reason=recommendation.reason,
            ratio=recommendation.ratio,
            ratio_low=low,
            ratio_high=high,
            **{f"risk_{name}": value for name, value in recommendation.shown.items()},
            **{f"bound_{b.name}_ratio": b.row_ratio for b in recommendation.bounds},
            critical_gap=recommendation.critical_gap,
            row_weight=weighted.row_weight if weighted else None,
            worth_real_rows=exchange.further_real_rows if exchange else None,
            bounds=_bounds(recommendation.bounds),
            # In the table they would make it too wide to read.
            bounds_from=dg.MetadataValue.json(
                {
                    b.name: {"constants": dict(b.constants), "caveat": b.caveat}
                    for b in recommendation.bounds
                }
            ),
            weights_instead=weighted.reason if weighted else None,
            exchange_rate=exchange.reason if exchange else None,
            learner=recommendation.learner,
            shape=recommendation.shape,
            rule=recommendation.rule,
            risk_metric=recommendation.metric,
            judged_by=recommendation.provenance.sentence,
            notes=dg.MetadataValue.json(list(recommendation.notes)),
        )
    )


def of_answer(answer: Answer) -> Metadata:
    """What is recommended, whatever was asked."""
    if isinstance(answer, Recommendation):
        return of_recommendation(answer)
    amounts = Amounts.of(answer)
    compared = None if isinstance(answer, EmbeddingOptimum) else answer
    return dict(
        AmountsMetadata(
            summary=summaries.of_ratio(answer.ratio),
            reason=answer.reason,
            ratio=answer.ratio,
            amounts=_table(amounts.rows),
            better=None if compared is None else compared.better,
            gain=None if compared is None else compared.gain,
            gain_error=None if compared is None else compared.gain_error,
            **{f"risk_{name}": value for name, value in amounts.risks.items()},
            judged_by=" ".join(amounts.judged) or None,
            notes=dg.MetadataValue.json(list(answer.notes)),
        )
    )


def of_violations(violations: Sequence[Violation]) -> Metadata:
    """How columns differ from their contract."""
    table = _table([asdict(violation) for violation in violations])
    return {
        **SchemaMetadata(schema_violations=len(violations)),
        **({} if table is None else {SCHEMA: table}),
    }


def of_memorisation(answer: Answer) -> Metadata:
    """The numbers behind the test for memorised real rows; of several generators, the worst."""
    made = [of.memorisation for of in provenances_of(answer).values()]
    tests = [test for test in made if test is not None]
    if not tests:
        return {}
    test = min(tests, key=lambda each: each.p_value)
    return dict(
        MemorisationMetadata(
            exact_copies=test.exact_copies,
            expected_copies=test.expected_copies,
            nearness=test.nearness,
            memorisation_p_value=test.p_value,
        )
    )


def of_overrides(overrides: Mapping[str, Any]) -> Metadata:
    """Options set for this run only."""
    return dict(OverridesMetadata(**{f"run_{name}": value for name, value in overrides.items()}))


def of_release(
    release: Release, lineage: Mapping[dg.AssetKey, tuple[list[str], Mapping[str, str]]]
) -> Metadata:
    """Where the release is, what it holds, and which columns of which assets it came from.

    Parameters
    ----------
    release : Release
    lineage : mapping of AssetKey to (columns, names at the source)
        For each dataset its columns, and the original names of those that were renamed.
    """
    details = release.details
    return {
        **SummaryMetadata(summary=summaries.of_release(details)),
        **ReleaseMetadata(
            release_id=release.release_id,
            picture=dg.MetadataValue.md(compact_composition(details)),
            composition=dg.MetadataValue.md(composition_markdown(details)),
            report=dg.MetadataValue.path(f"{release.uri}/{REPORT}"),
            shards=len(details.shards),
            **_realised(release),
        ),
        **UriMetadataSet(uri=release.uri),
        **TableMetadataSet(
            row_count=details.realised.rows,
            column_schema=dg.TableSchema(
                [dg.TableColumn(column.name, column.type) for column in details.columns]
            ),
            column_lineage=dg.TableColumnLineage(
                {
                    column.name: [
                        dg.TableColumnDep(key, names.get(column.name, column.name))
                        for key, (present, names) in lineage.items()
                        if column.name in present
                    ]
                    for column in details.columns
                }
            ),
        ),
    }


def of_realised(release: Release) -> Metadata:
    """Requested and realised numbers, side by side."""
    return dict(RealisedMetadata(**_realised(release)))


def _compared(report: DistanceReport, threshold: float | None) -> Metadata:
    """Fields of `GateMetadata`."""
    worst, classifier = report.worst_class, report.classifier
    return {
        "gap": report.gap,
        "threshold": threshold,
        "floor": report.floor,
        "p_value": report.p_value,
        "conditional_gap": report.conditional_gap,
        "overlap": report.overlap,
        "class_gap": None if worst is None else worst.gap,
        "worst_class": None if worst is None else worst.name,
        "classifier_accuracy": None if classifier is None else classifier.accuracy,
        "distinct_share": report.distinct_share,
    }


def _realised(release: Release) -> Metadata:
    """Fields of `RealisedMetadata`."""
    realised, requested = release.details.realised, release.details.mix
    return {
        "ratio_requested": requested.ratio,
        "ratio_realised": realised.ratio,
        "synthetic_rows_requested": requested.synthetic_rows,
        "synthetic_rows_realised": realised.synthetic_rows,
        "real_rows_realised": realised.real_rows,
        "duplicates": realised.duplicates,
        "missing_values": sum(realised.nulls.values()),
    }


def _columns(report: DistanceReport) -> dg.TableMetadataValue | None:
    return _table(
        [
            {
                "column": column.column,
                "part_of_squared_gap": round(column.part, 4),
                "gap_by_itself": round(column.gap, 4),
                "missing_real": round(column.real_missing, 4),
                "missing_synthetic": round(column.synthetic_missing, 4),
                "unseen_synthetic": column.unseen,
                "clipped_synthetic": column.clipped,
            }
            for column in report.columns[:MAX_COLUMNS]
        ]
    )


def _directions(report: DistanceReport) -> dg.TableMetadataValue | None:
    """Where the sides differ most."""
    return _table(
        [
            {
                "gap": round(direction.gap, 4),
                "columns": ", ".join(f"{name} {share:.0%}" for name, share in direction.columns),
            }
            for direction in report.directions
        ]
    )


def _differences(report: DistanceReport) -> dg.TableMetadataValue | None:
    """Statistics that differ. One type a cell: dates are text, so numbers are shown as text too."""
    return _table(
        [
            {
                "column": row.column,
                "statistic": row.statistic,
                "real": readable(row.real),
                "synthetic": readable(row.synthetic),
            }
            for row in report.differences
        ]
    )


def _classes(report: DistanceReport) -> dg.TableMetadataValue | None:
    """How far the labels of each class moved."""
    return _table(
        [
            {
                "class": shift.name,
                "gap": round(shift.gap, 4),
                "low": round(shift.interval[0], 4),
                "high": round(shift.interval[1], 4),
                "rows_real": shift.real_rows,
                "rows_synthetic": shift.synthetic_rows,
                "overlap": round(shift.overlap, 4),
            }
            for shift in report.classes
        ]
    )


def _bounds(bounds: Sequence[Bound]) -> dg.TableMetadataValue | None:
    return _table(
        [
            {
                "bound": bound.name,
                "ratio": round(bound.row_ratio, 4),
                "synthetic_weight": round(bound.weight, 4),
                "interior": bound.interior,
                "agrees": bound.equivalent,
            }
            for bound in bounds
        ]
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue | None:
    """A table, or None: Dagster needs a row to read the columns from."""
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows]) if rows else None


def _schema(schema: pa.Schema) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(field.name, str(field.type)) for field in schema])
