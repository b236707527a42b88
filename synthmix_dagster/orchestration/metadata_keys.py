"""Every metadata key of this package, declared once: the fields below, as ``synthmix/<field>``.

A field that is None is left out, and so is a number that is not finite: Dagster would store it, but
not plot it. `NamespacedMetadataSet` is how Dagster's own integrations declare
their keys. It is not exported at the top of Dagster, so a test of what this package relies on in
Dagster holds on to it.
"""

import math
from typing import Any

import dagster as dg
from dagster._core.definitions.metadata.metadata_set import NamespacedMetadataSet
from dagster._core.definitions.tags.tag_set import NamespacedTagSet
from pydantic import field_validator

Markdown = dg.MarkdownMetadataValue
Json = dg.JsonMetadataValue
Table = dg.TableMetadataValue

#: Table of the check ``schema_matches``. Not a field, because pydantic reserves the name.
SCHEMA = "synthmix/schema"


class SynthMixMetadata(NamespacedMetadataSet):
    """Base of the keys below."""

    @classmethod
    def namespace(cls) -> str:
        return "synthmix"

    @field_validator("*", mode="before")
    @classmethod
    def _finite(cls, value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value


class SummaryMetadata(SynthMixMetadata):
    """First of what an asset shows: its answer in words, with few digits."""

    summary: str | None = None


class DatasetMetadata(SummaryMetadata):
    """Of ``real``, ``generator_input`` and ``synthetic``."""

    fingerprint: str | None = None
    files: int | None = None
    evaluation_rows: int | None = None
    query: str | None = None


class GateMetadata(SummaryMetadata):
    """Of the checks that judge a distance: the numbers that are compared."""

    picture: Markdown | None = None
    gap: float | None = None
    threshold: float | None = None
    floor: float | None = None
    p_value: float | None = None
    conditional_gap: float | None = None
    overlap: float | None = None
    class_gap: float | None = None
    worst_class: str | None = None
    classifier_accuracy: float | None = None
    distinct_share: float | None = None


class StoredResult(SynthMixMetadata):
    """Where the result of ``distribution_distance`` or ``optimal_ratio`` is stored.

    Role, output directory, name of the mix, and digest of the record: what loads it downstream
    needs no settings.
    """

    stored_result: Json | None = None


class DistanceMetadata(GateMetadata):
    """Of ``distribution_distance``."""

    gap_squared: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    gap_per_column: float | None = None
    effect_size: float | None = None
    input_gap: float | None = None
    conditional_gap_low: float | None = None
    conditional_gap_high: float | None = None
    rows: str | None = None
    rows_real: int | None = None
    rows_synthetic: int | None = None
    method: str | None = None
    order: int | None = None
    scaling: str | None = None
    clipped: float | None = None
    seed: int | None = None
    parts_of_gap: Markdown | None = None
    columns: Table | None = None
    directions: Table | None = None
    differences: Table | None = None
    classes: Table | None = None
    distinct_rows: float | None = None
    notes: Json | None = None


class RecommendationMetadata(SummaryMetadata):
    """Of ``optimal_ratio``."""

    picture: Markdown | None = None
    risk_curve: Markdown | None = None
    reason: str | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    risk_none: float | None = None
    risk_recommended: float | None = None
    risk_one_to_one: float | None = None
    risk_all: float | None = None
    bound_stability_ratio: float | None = None
    bound_variance_ratio: float | None = None
    bound_spectral_ratio: float | None = None
    critical_gap: float | None = None
    row_weight: float | None = None
    worth_real_rows: float | None = None
    bounds: Table | None = None
    bounds_from: Json | None = None
    weights_instead: str | None = None
    exchange_rate: str | None = None
    learner: str | None = None
    shape: str | None = None
    rule: str | None = None
    risk_metric: str | None = None
    judged_by: str | None = None
    notes: Json | None = None


class AmountsMetadata(SummaryMetadata):
    """Of ``optimal_ratio``, where there is more to say than one ratio."""

    reason: str | None = None
    ratio: float | None = None
    amounts: Table | None = None
    better: bool | None = None
    gain: float | None = None
    gain_error: float | None = None
    risk_none: float | None = None
    risk_mixture: float | None = None
    risk_alone: float | None = None
    risk_by_class: float | None = None
    risk_in_proportion: float | None = None
    judged_by: str | None = None
    notes: Json | None = None


class SchemaMetadata(SynthMixMetadata):
    """Of the check ``schema_matches``."""

    schema_violations: int | None = None


class MemorisationMetadata(SynthMixMetadata):
    """Of the check ``memorisation``."""

    exact_copies: float | None = None
    expected_copies: float | None = None
    nearness: float | None = None
    memorisation_p_value: float | None = None


class RealisedMetadata(SynthMixMetadata):
    """Of the check ``mix_as_recommended``: requested and realised numbers."""

    ratio_requested: float | None = None
    ratio_realised: float | None = None
    synthetic_rows_requested: int | None = None
    synthetic_rows_realised: int | None = None
    real_rows_realised: int | None = None
    duplicates: int | None = None
    missing_values: int | None = None


class ReleaseId(SynthMixMetadata):
    """What identifies a release."""

    release_id: str | None = None


class ReleaseMetadata(RealisedMetadata, ReleaseId):
    """Of ``training_data``."""

    picture: Markdown | None = None
    composition: Markdown | None = None
    report: dg.PathMetadataValue | None = None
    shards: int | None = None


class PublishedMetadata(SynthMixMetadata):
    """Of ``training_data``: where else the release is."""

    delta_table: str | None = None
    delta_version: int | None = None


class TableMetadata(ReleaseId):
    """Of ``published_table``: which release the table of a warehouse holds."""

    connection: str | None = None
    mode: str | None = None


class OverridesMetadata(SynthMixMetadata):
    """Options set for one run only."""

    run_threshold: float | None = None
    run_conditional_threshold: float | None = None
    run_class_threshold: float | None = None
    run_classifier_threshold: float | None = None
    run_min_distinct_share: float | None = None
    run_ratio: float | None = None
    run_sample_rows: int | None = None
    run_seed: int | None = None
    run_release_anyway: str | None = None


class PartitionsMetadata(SynthMixMetadata):
    """Of a check that judged several partitions in one run."""

    partitions: Table | None = None


class DriftRecord(SynthMixMetadata):
    """What the history of drift is read from."""

    drift: Json | None = None


class BatchMetadata(DriftRecord):
    """What a batch adds to the history of drift."""

    generator_drift: float | None = None
    reality_drift: float | None = None
    generator_version: str | None = None
    drift_notes: Json | None = None


class DriftMetadata(SynthMixMetadata):
    """Of the check ``drift``: the judged history."""

    alarm_line: float | None = None
    gap_batches: int | None = None
    gap_log_capital: float | None = None
    generator_batches: int | None = None
    generator_log_capital: float | None = None
    reality_batches: int | None = None
    reality_log_capital: float | None = None
    series: Table | None = None
    drift_notes: Json | None = None
    drift_picture: Markdown | None = None
    drift_plot: Markdown | None = None


class ReleaseTags(NamespacedTagSet):
    """Tags of a run for one release."""

    release_id: str | None = None
    release_uri: str | None = None
    release_of: str | None = None

    @classmethod
    def namespace(cls) -> str:
        return "synthmix"
