"""Calling the command in this process, and reading what it answered."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from synthmix_dagster.cli import main

TASK = ["--target", "y", "--task", "regression"]
QUICK = ["--permutations", "19", "--directions", "20"]
VERBS = (
    "measure",
    "recommend",
    "mix",
    "verify",
    "report",
    "history",
    "doctor",
    "init",
    "completion",
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def answer(result: Result) -> Any:
    """The one JSON object on standard output; a nan would be no JSON."""
    return json.loads(result.stdout, parse_constant=lambda word: pytest.fail(word))
