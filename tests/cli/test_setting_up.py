"""What one begins with: doctor, init, completion, and the first lines of a help."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_runs import TASK, answer, run
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from scenario import good, rows

from synthmix_dagster import build_synthmix_defs
from synthmix_dagster.cli import main
from synthmix_dagster.cli.diagnosis import packages

# --- doctor --------------------------------------------------------------------------------------


def test_a_doctor_with_nothing_to_say_ends_well() -> None:
    result = run("doctor", "memory://anything")
    assert result.exit_code == 0
    assert "ok     pydantic " in result.stdout
    assert result.stdout.splitlines()[-1].strip() == "ok     memory://anything"


def test_a_store_that_is_out_of_reach_is_named_without_its_secret() -> None:
    result = run("doctor", "ftp://ann:secret@nowhere/mixes", "--json")
    assert result.exit_code == 1
    (problem,) = answer(result)["stores"].items()
    assert problem[0] == "ftp://nowhere/mixes"
    assert "ftp" in problem[1]
    assert "secret" not in result.output


def test_packages_that_are_missing_or_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["pydantic>=999", "no_such_package>=1", "other; extra == 'lake'", "rich>=1"]
    monkeypatch.setattr("synthmix_dagster.cli.diagnosis.requires", lambda _: needed)
    found = packages(None)
    assert {name: each.problem for name, each in found.items()} == {
        "pydantic": "needs >=999",
        "no_such_package": "missing, needs >=1",
        "rich": "",
    }
    assert {name: each.problem for name, each in packages("lake").items()} == {"other": "missing"}
    result = run("doctor")
    assert result.exit_code == 1
    assert "WRONG  no_such_package" in result.stdout


# --- init ----------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """The two files one has."""
    rows(60, seed=0).to_csv(tmp_path / "real.csv", index=False)
    good(120).to_parquet(tmp_path / "made.parquet")
    return [str(tmp_path / "real.csv"), str(tmp_path / "made.parquet")]


def written(folder: Path) -> dict[str, Any]:
    """Settings of the mix of a project."""
    (path,) = folder.rglob("defs.yaml")
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


@pytest.mark.parametrize(("target", "task"), [("y", "regression"), ("kind", "classification")])
def test_a_project_is_written_for_two_files(
    two: list[str], tmp_path: Path, target: str, task: str
) -> None:
    result = run("init", *two, "--target", target, "-o", tmp_path / "my-churn")
    assert result.exit_code == 0
    assert "dg check defs && dg launch --job my_churn_job" in result.stdout
    settings = written(tmp_path / "my-churn")
    assert settings["type"] == "synthmix_dagster.SynthMixComponent"
    attributes = settings["attributes"]
    assert (attributes["target"], attributes["task"]) == (target, task)
    assert [attributes[side]["path"] for side in ("real", "synthetic")] == two
    assert attributes["conditional_threshold"] == 0.2
    # What it says is what a mix takes.
    build_synthmix_defs(**{**attributes, "output_root": str(tmp_path / "mixes")})


def test_a_project_is_not_written_over_another_or_for_a_column_that_is_not_there(
    two: list[str], tmp_path: Path
) -> None:
    result = run("init", *two, "--target", "yy", "-o", tmp_path / "p")
    assert result.exit_code == 2
    assert "it has no column 'yy'. Did you mean 'y'?" in result.stderr
    assert not (tmp_path / "p").exists()
    result = run("init", *two, "--target", "y", "-o", tmp_path)
    assert result.exit_code == 2
    assert "Choose a folder that does not exist yet" in result.stderr


@pytest.mark.slow
def test_the_project_passes_the_check_of_dagster(two: list[str], tmp_path: Path) -> None:
    assert run("init", *two, "--target", "y", "-o", tmp_path / "churn").exit_code == 0
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dg"), "check", "defs"],
        cwd=tmp_path / "churn",
        capture_output=True,
        text=True,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": f"{tmp_path / 'churn' / 'src'}:{Path(__file__).parents[2]}",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All definitions loaded successfully" in done.stdout + done.stderr


# --- completion, help, messages ------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_completes_commands(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_SYNTHMIX_COMPLETE" in result.stdout


def test_commands_and_options_are_completed() -> None:
    completer = ShellComplete(main, {}, "synthmix", "_SYNTHMIX_COMPLETE")
    assert [item.value for item in completer.get_completions([], "hi")] == ["history"]
    assert "--threshold" in {item.value for item in completer.get_completions(["mix"], "--thr")}


@pytest.mark.parametrize("verb", ["measure", "recommend", "mix"])
def test_help_begins_with_what_a_first_try_needs(verb: str) -> None:
    text = run(verb, "--help").output
    first = text[text.index("Begin with:") : text.index("Options:")]
    said = [line.split()[0] for line in first.splitlines() if line.strip().startswith("--")]
    assert {"--target", "--task"} <= set(said)
    assert len(said) <= 4


def test_a_terminal_shows_errors_in_colour_with_the_remedy_last(two: list[str]) -> None:
    asked = ["measure", "nowhere.csv", two[1], *TASK]
    plain = run(*asked).stderr.strip()
    coloured = CliRunner().invoke(main, asked, color=True).stderr.strip()
    assert "\x1b" not in plain
    assert coloured.startswith("\x1b[31m\x1b[1mError:\x1b[0m ")
    remedy = coloured.split("\x1b[1m")[-1].partition("\x1b[0m")
    assert remedy[2] == "."
    assert plain.endswith(f"{remedy[0]}.")
