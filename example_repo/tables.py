"""The demo's answer as short tables."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from example_repo.runs import WIDTH
from synthmix_dagster import DistanceReport, Recommendation, Release


@dataclass(frozen=True)
class Measured:
    """Brier scores of models trained afterwards, on digits that nobody saw.

    Attributes
    ----------
    released : float
        Ratio of the release.
    errors : mapping of float to float
        Error at every ratio of the decent generator that was tried, `released` among them.
    broken : float
        Error with all rows of the broken generator.
    """

    released: float
    errors: Mapping[float, float]
    broken: float


def warning_text(evaluations: Iterable[dg.AssetCheckEvaluation]) -> RenderableType:
    """What the checks of a successful run did not pass, in the demo's own words."""
    warned = [each for each in evaluations if not each.passed]
    if not warned:
        return "   Every check passed."
    told = [
        f"[yellow]warns[/]    {escape(each.check_name)}: {escape(each.description or '')}"
        for each in warned
    ]
    told.append(
        "A warning does not stop a release: look at it before you train. To be stopped by it, set "
        "'severity: ERROR' and 'blocking: true' for this check under 'checks'."
    )
    return Padding(Group(*told), (0, 0, 0, 3))


def evidence_tables(
    released: Release,
    recommendation: Recommendation,
    refused: Mapping[str, Any],
    measured: Measured,
) -> list[Table]:
    """How far, how much, and what was released."""
    evidence = released.manifest["evidence"]
    report = DistanceReport.from_dict(evidence["distribution_distance"])
    return [
        _how_far(report, evidence["thresholds"], refused),
        _how_much(recommendation, measured),
        _released(released),
    ]


def refusal_text(reason: str, released: Release) -> RenderableType:
    """Why the broken generator was refused, and what became of the last good release."""
    return Group(
        "\n[bold]Why the broken generator was refused[/]",
        escape(reason),
        f"\n[green]Release {released.release_id} was verified again: untouched, still latest.[/]",
    )


def _how_far(
    report: DistanceReport, thresholds: Mapping[str, Any], refused: Mapping[str, Any]
) -> Table:
    table = _table("How far are the generated digits from the real ones?")
    for column in ("generator", "gap", "floor", "p", "labels", "thresholds", "verdict"):
        table.add_column(column, justify="left" if column in ("generator", "verdict") else "right")
    table.add_row(
        "decent",
        f"{report.gap:.3f}",
        f"{report.floor:.3f}",
        f"{report.p_value:.3f}",
        f"{report.conditional_gap:.3f}",
        f"{thresholds['wasserstein_gap']:g}, {thresholds['conditional_gap']:g}",
        "[green]released[/]",
    )
    table.add_row(
        "broken (columns misaligned)",
        *(
            f"{refused[f'synthmix/{key}']:.3f}"
            for key in ("gap", "floor", "p_value", "conditional_gap")
        ),
        f"{thresholds['wasserstein_gap']:g}, {refused['synthmix/threshold']:g}",
        "[red]refused[/]",
    )
    table.caption = (
        "gap: debiased Wasserstein-2 distance in real standard deviations; floor: what two halves "
        "of the real digits show by chance, before debiasing; labels: how far the labels moved for "
        "digits that are alike; thresholds: of gap and labels"
    )
    return table


def _how_much(recommendation: Recommendation, measured: Measured) -> Table:
    low, high = recommendation.interval
    table = _table("How many of them should go in?")
    table.add_column("training set")
    table.add_column("ratio", justify="right")
    table.add_column("equivalent ratios", justify="right")
    table.add_column("predicted error", justify="right")
    table.add_column("measured afterwards", justify="right")
    risks = recommendation.baselines
    highest = recommendation.curve[-1].ratio
    of_all = f"{measured.errors[highest]:.3f}" if highest in measured.errors else ""
    table.add_row(
        "real digits only", "0.00", "", f"{risks['none']:.3f}", f"{measured.errors[0.0]:.3f}"
    )
    table.add_row(
        "[bold]recommended[/]",
        f"[bold]{recommendation.ratio:.2f}[/]",
        f"{low:.2f} to {high:.2f}",
        f"{risks['recommended']:.3f}",
        f"{measured.errors[measured.released]:.3f}",
    )
    table.add_row("all there are", f"{highest:.2f}", "", f"{risks['all']:.3f}", of_all)
    table.add_row("all of the broken generator", f"{highest:.2f}", "", "", f"{measured.broken:.3f}")
    table.caption = (
        "Brier score, 0 is perfect; predicted before anything is trained, measured with kernel "
        "ridge regression of scikit-learn on 1,097 held-out digits"
    )
    return table


def _released(release: Release) -> Table:
    asked, got = release.manifest["mix"], release.manifest["realised"]
    table = _table("What was released?")
    table.add_column("")
    table.add_column("requested", justify="right")
    table.add_column("realised", justify="right")
    table.add_row(
        "real digits", str(release.manifest["inputs"]["real"]["rows"]), str(got["real_rows"])
    )
    table.add_row("generated digits", str(asked["synthetic_rows"]), str(got["synthetic_rows"]))
    table.add_row("ratio", f"{asked['ratio']:.4f}", f"{got['ratio']:.4f}")
    table.caption = f"release {release.release_id} in {os.path.relpath(release.path)}"
    return table


def _table(title: str) -> Table:
    return Table(title=f"\n{title}", title_justify="left", caption_justify="left", min_width=WIDTH)
