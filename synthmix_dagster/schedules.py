"""The job and the schedule of a mix."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from synthmix_dagster.config import ROLES, MixConfig


def build_job(config: MixConfig) -> UnresolvedAssetJobDefinition:
    """Build the job that runs a whole mix, checks included."""
    own = [
        config.asset_key(role)
        for role in ROLES
        if role not in ("real", "synthetic") or config.dataset(role).asset is None
    ]
    return dg.define_asset_job("__".join([*config.key_prefix, config.name]), selection=own)


def build_schedules(config: MixConfig) -> list[dg.ScheduleDefinition]:
    """Build the schedule of a mix, stopped until somebody starts it."""
    if config.schedule is None:
        return []
    job = build_job(config)
    return [
        dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=config.schedule.cron,
            execution_timezone=config.schedule.timezone,
        )
    ]
