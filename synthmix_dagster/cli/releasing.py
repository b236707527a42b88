"""The verbs of releases: mix, verify, report."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from synthmix_dagster.cli import answers, options
from synthmix_dagster.cli.group import Refused, main
from synthmix_dagster.cli.progress import progress

#: Options of `mix` by the verb of `core` that takes them; those of several are in each.
_MEASURE = ("target", "task", "categorical", "ignore", "key", "weights", "scaling", "sample_rows")
_RECOMMEND = (*_MEASURE, "learner", "generator_saw_real", "max_ratio", "rule", "seed")
_MIX = (
    *("mode", "seed", "stratify", "key", "ignore", "max_rows", "shortage", "provenance"),
    *("rows_per_shard", "keep_releases", "memory_mb"),
)


@main.command()
@options.datasets
@click.option("--output", metavar="DIRECTORY", required=True, help="Where releases are kept.")
@click.option(
    "--ratio", type=float, help="Synthetic rows per real row; by default it is recommended."
)
@options.target(required=False)
@options.thresholds
@options.columns
@options.sampling
@options.learning
@click.option(
    "--mode",
    type=click.Choice(["rows", "weights"]),
    default="rows",
    show_default=True,
    help="Take that many rows, or all of them with a sample_weight that comes to the same.",
)
@click.option("--stratify", metavar="COLUMN", help="Column whose shares the selection keeps.")
@click.option("--max-rows", type=int, help="Most rows of the release; real ones are all kept.")
@click.option(
    "--shortage",
    type=click.Choice(["refuse", "cap"]),
    default="refuse",
    show_default=True,
    help="What to do where more synthetic rows are asked for than there are.",
)
@click.option(
    "--provenance/--no-provenance",
    default=True,
    show_default=True,
    help="Whether every row says where it came from.",
)
@click.option(
    "--rows-per-shard",
    type=int,
    default=1_000_000,
    show_default=True,
    help="Rows in one Parquet file.",
)
@click.option("--keep-releases", type=int, help="Releases to keep, the newest; all by default.")
@options.memory
@options.common
def mix(
    real: str,
    synthetic: str,
    output: str,
    ratio: float | None,
    threshold: str | None,
    conditional_threshold: float | None,
    class_threshold: float | None,
    classifier_threshold: float | None,
    min_distinct_share: float | None,
    evaluation: str | None,
    evaluation_column: str | None,
    require_usable: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Publish all REAL rows and exactly as many SYNTHETIC ones as the ratio asks for.

    Without --ratio it is recommended, which needs --target and --task. With a threshold the
    distance is measured first, and nothing is written where it is over it. Readers see the whole
    release or none of it; DIRECTORY/latest points to the newest. report.html in it says what was
    released, from what and why.

    \b
    Measure, judge, recommend and release:
      synthmix mix real.csv generated.csv --target churned --task classification \\
        --threshold 0.3 --output mixes/churn

    \b
    With a ratio of your own, nothing measured:
      synthmix mix real.csv generated.csv --ratio 0.5 --output mixes/churn
    """  # noqa: D301
    from synthmix_dagster.data.dataset import open_dataset
    from synthmix_dagster.data.splitting import split_by_column
    from synthmix_dagster.gates.evidence import Evidence, gates_of
    from synthmix_dagster.gates.verdicts import judge_recommendation
    from synthmix_dagster.verbs import core

    gates = gates_of(
        threshold, conditional_threshold, class_threshold, classifier_threshold, min_distinct_share
    )
    recommended = ratio is None
    if recommended and None in (settings["target"], settings["task"]):
        raise click.UsageError("Set --ratio, or --target and --task to have it recommended.")
    if not recommended and any(gate.threshold.kind == "auto" for gate in gates):
        raise click.UsageError("--threshold auto needs a recommendation: leave out --ratio.")
    measured = recommended or bool(gates)
    rows = open_dataset(real, "real")
    judges: Any = evaluation
    if evaluation_column is not None:
        if evaluation is not None:
            raise click.UsageError("Set one of --evaluation and --evaluation-column.")
        # Rows that judge are neither measured nor mixed.
        rows, judges = split_by_column(rows, evaluation_column)
    distance = advice = None
    with progress(1 + measured + recommended) as step:
        if measured:
            step("measuring the distance")
            chosen = {name: settings[name] for name in (*_MEASURE, "seed", "memory_mb")}
            trained = classifier_threshold is not None
            distance = core.measure_distance(rows, synthetic, classifier=trained, **chosen)
            # What the release would refuse is refused before more is computed.
            known = [gate for gate in gates if gate.threshold.kind != "auto"]
            with _told_as_json(as_json):
                Evidence.judged(output, distance, None, known)
        if ratio is None:
            step("predicting the risk of every ratio")
            chosen = {name: settings[name] for name in _RECOMMEND}
            advice = core.recommend_ratio(
                rows, synthetic, evaluation=judges, distance=distance, **chosen
            )
            ratio = advice.ratio
            usable = judge_recommendation(advice)
            if require_usable and not usable.passed:
                with _told_as_json(as_json):
                    raise Refused(f"release refused, 'recommendation_usable': {usable.sentence}")
        step("writing the release")
        with _told_as_json(as_json):
            release = core.mix(
                rows,
                synthetic,
                ratio=ratio,
                output=output,
                distance=distance,
                recommendation=advice,
                threshold=threshold,
                conditional_threshold=conditional_threshold,
                class_threshold=class_threshold,
                classifier_threshold=classifier_threshold,
                min_distinct_share=min_distinct_share,
                **{name: settings[name] for name in _MIX},
            )
    if as_json:
        answers.print_json({"passed": True, "release": release.to_dict()})
    else:
        answers.print_release(release, "released")


