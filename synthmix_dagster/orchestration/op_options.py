"""Options of a step as Dagster takes them: configuration schema, tags, pool, retries."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg

from synthmix_dagster.orchestration.config.orchestration import OpConfig
from synthmix_dagster.orchestration.config.run import GateRun, RunConfig


@cache
def config_schema_of(
    run_config: type[RunConfig] | None, thresholds: tuple[str, ...] = ()
) -> Mapping[str, dg.Field] | None:
    """The schema of a run configuration, derived once for all mixes of a project.

    Parameters
    ----------
    run_config : type, optional
        What the asset of the step takes.
    thresholds : tuple of str
        Those of `GateRun` that the checks of the step take.
    """
    fields = {} if run_config is None else dict(run_config.to_fields_dict())
    if thresholds:
        of_gates = GateRun.to_fields_dict()
        fields |= {name: of_gates[name] for name in thresholds}
    return fields or None


def op_options(op: OpConfig) -> dict[str, Any]:
    """Options of the step, as Dagster's decorators take them."""
    return {
        "op_tags": dict(op.tags),
        "pool": op.pool,
        "retry_policy": None if op.retry is None else op.retry.policy,
    }
