"""Options of a step that assets and checks share: configuration schema, tags, pool, retries."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg

from synthmix_dagster.orchestration.config.orchestration import OpConfig
from synthmix_dagster.orchestration.config.run import RunConfig


@cache
def config_schema_of(run_config: type[RunConfig] | None) -> Mapping[str, dg.Field] | None:
    """The schema of a run configuration, derived once for all mixes of a project."""
    return None if run_config is None else run_config.to_fields_dict()


def op_options(op: OpConfig) -> dict[str, Any]:
    """Options of the step, as Dagster's decorators take them."""
    return {
        "op_tags": dict(op.tags),
        "pool": op.pool,
        "retry_policy": None if op.retry is None else op.retry.policy,
    }
