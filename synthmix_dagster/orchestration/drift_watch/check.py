"""Drift in Dagster: the history is read back through the instance, judged, and shown by a check.

There is no state of its own: all it knows is what materialisations of the distance asset recorded.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from synthmix_dagster.drift.history import Batch, Observation, Unit
from synthmix_dagster.drift.monitor import judge_history
from synthmix_dagster.drift.report import DriftReport
from synthmix_dagster.gates.threshold import Threshold, number_of
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.drift_watch.metadata import RECORD, of_drift

#: Records that are read from the instance at a time.
_PAGE = 1_000


@dataclass(frozen=True)
class Watch:
    """One history to watch.

    Attributes
    ----------
    asset_key : AssetKey
        The asset whose materialisations are the history.
    drift : DriftConfig
    units : mapping of str to {"batch", "block"}
        The series, and what to rank in each.
    threshold : float, optional
        Largest gap that may be released, to be shown.
    partitions_def : PartitionsDefinition, optional
        Gives partitions their order; without it they are ordered by their keys.
    """

    asset_key: dg.AssetKey
    drift: DriftConfig
    units: Mapping[str, Unit]
    threshold: float | None = None
    partitions_def: dg.PartitionsDefinition[Any] | None = None

    def judge(self, instance: dg.DagsterInstance) -> DriftReport:
        """Read the history and judge it."""
        batches, notes = read_history(instance, self.asset_key, self.partitions_def)
        if instance.is_ephemeral:
            notes.append("this instance is ephemeral and keeps no history beyond its process")
        return judge_history(
            batches,
            units=self.units,
            delta=self.drift.delta,
            history=self.drift.history,
            threshold=self.threshold,
            notes=notes,
        )


def watch_of(config: MixConfig, drift: DriftConfig) -> Watch:
    """The history of a mix."""
    key = config.asset_key("distribution_distance")
    shown = number_of(Threshold.parse(config.threshold))
    units = drift.units("real", "synthetic")
    return Watch(key, drift, units, shown, config.partitions_def)


def standing_alarm(watch: Watch, instance: dg.DagsterInstance) -> str:
    """What the alarm says, or nothing where there is none or nothing can be judged."""
    try:
        report = watch.judge(instance)
    except Exception:  # the check has said so; a monitor that fails stops no release
        return ""
    return report.sentence if report.status == "alarm" else ""


def read_history(
    instance: dg.DagsterInstance,
    asset_key: dg.AssetKey,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
) -> tuple[list[Batch], list[str]]:
    """Read every batch that an asset recorded.

    Parameters
    ----------
    instance : DagsterInstance
    asset_key : AssetKey
    partitions_def : PartitionsDefinition, optional
        Gives partitions their order; without it they are ordered by their keys.

    Returns
    -------
    batches : list of Batch
    notes : list of str
        Which records could not be read.
    """
    places: dict[str, int] = {}
    if partitions_def is not None:
        keys = partitions_def.get_partition_keys(dynamic_partitions_store=instance)
        places = {key: place for place, key in enumerate(keys)}
    batches, unread, cursor = [], 0, None
    while True:
        page = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset_key), limit=_PAGE, cursor=cursor
        )
        for record in page.records:
            materialisation = record.asset_materialization
            entry = materialisation.metadata.get(RECORD) if materialisation else None
            if entry is None:
                continue
            try:
                batches.append(_batch(record, entry.value, places))
            except (KeyError, TypeError, ValueError, AttributeError):
                unread += 1
        cursor = page.cursor
        if not page.has_more:
            break
    notes = [f"{unread} recorded batches could not be read and are left out"] if unread else []
    return batches, notes


def build_drift_check(watch: Watch) -> dg.AssetChecksDefinition:
    """Build the check of one history."""
    series = ", ".join(watch.units)

    def drift(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        try:
            report = watch.judge(context.instance)
            shown = of_drift(report)
        except Exception as error:  # a monitor that fails says so and lets the pipeline go on
            return dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"Drift cannot be judged: {type(error).__name__}: {error}",
            )
        alarm = report.status == "alarm"
        return dg.AssetCheckResult(
            passed=report.passed,
            severity=dg.AssetCheckSeverity.ERROR if alarm else dg.AssetCheckSeverity.WARN,
            description=report.sentence,
            metadata=shown,
        )

    return dg.asset_check(
        name="drift",
        asset=watch.asset_key,
        blocking=watch.drift.blocking,
        description=f"Fails when {series} moved, with at most {watch.drift.delta:g} chance of ever "
        "raising a false alarm; warns when a moving average leaves its control limits.",
    )(drift)


def _batch(record: Any, entry: Any, places: Mapping[str, int]) -> Batch:
    partition = record.partition_key
    when = datetime.fromtimestamp(record.timestamp, tz=timezone.utc)
    return Batch(
        label=partition or when.strftime("%Y-%m-%d %H:%M:%S"),
        # Materialisations that somebody reports outside of a run have none.
        key=partition or record.run_id or str(record.storage_id),
        partition=partition,
        # A partition that is no longer defined is older than all that are.
        position=places.get(partition, -1) if places else 0,
        time=float(record.timestamp),
        version=str(entry["version"]),
        series={
            name: Observation.from_dict(values)
            for name, values in entry["series"].items()
            if math.isfinite(values["rows"])
        },
    )
