"""What a verb prints on standard output: text for people, or one JSON object for machines."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthmix_dagster.display.formatting import readable

if TYPE_CHECKING:
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.gates.verdicts import Verdict
    from synthmix_dagster.ratio.answers import Answer
    from synthmix_dagster.ratio.recommendation import Recommendation
    from synthmix_dagster.release.handle import Release
    from synthmix_dagster.release.history import History

#: Titles of the table of a history, after time and mix.
_HISTORY = ("verdict", "rows", "ratio", "gap", "threshold", "release or reason")
#: Columns printed of a distance.
_WORST = 5


def print_json(answer: Mapping[str, Any]) -> None:
    """Print an answer as JSON; NaN and infinity become null."""
    click.echo(json.dumps(_plain(answer), indent=2, ensure_ascii=False, allow_nan=False))


def print_distance(report: "DistanceReport") -> None:
    """Print the gap, its floor, and the columns that contribute most."""
    click.echo(f"gap              {report.gap:.3f}{_between(report.interval)}")
    click.echo(f"floor            {report.floor:.3f}")
    if report.p_value is not None:
        click.echo(f"p-value          {report.p_value:.3g}")
    if report.conditional_gap is not None:
        click.echo(
            f"conditional gap  {report.conditional_gap:.3f}{_between(report.conditional_interval)}"
            f", overlap {report.overlap:.0%}"
        )
    if (shift := report.worst_class) is not None:
        click.echo(f"worst class      {shift.name}: {shift.gap:.3f}{_between(shift.interval)}")
    if report.classifier is not None:
        test = report.classifier
        click.echo(
            f"classifier       {test.accuracy:.3f}{_between(test.interval)}, 0.5 is guessing"
        )
    if report.distinct_share is not None and report.distinct_share < 1:
        click.echo(f"distinct rows    {report.distinct_share:.0%} of the synthetic rows")
    click.echo(f"measured on      {report.n_real:,} real, {report.n_synthetic:,} synthetic rows")
    click.echo("largest parts of the squared gap")
    width = max((len(column.column) for column in report.columns[:_WORST]), default=0)
    for column in report.columns[:_WORST]:
        click.echo(f"  {column.column:<{width}}  {column.part:9.4f}  by itself {column.gap:.3f}")
    for note in report.notes:
        click.echo(f"note: {note}")


def print_recommendation(advice: "Recommendation") -> None:
    """Print the ratio, the predicted risks, and why."""
    low, high = advice.interval
    click.echo(
        f"ratio   {advice.ratio:.4g} ({low:.4g} to {high:.4g}: {advice.meaning_of_interval})"
    )
    values = ", ".join(f"{name} {value:.4g}" for name, value in advice.shown.items())
    click.echo(f"{'risk' if advice.score is None else 'score':<7} {values} ({advice.metric})")
    click.echo(f"because {advice.reason}")
    for note in advice.notes:
        click.echo(f"note: {note}")


def print_answer(answer: "Answer") -> None:
    """Print the recommended amounts, and why."""
    from synthmix_dagster.ratio.recommendation import Recommendation
    from synthmix_dagster.ratio.shares import Amounts

    if isinstance(answer, Recommendation):
        print_recommendation(answer)
        return
    click.echo(f"ratio   {answer.ratio:.4g}")
    for row in Amounts.of(answer).rows:
        click.echo(f"  {row['name']}: {row['rows']:,} rows, {row['ratio']:.4g} for each real row")
    click.echo(f"because {answer.reason}")
    for note in answer.notes:
        click.echo(f"note: {note}")


def print_release(release: "Release", action: str) -> None:
    """Print the path of a release and its row counts."""
    realised = release.details.realised
    click.echo(
        f"{action} {release.release_id}: {realised.real_rows:,} real and "
        f"{realised.synthetic_rows:,} synthetic rows, ratio {realised.ratio:.4f}, "
        f"{len(release.details.shards)} files"
    )
    click.echo(release.uri)


def print_verdicts(verdicts: Mapping[str, "Verdict"], *, failed: str = "FAILED") -> None:
    """Print the verdict of every gate."""
    for gate, verdict in verdicts.items():
        click.echo(f"{'passed' if verdict.passed else failed}  {gate}: {verdict.sentence}")


def print_history(history: "History", last: int | None = None) -> None:
    """Print every release and refusal as a table, the newest last."""
    entries = history.entries if last is None else history.entries[-last:]
    several = len({entry.name for entry in history.entries}) > 1
    rows = [
        [
            entry.at[:16].replace("T", " ") or "-",
            *([entry.name or "."] if several else []),
            entry.verdict,
            "-" if entry.rows is None else f"{entry.rows:,}",
            *map(readable, (entry.ratio, entry.gap, entry.threshold)),
            " ".join(filter(None, (entry.release_id, _first(entry.reason)))),
        ]
        for entry in entries
    ]
    title = ["time (UTC)", *(["mix"] if several else []), *_HISTORY]
    widths = [max(map(len, column)) for column in zip(title, *rows, strict=True)]
    for row in (title, *rows):
        cells = (each.ljust(width) for each, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _first(reason: str, longest: int = 100) -> str:
    """As much of a reason as a line of a table has room for."""
    line = " ".join(reason.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def write(path: Path | str, content: bytes, *, option: str) -> None:
    """Write a file that the user named by an option, by its path or its URI."""
    from synthmix_dagster.data.opening import write_file
    from synthmix_dagster.errors import ConfigError

    try:
        write_file(path, content)
    except OSError as error:
        raise ConfigError(
            f"'{path}' cannot be written ({error.strerror})",
            option=option,
            fix="Check that its folder exists and is writable",
        ) from error


def judged(verdicts: Mapping[str, "Verdict"]) -> dict[str, Any]:
    """Verdicts as plain values, and whether all passed."""
    checks = {
        gate: {"passed": verdict.passed, "sentence": verdict.sentence}
        for gate, verdict in verdicts.items()
    }
    return {"passed": all(verdict.passed for verdict in verdicts.values()), "checks": checks}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"
