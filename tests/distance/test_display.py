"""A distance report as text, HTML, picture and JSON."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from measuring import measure

from synthmix_dagster.display.formatting import readable
from synthmix_dagster.display.rendering import png
from synthmix_dagster.distance.display import MAX_COLUMNS, plot_distance
from synthmix_dagster.distance.estimate import signed_root
from synthmix_dagster.distance.report import DistanceReport


def frames(columns=3, rows=200, shift=0.7):
    rng = np.random.default_rng(0)
    real, synthetic = (
        pd.DataFrame(rng.normal(size=(rows, columns))).add_prefix("c") for _ in range(2)
    )
    synthetic["c0"] += shift
    for frame in (real, synthetic):
        frame["y"] = frame["c0"] * 2 + rng.normal(size=rows)
    return real, synthetic


@pytest.fixture(scope="module")
def report():
    return measure(*frames(), target="y", permutations=9, notes=["by hand"])


@pytest.fixture(scope="module")
def quick():
    return measure(*frames(), permutations=0)


def test_json_and_back_is_the_same_report(report, quick):
    for one in (report, quick):
        assert DistanceReport.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_a_report_cannot_be_changed(report):
    with pytest.raises(AttributeError):
        report.gap = 0.0


def test_the_text_tells_gap_interval_floor_test_and_notes(report):
    text = repr(report)
    low, high = report.interval
    for words in (
        f"gap {report.gap:.3f} ({low:.3f} to {high:.3f})",
        f"floor {report.floor:.3f}",
        "p = 0.1",
        f"without the target {report.input_gap:.3f}",
        f"given the rest {report.conditional_gap:.3f}",
        "200 real, 200 synthetic",
        "note: by hand",
    ):
        assert words in text


def test_what_was_not_measured_is_not_told(quick):
    text = repr(quick) + quick._repr_html_()
    for words in ("p-value", "None", "nan", "target"):
        assert words not in text


class Cells(HTMLParser):
    """The text of every cell, and every tag."""

    def __init__(self, page):
        super().__init__()
        self.cells, self.tags = [], set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.cells.append(data)


def test_html_holds_the_numbers_and_escapes_what_the_user_wrote():
    real, synthetic = frames()
    evil = "<script>alert('c0')</script>"
    sides = [frame.rename(columns={"c0": evil}) for frame in (real, synthetic)]
    found = measure(*sides, permutations=9, notes=["<b>note</b>"])
    page = Cells(found._repr_html_())
    assert evil in page.cells
    assert "<b>note</b>" in page.cells
    assert "script" not in page.tags
    assert readable(found.floor) in page.cells


def test_html_counts_what_was_unseen_clipped_and_beyond_the_bins(report):
    column = replace(report.columns[0], unseen=417, clipped=523)
    page = Cells(replace(report, rows="all", clipped=0.0625, columns=(column,))._repr_html_())
    assert {"unseen", "417", "clipped", "523", "0.0625"} <= set(page.cells)


def test_the_effect_size_is_gap_over_floor(report):
    assert report.effect_size == report.gap / report.floor
    same = pd.DataFrame({"c": ["a", "b"] * 50})
    assert np.isfinite(measure(same, same, permutations=0).gap)


def test_the_plot_has_a_bar_a_column_in_order_of_their_parts(report):
    axes = report.plot()
    assert [bar.get_width() for bar in axes.patches] == [
        signed_root(c.part) for c in report.columns
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "all columns",
        *(column.column for column in report.columns),
    ]
    assert axes.get_xlabel() == "distance in real standard deviations"
    assert png(axes).startswith(b"\x89PNG")


def test_the_plot_shows_gap_interval_floor_and_threshold(report):
    axes = report.plot(threshold=0.35)
    lines = [tuple(line.get_xdata()) for line in axes.lines]
    for drawn in (report.interval, (report.gap,), (report.floor,) * 2, (0.35, 0.35)):
        assert drawn in lines
    words = set(axes.get_legend_handles_labels()[1])
    assert {f"floor {report.floor:.3f}, before debiasing", "threshold 0.350"} <= words
    low, high = report.interval
    assert f"Gap {report.gap:.3f}, 95 % interval {low:.3f} to {high:.3f}" in axes.get_title("left")


def test_a_floor_far_above_all_else_is_told_and_does_not_squeeze_the_plot(report):
    axes = replace(report, floor=70.0).plot()
    assert axes.get_xlim()[1] < 10
    words = set(axes.get_legend_handles_labels()[1])
    assert "floor 70.000, before debiasing, beyond the axis" in words


def test_shares_of_a_gap_that_may_be_nothing_are_not_drawn(report):
    shares = {f"{column.part / report.gap_squared:.0%}" for column in report.columns[:2]}
    assert shares <= {text.get_text() for text in report.plot().texts}
    assert not replace(report, interval=(-0.1, 1.0)).plot().texts


def test_the_plot_of_many_columns_says_how_many_it_left_out():
    found = measure(*frames(columns=30), permutations=0)
    axes = plot_distance(found)
    assert len(axes.patches) == MAX_COLUMNS
    assert "11 more columns" in axes.get_xlabel()


def test_names_with_dollars_and_long_names_can_be_drawn():
    real, synthetic = frames()
    names = {"c0": "$price$_{x", "c1": "a" * 80}
    found = measure(*(f.rename(columns=names) for f in (real, synthetic)), permutations=0)
    assert png(found.plot()).startswith(b"\x89PNG")
