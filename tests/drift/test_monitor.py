import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthmix_dagster import DriftReport
from synthmix_dagster.display.rendering import png
from synthmix_dagster.drift.history import Batch, Observation
from synthmix_dagster.drift.monitor import judge_history
from synthmix_dagster.drift.series import Unit

UNITS: dict[str, Unit] = {"gap": "batch", "generator": "block", "reality": "batch"}


def history(
    n: int, *, moved: dict[str, tuple[int, float]] | None = None, seed: int = 0
) -> list[Batch]:
    """Batches of which some series move at a batch by so much, in column ``x``."""
    rng = np.random.default_rng(seed)
    batches = []
    for day in range(n):
        series = {}
        for name in UNITS:
            first, by = (moved or {}).get(name, (n, 0.0))
            more = by if day >= first else 0.0
            square = float(0.1 + 0.02 * rng.standard_normal() + more)
            series[name] = Observation(
                square,
                1000,
                f"{name} {day}",
                {"generator_version": "v1"},
                blocks=tuple((square + 0.05 * rng.standard_normal(32)).tolist()),
                columns={"x": 0.03 + 0.75 * more, "z": 0.02 + 0.25 * more, "w": 0.05},
                floor=0.4 if name == "gap" else None,
            )
        label = f"day {day:02d}"
        batches.append(Batch(label, label, label, day, float(day), "v1", series))
    return batches


def by_name(report: DriftReport) -> dict[str, Any]:
    return {one.series: one for one in report.series}


def test_a_short_history_passes_and_says_so() -> None:
    report = judge_history(history(5), units=UNITS)
    assert report.status == "short"
    assert report.passed
    assert "The history of gap is short: 5 comparable batches, more than 5 are needed." in (
        report.sentence
    )
    empty = judge_history([], units=UNITS, notes=["this instance is ephemeral"])
    assert empty.passed
    assert empty.sentence.endswith("This instance is ephemeral.")


def test_an_unchanged_history_is_quiet() -> None:
    report = judge_history(history(40), units={**UNITS, "generator": "batch"})
    assert report.status == "quiet"
    assert report.sentence.startswith("Nothing moved: gap over 40 batches")
    assert all(one.alarm is None and one.change is None for one in report.series)


def test_an_alarm_names_the_series_the_batch_the_size_and_the_columns() -> None:
    report = judge_history(history(45, moved={"reality": (30, 0.2)}), units=UNITS)
    reality = by_name(report)["reality"]
    assert report.status == reality.status == "alarm"
    assert reality.change.since == "day 30"
    assert reality.change.batches == 15
    assert reality.change.before == pytest.approx(math.sqrt(0.1), abs=0.02)
    assert reality.change.after == pytest.approx(math.sqrt(0.3), abs=0.02)
    assert 5 < reality.change.deviations < 20
    assert reality.change.columns == (("x", pytest.approx(0.75)), ("z", pytest.approx(0.25)))
    assert "The real data moved away from their reference since batch day 30" in report.sentence
    assert "columns: x (75%), z (25%)" in report.sentence
    assert "at most 0.01" in report.sentence
    assert not report.passed


def test_a_gap_that_falls_is_a_change_and_a_distance_to_a_reference_that_falls_is_none() -> None:
    moved = {"gap": (30, -0.2), "reality": (30, -0.2)}
    found = by_name(judge_history(history(60, moved=moved), units=UNITS))
    assert found["gap"].status == "alarm"
    assert found["gap"].change.columns[0][0] == "x"
    assert found["gap"].change.deviations < -5
    assert found["reality"].alarm is None


def test_the_moving_average_warns_before_the_alarm() -> None:
    found = judge_history(history(33, moved={"reality": (30, 0.08)}), units={"reality": "batch"})
    assert found.status == "watch"
    assert not found.passed
    assert found.sentence.startswith("The moving average is beyond its control limits: perhaps")


def test_an_alarm_stands_when_the_drift_has_become_ordinary() -> None:
    (found,) = judge_history(
        history(200, moved={"reality": (20, 0.2)}), units={"reality": "batch"}
    ).series
    assert found.status == "alarm"
    assert found.alarm is not None
    assert found.alarm < "day 60"


def test_a_latest_batch_that_cannot_be_judged_warns_but_hides_no_alarm() -> None:
    quiet, moved = history(30), history(45, moved={"reality": (20, 0.3)})
    for batches, status in ((quiet, "unable"), (moved, "alarm")):
        failed = Observation(None, 0, "", {}, problem="it has no rows")
        last = Batch("now", "now", "now", 99, 99.0, "v1", {"reality": failed})
        report = judge_history([*batches, last], units={"reality": "batch"})
        assert report.status == status
        assert not report.passed
        if status == "unable":
            assert "cannot be judged: it has no rows" in report.sentence


def test_delta_is_shared_by_the_series() -> None:
    assert judge_history([], units=UNITS, delta=0.03).alarm_line == pytest.approx(math.log(100))
    one = judge_history([], units={"gap": "batch"}, delta=0.01)
    assert one.alarm_line == pytest.approx(math.log(100))


def test_a_judgement_is_the_same_again_and_whatever_the_order_of_records() -> None:
    batches = history(40, moved={"gap": (25, 0.3)})
    first = judge_history(batches, units=UNITS)
    assert judge_history(batches[::-1], units=UNITS) == first


