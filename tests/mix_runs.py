"""Running a mix in a real Dagster instance, and reading what became of it."""

from typing import Any

import dagster as dg

from synthmix_dagster import build_synthmix_defs


def run(
    options: dict[str, Any],
    instance: dg.DagsterInstance,
    *selection: str,
    ops: dict[str, Any] | None = None,
    resources: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    built = build_synthmix_defs(**options)
    if resources is not None:
        built = dg.Definitions.merge(built, dg.Definitions(resources=resources))
    job = built.resolve_job_def("demo_job")
    keys = [dg.AssetKey(["demo", role]) for role in selection]
    config = {"ops": {f"demo__{name}": {"config": said} for name, said in (ops or {}).items()}}
    return job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=keys or None,
        run_config=config,
    )


def check_of(result: dg.ExecuteInProcessResult, name: str = "wasserstein_gap") -> Any:
    return next(c for c in result.get_asset_check_evaluations() if c.check_name == name)


def failure(result: dg.ExecuteInProcessResult) -> str:
    events = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    return str(events[0].step_failure_data.user_failure_data.description)


def metadata_of(result: dg.ExecuteInProcessResult, role: str) -> dict[str, Any]:
    (event,) = [
        found
        for found in result.get_asset_materialization_events()
        if found.asset_key.path[-1] == role
    ]
    return {name: value.value for name, value in event.materialization.metadata.items()}
