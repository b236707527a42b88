"""Help of the command: what it tells, and that it loads nothing for it."""

import subprocess
import sys

import pytest
from cli_runs import VERBS, run

from synthmix_dagster import __version__
from synthmix_dagster.cli import main


def test_help_tells_the_verbs_and_the_exit_codes() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for word in (*VERBS, "Exit codes:", "a gate failed", "bad input or usage"):
        assert word in result.output


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_teaches_by_an_example(verb: str) -> None:
    result = run(verb, "--help")
    assert f"\n    synthmix {verb} " in result.output
    assert "\\b" not in result.output


@pytest.mark.parametrize("verb", VERBS)
def test_the_examples_in_the_help_can_be_parsed(verb: str) -> None:
    command = main.commands[verb]
    text = (command.help or "").replace("\\\n", " ")
    examples = [line.split() for line in text.splitlines() if line.strip().startswith("synthmix")]
    assert examples
    for example in examples:
        given = example[2 : next((n for n, w in enumerate(example) if w in ("|", "&&")), None)]
        options = {name for option in command.params for name in option.opts}
        assert {word for word in given if word.startswith("--")} <= options


def test_every_option_says_what_it_is() -> None:
    unsaid = [
        f"{verb} {option.name}"
        for verb, command in main.commands.items()
        for option in command.params
        if option.param_type_name == "option" and not getattr(option, "help", None)
    ]
    assert not unsaid


def test_the_version_is_that_of_the_package() -> None:
    assert __version__ in run("--version").output


def test_help_is_there_at_once_and_loads_nothing_for_it() -> None:
    program = (
        "import sys, synthmix_dagster.cli as cli\n"
        "try: cli.main(['mix', '--help'])\n"
        "finally: print(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0
    assert not {"dagster", "numpy", "pandas", "pyarrow", "rich"} & set(done.stderr.split())
