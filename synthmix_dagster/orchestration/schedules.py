"""The job and the schedule of a mix."""

import re
from typing import TYPE_CHECKING, Any

import dagster as dg

from synthmix_dagster.orchestration.config.mix import MixConfig

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


def build_job(config: MixConfig) -> "UnresolvedAssetJobDefinition":
    """Build the job that runs a whole mix, checks included.

    Assets of the project that lie between assets of the mix, such as a generator that is fitted on
    `generator_input`, run with it: without them the mix would judge what they made last time.
    """
    own = dg.AssetSelection.assets(*config.own_keys)
    between = own.downstream() & own.upstream()
    name = re.sub(r"\W", "_", "_".join([*config.key_prefix, config.name, "job"]), flags=re.ASCII)
    return dg.define_asset_job(name, selection=own | between)


def build_schedules(config: MixConfig, job: "UnresolvedAssetJobDefinition") -> list[Any]:
    """Build the schedule of a mix, if it has one."""
    schedule = config.schedule
    if schedule is None:
        return []
    name, status = f"{job.name}_schedule", dg.DefaultScheduleStatus[schedule.default_status]
    if schedule.cron is None:
        return [dg.build_schedule_from_partitioned_job(job, name=name, default_status=status)]
    common: dict[str, Any] = {
        "name": name,
        "job": job,
        "cron_schedule": schedule.cron,
        "execution_timezone": schedule.timezone or "UTC",
        "default_status": status,
    }
    if config.partitions_def is None:
        return [dg.ScheduleDefinition(**common)]
    return [_of_partitions(config.partitions_def, common)]


def _of_partitions(
    partitions: dg.PartitionsDefinition[Any], common: dict[str, Any]
) -> dg.ScheduleDefinition:
    def request(context: dg.ScheduleEvaluationContext) -> Any:
        keys = partitions_to_run(partitions, context)
        if not keys:
            return dg.SkipReason("There are no partitions yet.")
        when = context.scheduled_execution_time.isoformat()
        return [dg.RunRequest(run_key=f"{key} {when}", partition_key=key) for key in keys]

    return dg.schedule(**common)(request)


def partitions_to_run(
    partitions: dg.PartitionsDefinition[Any], context: dg.ScheduleEvaluationContext
) -> list[str]:
    """The last time window that has ended, or all partitions where they are not time windows."""
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        window = partitions.get_prev_partition_window(context.scheduled_execution_time)
        if window is None:
            return []
        return [partitions.get_partition_key_for_timestamp(window.start.timestamp())]
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        return list(context.instance.get_dynamic_partitions(partitions.name or ""))
    return list(partitions.get_partition_keys())
