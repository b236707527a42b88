"""The check of drift: one history of an asset, judged whenever the check runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from synthmix_dagster.drift.series import Unit
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.gates.threshold import Severity
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.drift_watch.kept_alarms import KeptAlarms
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.redaction import without_secrets

if TYPE_CHECKING:
    from synthmix_dagster.drift.report import DriftReport
    from synthmix_dagster.orchestration.check_results import Judged


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
        Maximum gap to release, to be shown.
    kept : KeptAlarms
        Alarms that were seen.
    partitions_def : PartitionsDefinition, optional
        Gives partitions their order; without it they are ordered by their keys.
    """

    asset_key: dg.AssetKey
    drift: DriftConfig
    units: Mapping[str, Unit]
    kept: KeptAlarms
    threshold: float | None = None
    partitions_def: dg.PartitionsDefinition[Any] | None = None

    def judge(self, instance: dg.DagsterInstance) -> "DriftReport":
        """Read the history, judge it, and keep the alarms that stand.

        Raises
        ------
        ReleaseError
            The record of alarms cannot be read or written.
        """
        from synthmix_dagster.drift.monitor import judge_history
        from synthmix_dagster.orchestration.drift_watch.history import read_history

        batches, notes = read_history(instance, self.asset_key, self.partitions_def)
        if instance.is_ephemeral:
            notes.append("this instance is ephemeral and keeps no history beyond its process")
        report = judge_history(
            batches,
            units=self.units,
            delta=self.drift.delta,
            history=self.drift.history,
            seasons=self.drift.seasons(schedule_of(self.partitions_def)),
            threshold=self.threshold,
            notes=notes,
            standing=self.kept.standing(self.drift),
        )
        self.kept.keep(report)
        return report


def schedule_of(partitions_def: dg.PartitionsDefinition[Any] | None) -> str:
    """How often there is a partition, such as ``DAILY``; empty where time has no part in it.

    Examples
    --------
    >>> schedule_of(dg.HourlyPartitionsDefinition("2026-01-01-00:00"))
    'HOURLY'
    """
    if not isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        return ""
    kind = partitions_def.schedule_type
    return "" if kind is None else str(kind.value)


def watch_of(config: MixConfig, drift: DriftConfig) -> Watch:
    """The history of a mix."""
    key = config.asset_key("distribution_distance")
    shown = config.threshold.limit()
    units = drift.units("real", "synthetic")
    kept = KeptAlarms(lambda: MixPaths.of(config).drift_records)
    return Watch(key, drift, units, kept, shown, config.partitions_def)


def standing_alarm(watch: Watch, instance: dg.DagsterInstance) -> str:
    """The sentence of a standing alarm; empty where there is none.

    A history that cannot be judged blocks no release, and the check reports it. But an alarm that
    was kept stands without a history, and so does one that may be in a record nobody can read.
    """
    try:
        report = watch.judge(instance)
    except ReleaseError as error:
        return str(error)
    except Exception:
        from synthmix_dagster.drift.monitor import judge_history

        kept = watch.kept.standing(watch.drift)
        report = judge_history([], units=watch.units, delta=watch.drift.delta, standing=kept)
    return report.sentence if report.status == "alarm" else ""


def drift_spec(watch: Watch) -> dg.AssetCheckSpec:
    """The check of one history, as Dagster shows it."""
    return dg.AssetCheckSpec(
        "drift",
        asset=watch.asset_key,
        blocking=watch.drift.blocking,
        description=f"Fails when {', '.join(watch.units)} changed; the probability of ever raising "
        f"a false alarm is at most {watch.drift.delta:g}. Warns when a moving average leaves its "
        "control limits.",
    )


def judge_drift(watch: Watch, instance: dg.DagsterInstance) -> "Judged":
    """Judge one history, the batch that was recorded last included."""
    from synthmix_dagster.gates.verdicts import Verdict
    from synthmix_dagster.orchestration.check_results import Judged
    from synthmix_dagster.orchestration.drift_watch.metadata import of_drift

    try:
        report = watch.judge(instance)
        shown = of_drift(report)
    except Exception as error:  # a monitor that fails reports it and lets the pipeline go on
        reason = without_secrets(f"{type(error).__name__}: {error}")
        return Judged(Verdict(False, f"Drift cannot be judged: {reason}", "WARN"))
    severity: Severity = "ERROR" if report.status == "alarm" else "WARN"
    return Judged(Verdict(report.passed, report.sentence, severity), shown)
