"""The commands for releases: mix, verify, report."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from synthmix_dagster.cli import answers, options
from synthmix_dagster.cli.declared import declared, values_of
from synthmix_dagster.cli.group import Refused, main
from synthmix_dagster.cli.progress import progress
from synthmix_dagster.cli.reading import opened
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.release.options import MixOptions

if TYPE_CHECKING:
    from synthmix_dagster.data.dataset import Dataset
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.gates.threshold import Gate
    from synthmix_dagster.ratio.recommendation import Recommendation
    from synthmix_dagster.release.signing import HmacKey


@main.command()
@options.datasets
@click.option(
    "--output", metavar="DIRECTORY", required=True, help="Output directory or URI for releases."
)
@click.option("--ratio", type=float, help="Synthetic rows per real row; recommended by default.")
@options.target(required=False)
@options.thresholds
@options.sampling
@options.learning
@declared(
    MixOptions,
    *("mode", "stratify", "max_rows", "shortage", "provenance", "rows_per_shard", "keep_releases"),
)
@options.memory
@options.signed("Sign the release with the key in this environment variable (HMAC-SHA256).")
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
    hmac_key_env: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Publish all REAL rows and exactly as many SYNTHETIC rows as the ratio requires.

    Without --ratio the ratio is recommended, which needs --target and --task. With a threshold the
    distance is measured first, and nothing is written if it is exceeded. Readers see the whole
    release or none of it; DIRECTORY/latest points to the newest. Its report.html says what was
    released, from what and why.

    \b
    Measure, judge, recommend and release:
      synthmix mix real.csv generated.csv --target churned --task classification \\
        --threshold 0.3 --output mixes/churn

    \b
    With a ratio of your own, nothing measured:
      synthmix mix real.csv generated.csv --ratio 0.5 --output mixes/churn
    """  # noqa: D301
    from synthmix_dagster.gates.evidence import gates_of
    from synthmix_dagster.gates.other_verdicts import judge_recommendation
    from synthmix_dagster.verbs import core, mixing

    gates = gates_of(
        threshold, conditional_threshold, class_threshold, classifier_threshold, min_distinct_share
    )
    _require_consistent(ratio, gates, settings)
    key = _hmac_key(hmac_key_env)
    rows, judges = _evaluation_rows(opened(real, "real", settings), evaluation, evaluation_column)
    # Opened once: what is measured is what is mixed.
    generated = opened(synthetic, "synthetic", settings)
    distance = advice = None
    with progress(1 + (ratio is None or bool(gates)) + (ratio is None)) as step, _as_json(as_json):
        if ratio is None or gates:
            step("measuring the distance")
            distance = _measured(rows, generated, output, gates, settings)
        if ratio is None:
            step("predicting the risk of every ratio")
            chosen = values_of(settings, Columns, RatioOptions) | _labels(settings)
            advice = core.recommend_ratio(
                rows, generated, evaluation=judges, distance=distance, **chosen
            )
            if require_usable:
                _require_usable(advice, output, distance, gates)
            ratio = advice.ratio
        step("writing the release")
        release = mixing.mix(
            rows,
            generated,
            ratio=ratio,
            output=output,
            key=settings["key"],
            ignore=settings["ignore"],
            distance=distance,
            recommendation=advice,
            threshold=threshold,
            conditional_threshold=conditional_threshold,
            class_threshold=class_threshold,
            classifier_threshold=classifier_threshold,
            min_distinct_share=min_distinct_share,
            sign=None if key is None else key.sign,
            **values_of(settings, MixOptions),
        )
    # Whoever acts on a recommendation reads what `recommend` would have said of it.
    verdicts = {} if advice is None else {"recommendation_usable": judge_recommendation(advice)}
    if as_json:
        checks = answers.judged(verdicts)["checks"]
        answers.print_json({"passed": True, "checks": checks, "release": release.to_dict()})
        return
    if advice is not None:
        answers.print_recommendation(advice)
        answers.print_verdicts(verdicts, failed="WARNING")
    answers.print_release(release, "released")


@main.command()
@click.argument("release", type=options.ReleasePlace())
@options.signed("Require a signature with the key in this environment variable (HMAC-SHA256).")
@options.as_json
def verify(release: str, hmac_key_env: str | None, as_json: bool) -> None:
    """Check every file of a RELEASE against its manifest, and count the rows again.

    RELEASE is a release, or an output, of which the latest release is used: a directory or a URI.
    The exit code is 1 if a file is missing, was changed or was added, if the rows differ from the
    manifest, or if the signature is missing or wrong.

    \b
    Before training on a release:
      synthmix verify mixes/churn && python train.py mixes/churn/latest/data
    """  # noqa: D301
    from synthmix_dagster.errors import ReleaseError
    from synthmix_dagster.release.verification import verify_release

    key = _hmac_key(hmac_key_env)
    with progress(1) as step:
        step("reading every file")
        with _as_json(as_json):
            try:
                found = verify_release(release, None if key is None else key.verify)
            except ReleaseError as error:
                raise Refused(str(error)) from error
    if as_json:
        answers.print_json({"passed": True, "release": found.to_dict()})
    else:
        answers.print_release(found, "verified")


