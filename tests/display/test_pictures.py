"""Pictures: what they draw, and how they get into a page and into one line of Markdown."""

import base64
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from released import publish

from synthmix_dagster import DistanceReport, DriftReport, Recommendation, Release
from synthmix_dagster.display.rendering import inline_svg, png
from synthmix_dagster.display.style import PAGE_WIDTH, REAL, SYNTHETIC, WIDTH
from synthmix_dagster.drift.report import Point, SeriesReport
from synthmix_dagster.orchestration.sparklines import (
    MAX_CHARACTERS,
    compact_composition,
    compact_distance,
    compact_drift,
    compact_ratio,
)
from synthmix_dagster.release.display import (
    MAX_PORTIONS,
    composition_markdown,
    plot_composition,
    shown_portions,
)
from synthmix_dagster.release.manifest import Column, Input, Manifest, Realised, RowIdentity
from synthmix_dagster.release.request import GeneratorRequest, Request


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return publish(tmp_path_factory.mktemp("mixes"))


@pytest.fixture(scope="module")
def report(release: Release) -> DistanceReport:
    return DistanceReport.from_dict(release.manifest["evidence"]["distribution_distance"])


@pytest.fixture(scope="module")
def advice(release: Release) -> Recommendation:
    return Recommendation.from_dict(release.manifest["evidence"]["optimal_ratio"])


def manifest_of(generators: dict[str, int], real: int = 100) -> Manifest:
    total = real + sum(generators.values())
    ratio = (total - real) / real
    requests = {name: GeneratorRequest(rows / real, rows) for name, rows in generators.items()}
    given = {"real": real, **{name: max(rows, 1) for name, rows in generators.items()}}
    return Manifest(
        manifest_version=2,
        release_id="0" * 16,
        mix=Request("rows", ratio, total - real, requests, 0, None, (), None, True, 1000),
        inputs={
            name: Input(rows, "0" * 64, RowIdentity("content"), None, ())
            for name, rows in given.items()
        },
        notes=(),
        evidence={},
        realised=Realised(total, real, total - real, ratio, generators, {}, {}, {}, 0),
        columns=(Column("x", "double"),),
        shards=(),
        documents=(),
        libraries={},
    )


def drift_of(batches: int) -> DriftReport:
    points = tuple(
        Point(f"day {n}", "v", 0.1, True, log_martingale=1234.5 * n / batches)
        for n in range(batches)
    )
    series = tuple(
        SeriesReport(name, "batch", "alarm", points, 1234.5, None, None, "", ())  # type: ignore[arg-type]
        for name in ("gap", "generator", "reality")
    )
    return DriftReport("alarm", series, delta=0.01, alarm_line=5.8, history=20)


# --- full pictures -------------------------------------------------------------------------------


def test_composition_has_a_bar_for_every_input_with_rows_and_share() -> None:
    axes = plot_composition(manifest_of({"a": 100, "b": 200}))
    assert [bar.get_width() for bar in axes.patches] == [25.0, 50.0, 25.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["real", "b", "a"]
    assert [text.get_text() for text in axes.texts] == [
        "100 rows, 25.0 %",
        "200 rows, 50.0 %",
        "100 rows, 25.0 %",
    ]
    assert axes.get_xlabel() == "share of all rows (%)"
    assert png(axes).startswith(b"\x89PNG")


@pytest.mark.parametrize("width", [WIDTH, PAGE_WIDTH])
@pytest.mark.parametrize("synthetic", [0, 900])
def test_an_axis_of_shares_ends_at_100(synthetic: int, width: float) -> None:
    axes = plot_composition(manifest_of({"a": synthetic}), width=width)
    assert max(axes.get_xticks()) in (80, 100)
    assert axes.get_xlim()[1] > max(bar.get_width() for bar in axes.patches)


@pytest.mark.parametrize("count", [MAX_PORTIONS - 1, MAX_PORTIONS, 40])
def test_many_small_generators_are_counted_together(count: int) -> None:
    manifest = manifest_of({f"g{n}": 10 + n for n in range(count)})
    portions = shown_portions(manifest)
    assert len(portions) == min(count + 1, MAX_PORTIONS)
    assert sum(portion.rows for portion in portions) == manifest.realised.rows
    assert sum(portion.share for portion in portions) == pytest.approx(1)
    assert (portions[-1].name.endswith("more generators")) == (count >= MAX_PORTIONS)


def test_a_release_without_synthetic_rows_can_be_drawn() -> None:
    manifest = manifest_of({"synthetic": 0})
    assert png(plot_composition(manifest)).startswith(b"\x89PNG")
    assert "0 synthetic" in compact_composition(manifest)


def test_chance_is_drawn_behind_the_gap(report: DistanceReport) -> None:
    assert len(report.null) == 21
    assert sorted(report.null) == list(report.null)
    bands = report.plot().collections
    widest = bands[0].get_paths()[0].get_extents()
    assert (widest.x0, widest.x1) == (report.null[0], report.null[-1])
    assert not replace(report, null=()).plot().collections


def test_a_release_draws_itself(release: Release) -> None:
    assert [bar.get_width() for bar in release.plot().patches] == [
        100 * portion.share for portion in shown_portions(release.details)
    ]


def test_the_release_carries_its_picture_as_markdown(release: Release) -> None:
    assert composition_markdown(release.details).startswith("![Rows of a release by source]")


def test_the_same_picture_is_the_same_element_and_two_share_no_names(release: Release) -> None:
    one, two, other = (
        inline_svg(plot_composition(release.details), name, "a < b", "c")
        for name in ("first", "first", "other")
    )
    assert one == two
    ids = [set(re.findall(r' id="([^"]*)"', drawn)) for drawn in (one, other)]
    assert not ids[0] & ids[1]
    assert "a &lt; b" in one
    # Whole by itself, apart from the prefix that HTML knows and XML has to be told.
    root = ElementTree.fromstring(str(one).replace("<svg ", "<svg xmlns:xlink='x' ", 1))
    assert root.get("role") == "img"


# --- one line of Markdown ------------------------------------------------------------------------


def drawn_in(markdown: str) -> ElementTree.Element:
    data = re.fullmatch(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([^)]*)\)", markdown)
    assert data is not None
    assert len(markdown) < MAX_CHARACTERS
    return ElementTree.fromstring(base64.b64decode(data[1]))


