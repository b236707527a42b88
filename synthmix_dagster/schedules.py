"""The job and the schedule of a mix."""

import re
from typing import TYPE_CHECKING

import dagster as dg

from synthmix_dagster.config import ROLES, MixConfig

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


def build_job(config: MixConfig) -> "UnresolvedAssetJobDefinition":
    """Build the job that runs a whole mix, checks included."""
    own = [
        config.asset_key(role)
        for role in ROLES
        if role not in ("real", "synthetic") or config.dataset(role).asset is None
    ]
    name = re.sub(r"\W", "_", "_".join([*config.key_prefix, config.name, "job"]), flags=re.ASCII)
    return dg.define_asset_job(name, selection=own)


def build_schedules(
    config: MixConfig, job: "UnresolvedAssetJobDefinition"
) -> list[dg.ScheduleDefinition]:
    """Build the schedule of a mix, if it has one; it is stopped until somebody starts it."""
    if config.schedule is None:
        return []
    return [
        dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=config.schedule.cron,
            execution_timezone=config.schedule.timezone,
        )
    ]