def test_a_judgement_does_not_change_when_later_batches_come() -> None:
    batches = history(40, moved={"gap": (25, 0.3)})
    early, late = (judge_history(batches[:n], units=UNITS) for n in (30, 40))
    for one, other in zip(early.series, late.series, strict=True):
        assert [p.log_martingale for p in one.points] == pytest.approx(
            [p.log_martingale for p in other.points[:30]]
        )


def test_day_effects_are_said_where_blocks_are_ranked() -> None:
    for seed in range(3):
        (with_days,) = judge_history(history(30, seed=seed), units={"generator": "block"}).series
        # Days of `history` move all blocks by 0.02, and the mean of 32 blocks by chance 0.009.
        (note,) = with_days.notes
        assert note.startswith(("its batches differ 1.9 times", "its batches differ 2."))
        assert note.endswith(
            "times as much as independent rows would; such day effects are "
            "allowed for, and delay an alarm"
        )
        assert with_days.alarm is None


def test_blocks_find_what_whole_batches_cannot_yet() -> None:
    moved = history(9, moved={"generator": (6, 2.0)})
    assert judge_history(moved, units={"generator": "block"}).status == "alarm"
    assert judge_history(moved, units={"generator": "batch"}).status != "alarm"


def test_by_block_a_batch_of_another_size_is_bet_on_by_its_blocks_alone() -> None:
    batches = history(12)
    odd = replace(batches[-1].series["generator"], rows=5000, square=1e9)
    batches[-1] = replace(batches[-1], series={**batches[-1].series, "generator": odd})
    found = [
        judge_history(one, units={"generator": "block"}).series[0].points[-1].log_martingale
        for one in (batches, history(12))
    ]
    assert found[0] == pytest.approx(found[1], abs=0.3)


def test_batches_that_came_late_raise_no_alarm_until_the_next_in_order() -> None:
    batches = history(30, moved={"reality": (15, 0.3)})
    backwards = [replace(one, time=-one.time) for one in batches]
    waiting = judge_history(backwards, units={"reality": "batch"})
    assert waiting.status == "watch"
    assert waiting.series[0].log_martingale > waiting.alarm_line
    assert "It counts from the next batch on that comes in order." in waiting.sentence
    (next_one,) = history(31, moved={"reality": (15, 0.3)})[30:]
    after = judge_history([*backwards, next_one], units={"reality": "batch"})
    assert after.status == "alarm"
    assert after.series[0].change.since == "day 15"  # type: ignore[union-attr]


def test_a_report_survives_json() -> None:
    report = judge_history(
        history(45, moved={"reality": (30, 0.2)}), units=UNITS, threshold=0.5, notes=["a note"]
    )
    assert DriftReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_report_reads_well_in_text_and_html() -> None:
    report = judge_history(history(45, moved={"reality": (30, 0.2)}), units=UNITS, notes=["<b>"])
    assert repr(report).startswith("<DriftReport\n  alarm: The real data moved")
    assert "reality by batch: alarm, 45 of 45 batches" in repr(report)
    html = report._repr_html_()
    assert "day 30" in html
    assert "&lt;b&gt;" in html


def test_the_plot_shows_every_series_and_the_evidence() -> None:
    batches = history(45, moved={"reality": (30, 0.2)})
    old = [
        Batch(b.label, b.key, b.partition, b.position, b.time, "v0", {
            name: Observation(one.square, one.rows, one.fingerprint, {"generator_version": "v0"})
            for name, one in b.series.items()
        })
        for b in batches[:10]
    ]  # fmt: skip
    report = judge_history([*old, *batches[10:]], units=UNITS, threshold=0.5)
    panels = report.plot()
    assert [panel.get_ylabel() for panel in panels] == ["standard\ndeviations"] * 3 + [
        "log e-value"
    ]
    texts = {text.get_text() for panel in panels for text in panel.texts}
    assert texts >= {"since day 30", "v0", "v1"}
    labels = {label for panel in panels for label in panel.get_legend_handles_labels()[1]}
    assert "threshold of the gate" in labels
    assert "floor: chance alone, before debiasing" in labels
    assert "control limits" in labels
    assert any(label.startswith("alarm at day") for label in labels)
    assert png(panels[0])[:4] == b"\x89PNG"
    assert len(judge_history([], units=UNITS).plot()) == 4


def test_autocorrelation_raises_an_alarm_only_where_batches_are_declared_exchangeable() -> None:
    """A walk with autocorrelation 0.9 for 120 days, and its order alone would alarm."""
    rng = np.random.default_rng(2)
    walk = rng.standard_normal(120)
    for t in range(1, 120):
        walk[t] += 0.9 * walk[t - 1]
    batches = history(120)
    for batch, square in zip(batches, walk.tolist(), strict=True):
        batch.series["reality"] = replace(batch.series["reality"], square=square)  # type: ignore[index]
    declared = judge_history(batches, units={"reality": "batch"}, seasons=None)
    assert declared.status == "alarm"
    (by_default,) = judge_history(batches, units={"reality": "batch"}).series
    assert by_default.alarm is None
    assert "the monitor cannot promise that it is a change" in by_default.notes[-1]