def words_of(root: ElementTree.Element) -> str:
    return str(next(element.text for element in root if element.tag.endswith("text")))


@pytest.mark.parametrize("threshold", [None, 0.35, 1e-7])
def test_a_distance_fits_in_one_line(report: DistanceReport, threshold: float | None) -> None:
    words = words_of(drawn_in(compact_distance(report, threshold)))
    assert words.startswith(f"gap {report.gap:.3g}, floor {report.floor:.3g}")
    assert ("threshold" in words) == (threshold is not None)


@pytest.mark.parametrize(
    "change",
    [
        {"interval": None, "null": ()},
        {"gap": float("nan"), "interval": (float("nan"), float("nan"))},
        {"gap": 123456.789, "interval": (-123456.789, 1e9), "floor": 1e-12},
        {"gap": 0.0, "interval": (0.0, 0.0), "floor": 0.0, "null": ()},
    ],
)
def test_an_odd_distance_fits_too(report: DistanceReport, change: dict[str, Any]) -> None:
    drawn_in(compact_distance(replace(report, **change), 0.123456))


def test_a_ratio_fits_in_one_line(advice: Recommendation) -> None:
    root = drawn_in(compact_ratio(advice))
    assert words_of(root).startswith(f"ratio {advice.ratio:.2f} (")
    many = tuple(replace(advice.curve[0], ratio=n * 12345.6, risk=n % 7) for n in range(300))
    baselines = {"none": 123456.789, "recommended": 123456.789}
    drawn_in(compact_ratio(replace(advice, curve=many, interval=(0.0, 99999.9), ratio=99999.9,
                                   baselines=baselines)))  # fmt: skip
    drawn_in(compact_ratio(replace(advice, curve=advice.curve[:1], interval=(0.0, 0.0), ratio=0.0)))


@pytest.mark.parametrize("batches", [0, 1, 5, 500])
def test_drift_fits_in_one_line(batches: int) -> None:
    root = drawn_in(compact_drift(drift_of(batches)))
    assert words_of(root) == "gap alarm, generator alarm, reality alarm"


@pytest.mark.parametrize("count", [1, 3, 60])
def test_a_composition_fits_in_one_line(count: int) -> None:
    manifest = manifest_of({f"generator {n}": 10_000_000 for n in range(count)}, 123_456_789)
    root = drawn_in(compact_composition(manifest))
    fills = [element.get("fill") for element in root if element.tag.endswith("path")]
    assert fills == [REAL] + [SYNTHETIC] * min(count, 5)


def test_reports_stored_by_earlier_versions_can_be_read(report: DistanceReport) -> None:
    stored = json.loads(json.dumps(report.to_dict()))
    assert DistanceReport.from_dict(stored) == report
    del stored["null"]
    assert DistanceReport.from_dict(stored) == replace(report, null=())


def test_a_part_of_a_figure_is_saved_as_the_whole_figure() -> None:
    from matplotlib.figure import Figure

    whole = Figure(figsize=(4, 2))
    axes = [part.subplots() for part in whole.subfigures(1, 2)]
    alone = Figure(figsize=(2, 2)).subplots()
    sizes = [struct.unpack(">II", png(drawn)[16:24]) for drawn in (*axes, alone)]
    assert sizes == [(400, 200), (400, 200), (200, 200)]


def test_pictures_are_in_colours_that_a_page_can_change(release: Release, tmp_path: Path) -> None:
    drawn = inline_svg(plot_composition(release.details), "composition", "t", "d")
    assert "var(--ink)" in drawn
    assert "var(--paper)" in drawn
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)
