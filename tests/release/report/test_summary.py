"""The first screen of a report: the decision, the reason, the doubts and the release before."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from released import Page, publish

from synthmix_dagster.release.report.page import release_report


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two releases of one output, the second at the recommended ratio."""
    output = tmp_path_factory.mktemp("mixes")
    return [dict(publish(output, **options).manifest) for options in ({"ratio": 0.5}, {})]


def first_screen(manifest: Mapping[str, Any], previous: Mapping[str, Any] | None = None) -> str:
    """What is read above everything that is folded."""
    whole = Page(release_report(manifest, previous)).text()
    return whole[: whole.index("Release contents")]


def changed(manifest: Mapping[str, Any], **evidence: Any) -> dict[str, Any]:
    """A copy of a manifest with other evidence; None takes a part away."""
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    for name, value in evidence.items():
        if value is None:
            copy["evidence"].pop(name, None)
        else:
            copy["evidence"][name] = value
    return copy


def test_released_how_many_and_why_come_first(manifests: list[dict[str, Any]]) -> None:
    text = first_screen(manifests[1])
    assert text.index("Released. All gates passed.") < text.index("60 real, 200 synthetic")
    assert manifests[1]["evidence"]["optimal_ratio"]["reason"] in text
    assert "This is the first release." not in text


def test_the_last_release_stands_beside_this_one(manifests: list[dict[str, Any]]) -> None:
    lines = first_screen(manifests[1], manifests[0]).splitlines()
    at = lines.index("last")
    gap = f"{manifests[0]['evidence']['distribution_distance']['gap']:.4f}"
    assert lines[at : at + 19] == [
        *("last", "this", "change"),
        *("rows", "90", "260", "+170"),
        *("ratio", "0.5", "3.333", "+2.833"),
        *("gap", gap, gap, "unchanged"),
        *("threshold", "0.8", "0.8", "unchanged"),
    ]


def test_the_first_release_has_none_to_be_compared_with(manifests: list[dict[str, Any]]) -> None:
    assert "This is the first release." in first_screen(manifests[0])


def test_three_things_could_be_wrong_the_worst_first(manifests: list[dict[str, Any]]) -> None:
    page = Page(release_report(manifests[1], None))
    doubts = [data for tag, data in page.texts if tag == "li"][:3]
    assert doubts == [
        "The risk is still falling at 3.33, the highest ratio considered.",
        "If the generator was fitted on these real rows, the predicted error is too low and the "
        "ratio may be too high.",
        "Labels were not gated ('conditional_threshold' is not set), so rows with wrong labels "
        "would have passed.",
    ]


def test_what_was_not_measured_is_the_first_doubt(manifests: list[dict[str, Any]]) -> None:
    text = first_screen(
        changed(manifests[1], distribution_distance=None, optimal_ratio=None, checks=None)
    )
    assert "No gates were configured." in text
    assert "The distance was not measured, so synthetic rows may be far" in text
    assert "No other ratio was compared, so another one may be better." in text
    assert "The 60 real rows may not be like the rows that the model will meet." in text


def test_an_interval_over_the_threshold_is_a_doubt(manifests: list[dict[str, Any]]) -> None:
    manifest = changed(manifests[1], thresholds={"wasserstein_gap": 0.01})
    manifest["evidence"]["optimal_ratio"]["provenance"]["judged"] = "evaluation"
    high = manifest["evidence"]["distribution_distance"]["interval"][1]
    said = f"The gap may be above its threshold of 0.01: its 95 % interval reaches {high:.3f}."
    assert said in first_screen(manifest)


def test_a_waiver_is_the_headline_with_its_reason(manifests: list[dict[str, Any]]) -> None:
    waiver = {
        "reason": "agreed <b>with</b> Ann",
        "objections": ["the check 'x' failed. Too far.", "another"],
        "by": "ann",
        "at": "2026-01-01T00:00:00+00:00",
    }
    text = first_screen(changed(manifests[1], waiver=waiver))
    assert "Released although something forbade it." in text
    assert "“agreed <b>with</b> Ann”" in text
    assert "the check 'x' failed. (and 1 more)" in text
    assert "All gates passed" not in text


def test_another_ratio_than_recommended_is_the_reason(manifests: list[dict[str, Any]]) -> None:
    assert "The released ratio is 0.5; 3.333 was recommended." in first_screen(manifests[0])


def test_no_number_is_written_as_a_power_of_ten(manifests: list[dict[str, Any]]) -> None:
    manifest = changed(manifests[1])
    manifest["evidence"]["distribution_distance"]["columns"][0]["part"] = 7.367e-05
    text = Page(release_report(manifest, None)).text()
    assert "0.000074" in text
    assert "e-05" not in text
