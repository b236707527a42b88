"""An executor that gives every step a machine of its own, as Docker or Kubernetes do.

Dagster's executors for these hand each step to a `StepHandler`, which starts `dagster api
execute_step` somewhere. The one here starts it in a process with a home, a temporary folder and a
working directory of its own, and takes all of that away before the next step begins.
"""

#: Beginning of a project's module; `given` is the path of a file of settings. For `str.format`.
EXECUTOR = """
import json, os, pathlib, shutil, subprocess, tempfile
import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult, StepDelegatingExecutor, StepHandler,
)
from synthmix_dagster import build_synthmix_defs

GIVEN = json.loads(pathlib.Path({given!r}).read_text())


class Machines(StepHandler):
    @property
    def name(self):
        return "machines"

    def launch_step(self, context):
        (step,) = context.execute_step_args.step_keys_to_execute
        machine = pathlib.Path(tempfile.mkdtemp(prefix="machine-", dir=GIVEN["machines"]))
        for folder in ("home", "tmp", "work"):
            (machine / folder).mkdir()
        environment = {{
            name: os.environ[name] for name in ("PATH", "PYTHONPATH", "DAGSTER_HOME")
        }}
        environment |= GIVEN.get("environment", {{}})
        environment |= {{"HOME": str(machine / "home"), "TMPDIR": str(machine / "tmp")}}
        done = subprocess.run(
            context.execute_step_args.get_command_args(),
            cwd=machine / "work", env=environment, capture_output=True, text=True,
        )
        shutil.rmtree(machine)
        with open(GIVEN["log"], "a") as log:
            log.write(f"{{step}} {{done.returncode}}\\n")
        yield from ()

    def check_step_health(self, context):
        return CheckStepHealthResult.healthy()

    def terminate_step(self, context):
        yield from ()


@dg.executor(name="machines", requirements=multiple_process_executor_requirements())
def machines(context):
    return StepDelegatingExecutor(
        Machines(), retries=RetryMode.DISABLED, max_concurrent=1, sleep_seconds=0.1
    )
"""
