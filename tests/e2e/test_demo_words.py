"""What the demo says in its own words, without a run of it."""

import io
import re

import dagster as dg
import pytest
from rich.console import Console, RenderableType

from example_repo.demo import recording
from example_repo.tables import warning_text


def evaluation(name: str, *, passed: bool, words: str) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["eights", "optimal_ratio"]),
        check_name=name,
        passed=passed,
        metadata={},
        severity=dg.AssetCheckSeverity.WARN,
        description=words,
    )


def printed(what: RenderableType) -> str:
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_check_that_only_warns_is_named_with_its_sentence() -> None:
    evaluations = [
        evaluation("memorisation", passed=True, words="Passed. No traces."),
        evaluation("recommendation_usable", passed=False, words="Warning. The curve [is] flat."),
    ]
    said = printed(warning_text(evaluations))
    assert "warns" in said
    assert "recommendation_usable: Warning. The curve [is] flat." in " ".join(said.split())
    assert "memorisation" not in said
    assert "does not stop a release" in said


def test_without_a_warning_it_says_so() -> None:
    passed = [evaluation("memorisation", passed=True, words="Passed.")]
    assert printed(warning_text(passed)).strip() == "Every check passed."


@pytest.fixture
def drawn() -> str:
    console = Console(record=True, width=60, file=io.StringIO())
    console.print("[bold]7. Who was right?[/]")
    return recording(console)


def test_a_recording_is_text_that_fetches_nothing(drawn: str) -> None:
    assert "right?" in drawn
    assert "@font-face" not in drawn
    addresses = set(re.findall(r"https?://[^\"' )]+", drawn))
    assert addresses <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
