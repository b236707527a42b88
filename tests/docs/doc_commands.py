"""Commands of the docs: run in this process where that is cheap, else looked up word by word."""

import os
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import dagster as dg
from click.testing import CliRunner
from doc_blocks import ROOT

from synthmix_dagster.cli import main as synthmix

#: Packages that a page installs and that are too large to test with.
NOT_INSTALLED = {"sdv", "torch", "xgboost"}


def commands_of(body: str) -> list[str]:
    """What comes after each ``$``, with lines that go on joined."""
    joined = body.replace("\\\n", " ")
    return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


def run(command: str, chdir: Callable[[Path], None], setenv: Callable[[str, str], None]) -> bool:
    """Run a command, or check that it could be; whether it succeeded."""
    words = shlex.split(os.path.expandvars(command), comments=True)
    match words:
        case ["export", said]:
            setenv(*said.split("=", 1))
        case ["cd", folder]:
            chdir(Path(folder))
            setenv("PWD", str(Path.cwd()))
        case ["mkdir", "-p", *folders]:
            for folder in folders:
                Path(folder).mkdir(parents=True, exist_ok=True)
        case ["make", target]:
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"no target '{target}'"
        case ["pip", "install", *names]:
            for name in names:
                _installable(name)
        case ["python", "-m", module, *options]:
            _has_options(module, options)
        case ["python", script]:
            with_path(lambda: runpy.run_path(script, run_name="__main__"))
        case ["dg", "scaffold", "defs", "synthmix_dagster.SynthMixComponent", _, *options]:
            _scaffolds(options)
        case ["dg", "check", "defs"] if _project() is not None:
            with_path(lambda: dg.Definitions.validate_loadable(_definitions()))
        case ["dg", "launch", *options] if _project() is not None:
            _known(words)
            return bool(with_path(lambda: _launch(options)))
        case ["dg", *_]:
            _known(words)
        case ["synthmix", *options]:
            result = CliRunner().invoke(synthmix, options)
            print(result.output)
            return result.exit_code == 0
        case _:
            raise AssertionError(f"nobody knows how to check '{command}'")
    return True


def with_path(act: Callable[[], Any]) -> Any:
    """Do something with the working directory in front of the path, and forget its modules."""
    here = str(Path.cwd())
    before = set(sys.modules)
    sys.path.insert(0, here)
    try:
        return act()
    finally:
        sys.path.remove(here)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(here):
                del sys.modules[name]


def _project() -> str | None:
    """Root module of the Dagster project in the working directory."""
    file = Path("pyproject.toml")
    if not file.exists():
        return None
    found = re.search(r'^root_module = "(\w+)"$', file.read_text(encoding="utf-8"), re.MULTILINE)
    return None if found is None else found[1]


def _definitions() -> dg.Definitions:
    found: dg.Definitions = import_module(f"{_project()}.definitions").defs()
    return found


def _launch(options: Sequence[str]) -> bool:
    """What ``dg launch`` does, in this process; says what checks and failed steps say."""
    said = dict(zip(options[::2], options[1::2], strict=True))
    defs = _definitions()
    keys = None
    if "--job" in said:
        job = defs.resolve_job_def(said["--job"])
    else:
        job = defs.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey.from_user_string(key) for key in said["--assets"].split(",")]
    result = job.execute_in_process(
        instance=dg.DagsterInstance.get(),
        asset_selection=keys,
        partition_key=said.get("--partition"),
        raise_on_error=False,
    )
    for check in result.get_asset_check_evaluations():
        print(f"{check.check_name}: {check.description}")
    for event in result.filter_events(lambda each: each.event_type_value == "STEP_FAILURE"):
        data = event.step_failure_data
        print(data.user_failure_data.description if data.user_failure_data else data.error.message)
    return bool(result.success)


def _known(words: Sequence[str]) -> None:
    """Check that a command of `dg` and all its options exist."""
    command: Any = import_module("dagster_dg_cli.cli").create_dg_cli()
    for word in words[1:]:
        if word.startswith("-"):
            names = [name for each in command.params for name in each.opts + each.secondary_opts]
            assert word.split("=")[0] in names, f"'{word}' is no option of '{command.name}'"
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            assert found is not None, f"'{word}' is no command of '{command.name}'"
            command = found


def _scaffolds(options: Sequence[str]) -> None:
    from synthmix_dagster.orchestration.scaffolder import SynthMixParams

    for word in options:
        if word.startswith("--"):
            assert word[2:].split("=")[0] in SynthMixParams.model_fields, word


def _has_options(module: str, options: Sequence[str]) -> None:
    assert find_spec(module) is not None, f"no module '{module}'"
    if module.startswith("benchmarks"):
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
        for word in options:
            assert not word.startswith("--") or word in source, f"{module} has no {word}"


def _installable(word: str) -> None:
    name = re.split(r"[\[<>=]", word)[0]
    if name in NOT_INSTALLED:
        return
    try:
        distribution(name)
    except PackageNotFoundError:
        raise AssertionError(f"nobody tested with '{name}'") from None
