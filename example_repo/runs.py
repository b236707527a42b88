"""Running the example's jobs and insisting on how they end."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from rich.console import Console, RenderableType

from example_repo.definitions import defs

#: Columns of the console that the demo writes to.
WIDTH = 100


class UnexpectedError(Exception):
    """A run ended otherwise than it was there to show."""


@dataclass(frozen=True)
class Refusal:
    """What a gate compared, and the reason given when the release was asked for again."""

    gate: Mapping[str, Any]
    reason: str


class Runs:
    """Runs in one Dagster instance, with a line on the console for every step that ends."""

    def __init__(self, instance: dg.DagsterInstance, console: Console) -> None:
        @dg.logger
        def progress(_context: Any) -> logging.Logger:
            logger = logging.Logger("progress")
            logger.addHandler(_Progress(console))
            return logger

        self._instance = instance
        self._console = console
        self._definitions = dg.Definitions.merge(
            defs(), dg.Definitions(loggers={"progress": progress})
        )

    def expect_success(self, title: str, job: str) -> dg.ExecuteInProcessResult:
        """Run a job that has to succeed, and return what it made."""
        result = self._run(title, job)
        if not result.success:
            raise UnexpectedError(f"The job '{job}' failed. {_reason(result)}")
        return result

    def expect_refusal(self, title: str, job: str, mix: str) -> Mapping[str, Any]:
        """Run a job whose gate has to fail and to stop what follows; return what it compared."""
        result = self._run(title, job)
        gates = [
            check
            for check in result.get_asset_check_evaluations()
            if check.check_name == "conditional_gap" and not check.passed
        ]
        done = {event.asset_key for event in result.get_asset_materialization_events()}
        if result.success or not gates or dg.AssetKey([mix, "training_data"]) in done:
            raise UnexpectedError(f"The gate of '{mix}' did not stop it. {_reason(result)}")
        return {key: value.value for key, value in gates[0].metadata.items()}

    def expect_refusal_alone(self, title: str, job: str, mix: str) -> str:
        """Ask for training data in a run of its own, which has to fail; return the reason."""
        result = self._run(title, job, [dg.AssetKey([mix, "training_data"])])
        reason = _reason(result)
        if result.success or "conditional_gap" not in reason:
            raise UnexpectedError(f"The release of '{mix}' was not refused. {reason}")
        return reason

    def say(self, what: RenderableType) -> None:
        """Print something about the run that just ended."""
        self._console.print(what)

    def _run(
        self, title: str, job: str, selection: list[dg.AssetKey] | None = None
    ) -> dg.ExecuteInProcessResult:
        self._console.print(f"\n[bold]{title}[/]")
        return self._definitions.resolve_job_def(job).execute_in_process(
            instance=self._instance,
            asset_selection=selection,
            raise_on_error=False,
            run_config={"loggers": {"progress": {}}},
        )


class _Progress(logging.Handler):
    """Shows one line for every step that ends, instead of Dagster's log."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is None:
            return
        step = str(event.step_key).replace("__", "/")
        if event.event_type_value == "STEP_SUCCESS":
            seconds = event.event_specific_data.duration_ms / 1000
            self._console.print(f"   [green]done[/]     {step:64}{seconds:6.1f} s")
        elif event.event_type_value == "STEP_FAILURE":
            self._console.print(f"   [yellow]stopped[/]  {step}")


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """What the failed steps said, in the words of the innermost error."""
    said = []
    for event in result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE"):
        failure = event.step_failure_data
        data = failure.user_failure_data
        message = data.description if data is not None else None
        said.append(message or (failure.error.message if failure.error is not None else "unknown"))
    return " ".join(said)
