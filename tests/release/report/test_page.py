"""The report of a release: whole, escaped, the same every time, and nothing from outside."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from released import EVIL, Page, publish

from synthmix_dagster import Release, mix, verify_release
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.display.style import CHOSEN, CURVE, INK, ON_DARK, PAPER, QUIET
from synthmix_dagster.release.mixing import mix_datasets
from synthmix_dagster.release.report import sections
from synthmix_dagster.release.report.page import REPORT, release_report

pytestmark = pytest.mark.draws


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Release]:
    """Two releases of one output, the second with more weight on what is synthetic."""
    output = tmp_path_factory.mktemp("mixes")
    return [publish(output, ratio=ratio) for ratio in (0.5, 2.0)]


@pytest.fixture(scope="module")
def page(releases: list[Release]) -> Page:
    return Page((releases[1].path / "report.html").read_text())


def small() -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.DataFrame({"x": range(10), "g": list("ab") * 5}), pd.DataFrame(
        {"x": range(100, 130), "g": list("ab") * 15}
    )


# --- in the release ------------------------------------------------------------------------------


def test_a_release_holds_its_report_and_is_verified_with_it(releases: list[Release]) -> None:
    listed = {document["path"] for document in releases[0].manifest["documents"]}
    assert "report.html" in listed
    assert verify_release(releases[0].path).release_id == releases[0].release_id


def test_a_report_that_was_altered_is_found(tmp_path: Path) -> None:
    release = mix(*small(), ratio=1, output=tmp_path)
    with (release.path / "report.html").open("a") as file:
        file.write("<!-- approved -->")
    with pytest.raises(Exception, match=r"the file 'report.html' was altered"):
        verify_release(release.path)


def test_the_manifest_alone_gives_the_same_bytes_again(releases: list[Release]) -> None:
    first, second = (
        json.loads((release.path / "manifest.json").read_text()) for release in releases
    )
    for manifest, previous, release in zip((first, second), (None, first), releases, strict=True):
        written = (release.path / "report.html").read_text()
        assert release_report(manifest, previous) == written


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(releases: list[Release]) -> None:
    program = (
        "import json, sys; from synthmix_dagster.release.report.page import release_report; "
        "sys.stdout.write(release_report(json.load(open(sys.argv[1])), None))"
    )
    # Hashes of this process are those of another seed.
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    made = subprocess.run(
        [sys.executable, "-c", program, str(releases[0].path / "manifest.json")],
        env={**os.environ, "PYTHONHASHSEED": other, "SOURCE_DATE_EPOCH": other},
        capture_output=True,
        check=True,
    ).stdout
    assert made == (releases[0].path / "report.html").read_bytes()


def test_settings_of_a_notebook_change_no_report_and_stay(releases: list[Release]) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "text.color": "red", "axes.grid": True}):
        drawn = release_report(releases[0].manifest, None)
        assert mpl.rcParams["font.size"] == 30
    assert drawn == (releases[0].path / "report.html").read_text()


# --- a page --------------------------------------------------------------------------------------


def test_the_page_says_what_it_is_and_in_which_language(
    page: Page, releases: list[Release]
) -> None:
    assert page.attributes("html") == [{"lang": "en"}]
    (title,) = [data for tag, data in page.texts if tag == "title" and "Training" in data]
    assert releases[1].release_id in title
    assert page.attributes("meta")[0] == {"charset": "utf-8"}


def test_headings_are_in_order_and_there_is_one_first(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels == [1] + [2] * 11
    anchors = [attributes["href"].removeprefix("#") for attributes in page.attributes("a")]
    sections = {attributes.get("id") for attributes in page.attributes("section")}
    assert len(anchors) == 3
    assert set(anchors) <= sections


def test_details_are_folded_and_open_on_paper(page: Page, releases: list[Release]) -> None:
    assert page.attributes("details") == [{}] * 8
    text = (releases[1].path / "report.html").read_text()
    assert "details::details-content" in text[text.index("@media print") :]


def test_names_of_elements_are_unique_and_what_refers_to_them_finds_them(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)
        for reference in (attributes.get("href", ""), attributes.get("xlink:href", "")):
            assert reference.removeprefix("#") in {*ids, ""}


def test_no_two_regions_have_one_name(page: Page) -> None:
    named = [data for tag, data in page.texts if tag == "h2"]
    named += [tag["aria-label"] for _, tag in page.tags if tag.get("role") == "region"]
    assert len(named) > 16
    assert len(named) == len(set(named))


def test_every_picture_is_told_in_words(page: Page) -> None:
    pictures = page.attributes("svg")
    assert len(pictures) == 4
    assert all(p["role"] == "img" and len(p["aria-labelledby"].split()) == 2 for p in pictures)
    described = [data for tag, data in page.texts if tag == "desc"]
    assert any("is recommended" in data for data in described)
    assert any(data.startswith("The gap is ") for data in described)
    assert any("real 60 rows" in data for data in described)


def test_every_table_has_a_caption_and_its_headers_a_scope(page: Page) -> None:
    tables = page.attributes("table")
    assert len(tables) == len(page.attributes("caption")) > 8
    assert {attributes["scope"] for attributes in page.attributes("th")} == {"row", "col"}


def test_nothing_comes_from_outside_and_nothing_runs(releases: list[Release]) -> None:
    text = (releases[1].path / "report.html").read_text()
    assert not re.search(r"https?:|//|url\((?!#)|@import|javascript:", text)
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "img"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]


def test_it_is_legible_in_the_dark_and_on_paper(releases: list[Release]) -> None:
    text = (releases[1].path / "report.html").read_text()
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    # What a picture draws in a colour of its own would vanish on one ground or the other.
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)


@pytest.mark.parametrize("of", [str, ON_DARK.__getitem__], ids=["light", "dark"])
def test_words_stand_out_from_their_ground(of: Callable[[str], str]) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(of(one)), luminance(of(other))))
        return (high + 0.05) / (low + 0.05)

    assert all(contrast(colour, PAPER) >= 4.5 for colour in (INK, QUIET, CURVE))
    # Lines and marks need less than words do.
    assert contrast(CHOSEN, PAPER) >= 3


# --- what it says --------------------------------------------------------------------------------


def test_it_answers_every_question_of_a_reviewer(page: Page, releases: list[Release]) -> None:
    manifest = releases[1].manifest
    evidence = manifest["evidence"]
    text = page.text()
    for said in (
        "60 real, 120 synthetic",
        manifest["inputs"]["real"]["fingerprint"],
        evidence["optimal_ratio"]["reason"].replace("'", "'"),
        f"{evidence['distribution_distance']['gap']:.3f}",
        evidence["checks"]["wasserstein_gap"]["sentence"],
        "No threshold was set, so it could not stop the release.",
        f"Compared with release {releases[0].release_id}",
        manifest["shards"][0]["sha256"],
        "synthmix verify",
        f"release_id == '{releases[1].release_id}'",
        manifest["libraries"]["pyarrow"],
        "The released ratio is 2; ",
    ):
        assert said in text


def test_what_was_not_measured_is_said(tmp_path: Path) -> None:
    release = mix(*small(), ratio=1, output=tmp_path)
    text = Page((release.path / "report.html").read_text()).text()
    for said in (
        "The distance was not measured",
        "No recommendation was computed",
        "No gates were configured.",
        "There is no previous release.",
    ):
        assert said in text


def test_names_and_values_of_the_user_are_text(tmp_path: Path) -> None:
    release = publish(tmp_path, rename={"x": EVIL, "y": '"><b>y'}, stratify="kind")
    text = (release.path / "report.html").read_text()
    page = Page(text)
    assert not {"script", "b"} & {tag for tag, _ in page.tags}
    assert EVIL in page.text()
    assert '"><b>y' in page.text()


def test_values_of_strata_and_names_of_files_are_text(tmp_path: Path) -> None:
    real, synthetic = (frame.replace({"a": EVIL}) for frame in small())
    real.to_csv(tmp_path / "<i>&.csv", index=False)
    release = mix(tmp_path / "<i>&.csv", synthetic, ratio=1, stratify="g", output=tmp_path / "o")
    page = Page((release.path / "report.html").read_text())
    assert not {"script", "i"} & {tag for tag, _ in page.tags}
    assert {EVIL, "<i>&.csv"} <= {data for _, data in page.texts}


@pytest.mark.slow
def test_filters_and_names_are_told_and_the_program_makes_the_same_release(tmp_path: Path) -> None:
    real, synthetic = small()
    for name, side in (("real", real), ("synthetic", synthetic)):
        side.to_csv(tmp_path / f"{name}.csv", index=False)
    view: dict[str, Any] = {"filters": [("x", "<", 9), ("g", "==", "a")], "rename": {"g": "kind"}}
    sides = [
        open_dataset(tmp_path / "real.csv", "real", **view),
        open_dataset(tmp_path / "synthetic.csv", "synthetic", rename={"g": "kind"}),
    ]
    release = mix(*sides, ratio=9, shortage="cap", stratify="kind", output=tmp_path / "first")
    page = Page((release.path / "report.html").read_text())
    assert "rows where x < 9 and g == 'a'; g renamed to kind" in page.text()
    program = next(data for tag, data in page.texts if tag == "code" and "open_dataset" in data)
    for name in ("real", "synthetic"):
        program = program.replace("'PATH OR FRAME'", repr(str(tmp_path / f"{name}.csv")), 1)
    program = program.replace("'a directory'", repr(str(tmp_path / "second")))
    # It ends with an assertion that the release ids are equal.
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / "second" / "latest" / "report.html").exists()


@pytest.mark.parametrize(
    "name", ["$price$_{x", "a\x00b", "two\nlines", "数量", "\ud800", "x" * 300, "&amp;"]
)
def test_odd_names_give_a_whole_page(releases: list[Release], name: str) -> None:
    manifest = json.loads(json.dumps(releases[0].manifest))
    manifest["columns"][0]["name"] = name
    manifest["evidence"]["distribution_distance"]["columns"][0]["column"] = name
    page = release_report(manifest, None)
    Page(page)
    page.encode("utf-8")
    assert "\x00" not in page


def test_several_generators_weights_and_caps_are_told(tmp_path: Path) -> None:
    real, synthetic = small()
    release = mix(
        real,
        {"gan": synthetic, "copula-1": synthetic + synthetic},
        ratio={"gan": 0.5, "copula-1": 0.25},
        mode="weights",
        max_rows=14,
        output=tmp_path,
    )
    text = Page((release.path / "report.html").read_text()).text()
    for said in (
        "share of the weight (%)",
        "sample_weight",
        "copula_1 = open_dataset('PATH OR FRAME', 'copula-1')",
        "{'copula-1': copula_1, 'gan': gan}",
        "ratio={'copula-1': 0.25, 'gan': 0.5}",
        "leaves room for 4 of",
    ):
        assert said in text


def test_what_warned_and_what_was_overridden_is_told(releases: list[Release]) -> None:
    manifest = json.loads(json.dumps(releases[0].manifest))
    manifest["evidence"]["checks"] = {
        "wasserstein_gap": {"passed": False, "sentence": "Too far."},
        "schema_matches": {"passed": False, "sentence": "Odd.", "severity": "WARN"},
    }
    manifest["evidence"]["overrides"] = {"release_anyway": "for <b>Ann</b>"}
    page = Page(release_report(manifest, None))
    text = page.text()
    assert "Released although a gate failed: wasserstein_gap." in text
    assert "for <b>Ann</b>" in text
    results = [attributes.get("class") for attributes in page.attributes("span")]
    assert {"failed", "warning", "passed", "not-configured"} <= set(results)


def test_evidence_of_another_version_does_not_stop_a_report(releases: list[Release]) -> None:
    manifest = json.loads(json.dumps(releases[0].manifest))
    del manifest["evidence"]["distribution_distance"]["gap"]
    manifest["evidence"]["optimal_ratio"] = {"ratio": 1.0}
    text = Page(release_report(manifest, None)).text()
    assert "another version of synthmix-dagster wrote" in text


def test_gates_that_cannot_be_read_are_never_told_as_none(releases: list[Release]) -> None:
    manifest = json.loads(json.dumps(releases[0].manifest))
    manifest["evidence"]["checks"] = ["of another shape"]
    text = Page(release_report(manifest, None)).text()
    assert "The recorded results of the gates cannot be read by this version." in text
    assert "The manifest holds 'checks', which another version" in text
    assert "No gates were configured." not in text


# --- what goes wrong ----------------------------------------------------------------------------


def fail(*args: Any, **options: Any) -> Any:
    raise RuntimeError("<b>no</b>")


@pytest.mark.parametrize(
    ("plot", "title"),
    [
        ("plot_composition", "Composition of the release"),
        ("plot_risk_curve", "Predicted risk at every ratio"),
        ("plot_distance", "Gap, chance and threshold"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_named_and_costs_nothing_else(
    releases: list[Release],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    plot: str,
    title: str,
) -> None:
    monkeypatch.setattr(sections, plot, fail)
    page = Page(release_report(releases[1].manifest, None))
    assert len(page.attributes("svg")) == 3
    assert len(page.attributes("h2")) == 11
    (warning,) = [data for _, data in page.texts if "could not be drawn" in data]
    assert title in warning
    assert "RuntimeError" in warning
    assert "<b>no</b>" in caplog.text


def test_a_section_that_cannot_be_written_is_named_and_costs_nothing_else(
    releases: list[Release], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sections, "changes", fail)
    page = Page(release_report(releases[1].manifest, releases[0].manifest))
    assert len(page.attributes("svg")) == 4
    assert len(page.attributes("h2")) == 11
    assert "This section could not be written (RuntimeError)." in page.text()
    assert "Changes since the previous release" in caplog.text


def test_a_release_without_a_figure_is_still_a_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "plot_composition", fail)
    release = mix(*small(), ratio=1, output=tmp_path)
    assert verify_release(release.path).release_id == release.release_id
    assert "could not be drawn" in (release.path / "report.html").read_text()


# --- the release before --------------------------------------------------------------------------


def test_each_release_names_the_one_before(releases: list[Release]) -> None:
    assert [release.manifest["previous"] for release in releases] == [
        None,
        releases[0].release_id,
    ]


def test_a_damaged_release_is_written_again_as_it_was(tmp_path: Path) -> None:
    first, second = (mix(*small(), ratio=ratio, output=tmp_path) for ratio in (1, 2))
    before = {p.name: p.read_bytes() for p in second.path.iterdir() if p.is_file()}
    second.shards[0].write_bytes(b"")
    again = mix(*small(), ratio=2, output=tmp_path)
    assert again.manifest["previous"] == first.release_id
    assert {p.name: p.read_bytes() for p in again.path.iterdir() if p.is_file()} == before


def test_a_release_before_that_is_gone_is_said(releases: list[Release]) -> None:
    text = Page(release_report(releases[1].manifest, None)).text()
    assert f"The previous release was {releases[0].release_id}. It no longer exists" in text


def test_the_report_is_made_of_both_manifests(tmp_path: Path) -> None:
    sides = [open_dataset(side, name) for side, name in zip(small(), ("real", "s"), strict=True)]
    first, second = (mix_datasets(*sides, ratio=ratio, output=tmp_path) for ratio in (1, 2))
    for release, previous in ((first, None), (second, first.manifest)):
        written = (verify_release(release.path).path / REPORT).read_text(encoding="utf-8")
        assert written == release_report(release.manifest, previous)
    assert f"Compared with release {first.release_id}" in written
