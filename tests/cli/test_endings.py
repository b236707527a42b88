"""Exit codes, messages and progress: how a command ends, whatever it was."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_runs import run
from scenario import rows

from synthmix_dagster import __version__, mix
from synthmix_dagster.cli.progress import progress
from synthmix_dagster.watching import tell, watched


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["measure", "nowhere.csv", "{good}"], "dataset 'real': there is no file or folder"),
        (["measure", "{real}", "{good}", "--target", "w"], "it has no target column 'w'"),
        (["measure", "{real}", "{good}", "--scaling", "rnak"], "'rnak' is not one of"),
        (["measure", "{real}", "{good}", "--threshold", "low"], "option 'threshold': it is 'low'"),
        (["measure", "{real}", "{good}", "--weight", "x"], "'x' is not COLUMN=NUMBER"),
        (["recommend", "{real}", "{good}"], "Set --target and --task"),
        (["mix", "{real}", "{good}", "--output", "x"], "Set --ratio, or --target and --task"),
        (["mix", "{real}", "{good}", "--ratio", "99", "--output", "x"], "option 'ratio'"),
        (["verify", "nowhere"], "'nowhere' does not exist"),
        (["remix"], "No such command 'remix'"),
    ],
)
def test_bad_input_is_one_message_and_2(
    files: dict[str, str], tmp_path: Path, monkeypatch: Any, arguments: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*(argument.format(**files) for argument in arguments))
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_an_error_of_the_program_is_neither_a_gate_nor_bad_input(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_sides: Any, **_options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("synthmix_dagster.verbs.core.measure_distance", broken)
    result = run("measure", files["real"], files["good"])
    assert result.exit_code == 3
    assert "RuntimeError: a bug" in result.stderr


def test_an_interrupt_is_neither_as_well(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_sides: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("synthmix_dagster.verbs.core.measure_distance", interrupted)
    assert run("measure", files["real"], files["good"]).exit_code == 130


def test_progress_is_shown_to_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    shown = {}
    for kind in (io.StringIO, Terminal):
        monkeypatch.setattr(sys, "stderr", kind())
        with progress(2) as step:
            step("the first step")
            step("the second step")
            tell("reading", 1_500, 20_000)
        shown[kind] = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert shown[io.StringIO] == ""
    assert "the second step" in shown[Terminal]
    assert "1 of 2 steps" in shown[Terminal]
    assert "reading" in shown[Terminal]
    assert "1,500 of 20,000 rows" in shown[Terminal]


def test_rows_are_told_as_they_are_read_and_written(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with watched(lambda *each: told.append(each)):
        mix(rows(40, seed=0), rows(60, seed=1), ratio=0.5, output=tmp_path, rows_per_shard=30)
    assert told[-3:] == [("reading", 100, 100), ("writing", 30, 60), ("writing", 60, 60)]
    assert told == sorted(told)


def test_the_command_is_installed() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("synthmix")), "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert __version__ in done.stdout