@main.command()
@click.argument("release", type=click.Path(exists=True, path_type=Path))
@options.as_json
def verify(release: Path, as_json: bool) -> None:
    """Check every file of a RELEASE against its manifest, and recount the rows.

    RELEASE is the directory of a release, or an output, whose latest is taken. A file that is
    missing, was altered or was added, or rows that are not what the manifest says, give the exit
    code 1.

    \b
    Before training on it:
      synthmix verify mixes/churn && python train.py mixes/churn/latest/data
    """  # noqa: D301
    from synthmix_dagster.errors import ReleaseError
    from synthmix_dagster.release.verification import verify_release

    with progress(1) as step:
        step("reading every file")
        with _told_as_json(as_json):
            try:
                found = verify_release(release)
            except ReleaseError as error:
                raise Refused(str(error)) from error
    if as_json:
        answers.print_json({"passed": True, "release": found.to_dict()})
    else:
        answers.print_release(found, "verified")


@main.command()
@click.argument("release", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="report.html",
    show_default=True,
    help="Where to write it; - for standard output.",
)
@click.option(
    "--compare-with",
    metavar="RELEASE",
    type=click.Path(exists=True, path_type=Path),
    help="Say what changed since this release, instead of since the one before.",
)
def report(release: Path, output: str, compare_with: Path | None) -> None:
    """Write the report of a RELEASE as one HTML page that needs nothing else.

    RELEASE is the directory of a release, or an output, whose latest is taken. The page is made of
    its manifest alone; a release holds the same page, as report.html, since it was published.

    \b
    What is different between two releases:
      synthmix report mixes/churn --compare-with mixes/churn/releases/0123456789abcdef
    """  # noqa: D301
    from synthmix_dagster.errors import ConfigError
    from synthmix_dagster.release.handle import load_release
    from synthmix_dagster.release.publishing import previous_of
    from synthmix_dagster.release.report.page import release_report

    found = load_release(release)
    before = previous_of(found) if compare_with is None else load_release(compare_with)
    page = release_report(found.manifest, None if before is None else before.manifest)
    if output == "-":
        click.echo(page, nl=False)
        return
    path = Path(output)
    if path.resolve().is_relative_to(found.path):
        raise ConfigError(
            f"'{output}' lies in the release, which must not be added to",
            option="output",
            fix="Write it somewhere else",
        )
    answers.write(path, page.encode("utf-8"), option="output")
    click.echo(str(path))


@contextmanager
def _told_as_json(as_json: bool) -> Iterator[None]:
    """Say on standard output too why there is nothing to go on with, where a machine listens."""
    from synthmix_dagster.errors import GateError

    try:
        yield
    except (GateError, Refused) as error:
        if as_json:
            answers.print_json({"passed": False, "problem": str(error)})
        raise