@main.command()
@click.argument("release", type=options.ReleasePlace())
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="report.html",
    show_default=True,
    help="Output file or its URI; - for standard output.",
)
@click.option(
    "--compare-with",
    metavar="RELEASE",
    type=options.ReleasePlace(),
    help="Show the changes since this release instead of since the previous one.",
)
def report(release: str, output: str, compare_with: str | None) -> None:
    """Write the report of a RELEASE as one self-contained HTML page.

    RELEASE is a release, or an output, of which the latest release is used: a directory or a URI.
    The page is built from the manifest alone; every release already contains it as report.html.

    \b
    Changes between two releases:
      synthmix report mixes/churn --compare-with mixes/churn/releases/0123456789abcdef
    """  # noqa: D301
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.errors import ConfigError
    from synthmix_dagster.redaction import without_secrets
    from synthmix_dagster.release.handle import load_release
    from synthmix_dagster.release.publishing import previous_of
    from synthmix_dagster.release.report.page import release_report

    found = load_release(release)
    before = previous_of(found) if compare_with is None else load_release(compare_with)
    page = release_report(found.manifest, None if before is None else before.manifest)
    if output == "-":
        click.echo(page, nl=False)
        return
    place = open_store(output)
    if f"{place.up().resolved().uri}/".startswith(f"{found.uri}/"):
        raise ConfigError(
            f"'{output}' is inside the release, to which nothing may be added",
            option="output",
            fix="Choose a file outside the release",
        )
    answers.write(output, page.encode("utf-8"), option="output")
    click.echo(without_secrets(output))


def _hmac_key(variable: str | None) -> "HmacKey | None":
    from synthmix_dagster.release.signing import HmacKey

    return None if variable is None else HmacKey.from_environment(variable)


def _require_consistent(
    ratio: float | None, gates: Sequence["Gate"], settings: Mapping[str, Any]
) -> None:
    """Refuse what cannot be recommended or judged before any file is read."""
    if ratio is None and None in (settings["target"], settings["task"]):
        raise click.UsageError("Set --ratio, or --target and --task to get a recommended ratio.")
    if ratio is not None and any(gate.threshold.kind == "auto" for gate in gates):
        raise click.UsageError("--threshold auto needs a recommendation. Remove --ratio.")


def _evaluation_rows(
    rows: "Dataset", path: str | None, column: str | None
) -> tuple["Dataset", Any]:
    """The real rows to mix, and those to judge by: they are neither measured nor mixed."""
    from synthmix_dagster.data.splitting import split_by_column

    if column is None:
        return rows, path
    if path is not None:
        raise click.UsageError("Set only one of --evaluation and --evaluation-column.")
    return split_by_column(rows, column)


def _measured(
    rows: "Dataset",
    synthetic: "Dataset",
    output: str,
    gates: Sequence["Gate"],
    settings: Mapping[str, Any],
) -> "DistanceReport":
    """Measure the distance, and refuse what the release would refuse before more is computed."""
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.gates.evidence import Evidence
    from synthmix_dagster.release.events import refusal
    from synthmix_dagster.release.recording import refusals_recorded
    from synthmix_dagster.verbs.core import measure_distance

    chosen = values_of(settings, Columns, DistanceOptions) | _labels(settings)
    trained = any(gate.name == "classifier_accuracy" for gate in gates)
    distance = measure_distance(rows, synthetic, classifier=trained, **chosen)
    known = [gate for gate in gates if gate.threshold.kind != "auto"]
    with refusals_recorded(open_store(output), refusal({"": distance}, known)):
        Evidence.judged(output, distance, None, known)
    return distance


def _require_usable(
    advice: "Recommendation",
    output: str,
    distance: "DistanceReport | None",
    gates: Sequence["Gate"],
) -> None:
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.gates.other_verdicts import judge_recommendation
    from synthmix_dagster.release.events import refusal
    from synthmix_dagster.release.recording import record

    verdict = judge_recommendation(advice)
    if verdict.passed:
        return
    problem = f"release refused, 'recommendation_usable': {verdict.sentence}"
    reports = {} if distance is None else {"": distance}
    record(open_store(output), refusal(reports, gates, answer=advice, reason=problem))
    raise Refused(problem)


def _labels(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("target", "task")}


@contextmanager
def _as_json(as_json: bool) -> Iterator[None]:
    """Print the reason of a refusal on standard output as well, with --json."""
    from synthmix_dagster.errors import GateError

    try:
        yield
    except (GateError, Refused) as error:
        if as_json:
            answers.print_json({"passed": False, "problem": str(error)})
        raise


@main.command()
@click.argument("place", type=options.ReleasePlace(), metavar="MIX")
@click.option("--html", metavar="FILE", help="Write one self-contained HTML page as well.")
@click.option("--last", type=click.IntRange(min=1), help="Print only so many of the newest.")
@options.as_json
def history(place: str, html: str | None, last: int | None, as_json: bool) -> None:
    """List every release and refusal of a MIX, the newest last.

    MIX is the folder of a mix, one of its partitions, or one that holds several mixes: a directory
    or a URI. Manifests are read, no rows. Every mix keeps the same page as index.html beside its
    releases.

    \b
    What happened to this mix so far:
      synthmix history mixes/churn

    \b
    All mixes of a project as one page:
      synthmix history mixes --html history.html
    """  # noqa: D301
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.release.history import history as read_history

    found = read_history(place)
    if html is not None:
        page = found.to_html(open_store(html).up().resolved().uri)
        answers.write(html, page.encode("utf-8"), option="html")
    if as_json:
        answers.print_json(found.to_dict())
    else:
        answers.print_history(found, last)
