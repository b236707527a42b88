"""The commands for releases: mix, verify, report."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from synthmix_dagster.cli import answers, options
from synthmix_dagster.cli.asking import Measured, Question, own_thresholds
from synthmix_dagster.cli.declared import declared, values_of
from synthmix_dagster.cli.group import Refused, main
from synthmix_dagster.cli.progress import progress
from synthmix_dagster.cli.reading import opened
from synthmix_dagster.release.options import MixOptions

if TYPE_CHECKING:
    from synthmix_dagster.data.dataset import Dataset
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.gates.threshold import Gate
    from synthmix_dagster.ratio.answers import Answer
    from synthmix_dagster.release.handle import Release
    from synthmix_dagster.release.signing import HmacKey


@main.command()
@options.several_datasets
@click.option(
    "--output", metavar="DIRECTORY", required=True, help="Output directory or URI for releases."
)
@click.option("--ratio", type=float, help="Synthetic rows per real row; recommended by default.")
@options.target(required=False)
@options.thresholds
@options.own_thresholds
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
    real: Any,
    synthetic: Any,
    output: str,
    ratio: float | None,
    threshold: str | None,
    conditional_threshold: float | None,
    class_threshold: float | None,
    classifier_threshold: float | None,
    min_distinct_share: float | None,
    thresholds: tuple[str, ...],
    leave_out_refused: bool,
    evaluation: Any,
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
    released, from what and why. Several generators are written as NAME=PATH each; each is measured
    and judged by itself.

    \b
    Measure, judge, recommend and release:
      synthmix mix real.csv generated.csv --target churned --task classification \\
        --threshold 0.3 --output mixes/churn

    \b
    With a ratio of your own, nothing measured:
      synthmix mix real.csv generated.csv --ratio 0.5 --output mixes/churn
    """  # noqa: D301
    from synthmix_dagster.gates.evidence import gates_of
    from synthmix_dagster.ratio.answers import ratios_of
    from synthmix_dagster.verbs import mixing

    question = Question.of(synthetic, settings)
    limits: dict[str, Any] = {
        "conditional_threshold": conditional_threshold,
        "class_threshold": class_threshold,
        "classifier_threshold": classifier_threshold,
        "min_distinct_share": min_distinct_share,
    }
    own = own_thresholds(thresholds, threshold, question)
    gates = {name: gates_of(each, **limits) for name, each in own.items()}
    _require_consistent(ratio, gates, settings, question)
    key = _hmac_key(hmac_key_env)
    rows, judges = _evaluation_rows(opened(real, "real", settings), evaluation, evaluation_column)
    # Opened once: what is measured is what is mixed.
    generated = {
        name: opened(each, name or "synthetic", settings)
        for name, each in (question.generators or {"": synthetic}).items()
    }
    advice: Answer | None = None
    found, measured = Measured({}, {}), ratio is None or any(gates.values())
    with progress(1 + measured + (ratio is None)) as step, _as_json(as_json):
        if measured:
            step("measuring the distance")
            found = Measured.of(rows, generated, gates, settings, output, leave_out_refused)
        taken = {name: each for name, each in generated.items() if name not in found.left_out}
        if ratio is None:
            step("predicting the risk of every ratio")
            evaluated = {} if question.no_target else {"evaluation": judges}
            distance = found.distances.get("")
            advice = question.answered(rows, taken, evaluated, settings, distance)
            _require_decided(advice, require_usable, output, found.distances, gates)
        step("writing the release")
        release = mixing.mix(
            rows,
            taken.get("", taken),
            ratio=float(ratio or 0.0) if advice is None else ratios_of(advice),
            output=output,
            distance=found.distances.get("", found.distances or None),
            recommendation=advice,
            threshold=_of_each(own, found.distances),
            sign=None if key is None else key.sign,
            **limits,
            **_of_mix(settings, question, taken),
        )
    _print_released(release, advice, found.left_out, as_json)


def _of_mix(
    settings: Mapping[str, Any], question: Question, taken: Mapping[str, Any]
) -> dict[str, Any]:
    """Options of `mix` that say how the release is written."""
    chosen = values_of(settings, MixOptions)
    if question.per_class:
        chosen["stratify"] = settings["target"]
    domains = [name for name in taken if name == "other"]
    return {**chosen, "domains": domains, "key": settings["key"], "ignore": settings["ignore"]}


def _print_released(
    release: "Release", advice: "Answer | None", left_out: Mapping[str, str], as_json: bool
) -> None:
    from synthmix_dagster.gates.other_verdicts import judge_recommendation

    # Whoever acts on a recommendation reads what `recommend` would have said of it.
    verdicts = {} if advice is None else {"recommendation_usable": judge_recommendation(advice)}
    if as_json:
        checks = answers.judged(verdicts)["checks"]
        told = {"passed": True, "checks": checks, "release": release.to_dict()}
        answers.print_json({**told, **({"left_out": left_out} if left_out else {})})
        return
    for said in left_out.values():
        click.echo(f"left out  {said}")
    if advice is not None:
        answers.print_answer(advice)
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
    ratio: float | None,
    gates: Mapping[str, Sequence["Gate"]],
    settings: Mapping[str, Any],
    question: Question,
) -> None:
    """Refuse what cannot be recommended or judged before any file is read."""
    automatic = any(gate.threshold.kind == "auto" for each in gates.values() for gate in each)
    if ratio is not None and not question.one_ratio:
        raise click.UsageError("--ratio is one number for one generator. Remove it.")
    labelled = None not in (settings["target"], settings["task"])
    if ratio is None and not (labelled or question.no_target):
        raise click.UsageError("Set --ratio, or --target and --task to get a recommended ratio.")
    if automatic and (ratio is not None or not question.one_ratio):
        raise click.UsageError("--threshold auto needs a recommendation of one ratio. Remove it.")


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


def _of_each(
    own: Mapping[str, Any], distances: Mapping[str, "DistanceReport"]
) -> float | str | dict[str, Any] | None:
    """Thresholds as `mix` takes them: one, or by the names of those that take part."""
    if "" in own or all(limit is None for limit in own.values()):
        return own.get("")
    return {name: own[name] for name in distances}


def _require_decided(
    advice: "Answer",
    usable: bool,
    output: str,
    distances: Mapping[str, "DistanceReport"],
    gates: Mapping[str, Sequence["Gate"]],
) -> None:
    """Refuse a recommendation that is not to be released as it stands."""
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.gates.other_verdicts import flat_curve_objection, judge_recommendation
    from synthmix_dagster.release.events import refusal_of_worst
    from synthmix_dagster.release.recording import record

    verdict = judge_recommendation(advice)
    problem = flat_curve_objection(advice)
    if usable and not verdict.passed:
        problem = f"'recommendation_usable': {verdict.sentence}"
    if not problem:
        return
    problem = f"release refused, {problem}"
    event = refusal_of_worst(distances, gates, answer=advice, reason=problem)
    record(open_store(output), event)
    raise Refused(problem)


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
