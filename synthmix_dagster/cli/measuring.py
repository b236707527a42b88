"""The verbs that look at datasets and write nothing: measure, recommend."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthmix_dagster.cli import answers, options
from synthmix_dagster.cli.asking import Question
from synthmix_dagster.cli.declared import declared
from synthmix_dagster.cli.group import exit_unless, main
from synthmix_dagster.cli.progress import progress
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.encoding.options import Columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_plot = click.option(
    "--plot", metavar="FILE", type=click.Path(path_type=Path), help="Write a plot, as PNG."
)


@main.command()
@options.datasets
@options.target(required=False)
@options.thresholds
@options.sampling
@declared(Columns, "groups")
@declared(DistanceOptions, "method", "p", "rows", "directions", "permutations")
@options.memory
@_plot
@options.common
def measure(
    real: str,
    synthetic: str,
    threshold: str | None,
    conditional_threshold: float | None,
    class_threshold: float | None,
    classifier_threshold: float | None,
    min_distinct_share: float | None,
    plot: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure how far SYNTHETIC rows are from REAL ones.

    The gap is a distance in real standard deviations, minus the floor that chance alone produces.
    With --target the conditional gap says how far the labels of similar rows moved. If a threshold
    is exceeded, the exit code is 1.

    \b
    Fail a CI job if the generator is not good enough:
      synthmix measure real.csv generated.csv --target churned --task classification \\
        --threshold 0.3
    """  # noqa: D301
    from synthmix_dagster.gates.evidence import gates_of
    from synthmix_dagster.gates.verdicts import judge
    from synthmix_dagster.verbs.core import measure_distance

    gates = gates_of(
        threshold, conditional_threshold, class_threshold, classifier_threshold, min_distinct_share
    )
    if any(gate.threshold.kind == "auto" for gate in gates):
        raise click.UsageError("--threshold auto needs a recommendation, which 'mix' makes.")
    with progress(1) as step:
        step("measuring the distance")
        trained = classifier_threshold is not None
        report = measure_distance(real, synthetic, classifier=trained, **settings)
    verdicts = {gate.name: judge(gate, report) for gate in gates}
    if plot is not None:
        limits = {gate.name: gate.threshold.limit(report.floor) for gate in gates}
        _save(plot, report.plot(threshold=limits.get("wasserstein_gap")))
    if as_json:
        answers.print_json({**answers.judged(verdicts), "distance": report.to_dict()})
    else:
        answers.print_distance(report)
        answers.print_verdicts(verdicts)
    exit_unless(all(verdict.passed for verdict in verdicts.values()))


@main.command()
@options.several_datasets
@options.target(required=False)
@options.sampling
@options.learning
@_plot
@options.common
def recommend(
    real: Any,
    synthetic: Any,
    evaluation: Any,
    evaluation_column: str | None,
    require_usable: bool,
    plot: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Recommend how many SYNTHETIC rows to add for each REAL one.

    The error on new real rows is predicted for every ratio, before anything is trained. Several
    generators are written as NAME=PATH each, and each gets a number of rows of its own.

    \b
    The ratio alone, for a script:
      synthmix recommend real.csv generated.csv --target price --task regression --json \\
        | jq .recommendation.ratio

    \b
    Of two generators:
      synthmix recommend real.csv copula=copula.csv gan=gan.csv --target price --task regression
    """  # noqa: D301
    from synthmix_dagster.gates.other_verdicts import judge_recommendation
    from synthmix_dagster.ratio.recommendation import Recommendation

    question = Question.of(synthetic, settings)
    if not question.no_target and None in (settings["target"], settings["task"]):
        raise click.UsageError("Set --target and --task, or --no-target.")
    if plot is not None and not question.one_ratio:
        raise click.UsageError("--plot draws the curve of one ratio of one generator.")
    judges = {} if question.no_target else {"evaluation": evaluation}
    if evaluation_column is not None:
        judges["evaluation_column"] = evaluation_column
    with progress(1) as step:
        step("predicting the risk of every ratio")
        advice = question.answered(real, question.generators or {"": synthetic}, judges, settings)
    verdicts = {"recommendation_usable": judge_recommendation(advice)}
    if plot is not None and isinstance(advice, Recommendation):
        _save(plot, advice.plot())
    if as_json:
        answers.print_json({**answers.judged(verdicts), "recommendation": advice.to_dict()})
    else:
        answers.print_answer(advice)
        answers.print_verdicts(verdicts, failed="FAILED" if require_usable else "WARNING")
    usable = verdicts["recommendation_usable"].passed
    exit_unless(usable or not require_usable)


def _save(path: Path, axes: "Axes") -> None:
    from synthmix_dagster.display.rendering import png

    answers.write(path, png(axes), option="plot")
