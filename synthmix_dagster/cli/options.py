"""Options that several verbs share, each group once."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from synthmix_dagster.cli.declared import declared
from synthmix_dagster.cli.reading import reading
from synthmix_dagster.data.store import is_uri
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.encoding.option_docs import attribute_docs
from synthmix_dagster.encoding.options import Columns, SampleOptions
from synthmix_dagster.ratio.options import AnswerOptions, RatioOptions

Command = TypeVar("Command", bound=Callable[..., Any])


class ReleasePlace(click.Path):
    """A local directory that exists, or a URI."""

    def __init__(self) -> None:
        super().__init__(exists=True)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value if is_uri(value) else super().convert(value, param, ctx)


def datasets(command: Command) -> Command:
    """The two datasets, and how they are read."""
    return _with(reading(command), click.argument("real"), click.argument("synthetic"))


def several_datasets(command: Command) -> Command:
    """Real rows, one synthetic dataset or several by their names, and what is asked of them."""
    return _with(
        reading(command),
        click.argument("real"),
        click.argument("synthetic", nargs=-1, required=True),
        click.option(
            "--other",
            metavar="PATH",
            help="Real rows of another domain, judged and added like those of a generator.",
        ),
        declared(AnswerOptions, "per_class"),
        click.option(
            "--no-target",
            is_flag=True,
            help="There is no label column; wrong labels are invisible then.",
        ),
    )


def target(*, required: bool) -> Callable[[Command], Command]:
    """The label column and the task."""

    def declare(command: Command) -> Command:
        return _with(
            command,
            click.option("--target", metavar="COLUMN", required=required, help="Label column."),
            click.option(
                "--task",
                type=click.Choice(["regression", "classification"]),
                required=required,
                help="Prediction task.",
            ),
        )

    return declare


def sampling(command: Command) -> Command:
    """Which rows and columns are looked at, and on what scale."""
    return _with(
        command,
        declared(Columns, "categorical", "ignore", "key"),
        click.option(
            "--weight",
            "weights",
            metavar="COLUMN=NUMBER",
            multiple=True,
            callback=_weights,
            help=f"{attribute_docs(Columns)['weights']} May be repeated.",
        ),
        declared(Columns, "scaling"),
        click.option(
            "--embed",
            metavar="COLUMN=HOW",
            multiple=True,
            callback=_embeddings,
            help=f"{attribute_docs(Columns)['embed'].replace('``', '')} May be repeated.",
        ),
        declared(SampleOptions, "sample_rows"),
    )


def signed(text: str) -> Callable[[Command], Command]:
    """The environment variable that holds the key of signatures; a key itself is never given."""
    return click.option("--hmac-key-env", metavar="VARIABLE", help=text)


def thresholds(command: Command) -> Command:
    """What the gates compare with."""
    return _with(
        command,
        click.option(
            "--threshold",
            metavar="NUMBER",
            help="Maximum gap in real standard deviations, or a multiple such as '3 x floor'. Exit "
            "code 1 if exceeded.",
        ),
        click.option(
            "--conditional-threshold",
            type=float,
            help="Maximum conditional gap: how far the labels of similar rows moved. Exit code 1 "
            "if exceeded.",
        ),
        click.option(
            "--class-threshold",
            type=float,
            help="Maximum class gap: how far the labels of the worst class moved.",
        ),
        click.option(
            "--classifier-threshold",
            type=click.FloatRange(0, 1),
            help="Maximum balanced accuracy, such as 0.6, with which a classifier may tell "
            "synthetic rows from real ones.",
        ),
        click.option(
            "--min-distinct-share",
            type=click.FloatRange(0, 1),
            help="Minimum share of distinct rows that the synthetic rows may count as.",
        ),
    )


def own_thresholds(command: Command) -> Command:
    """Thresholds of several generators, and what follows if one is exceeded."""
    return _with(
        command,
        click.option(
            "--threshold-of",
            "thresholds",
            metavar="NAME=NUMBER",
            multiple=True,
            help="Maximum gap of one of several generators, in the place of --threshold. May be "
            "repeated.",
        ),
        click.option(
            "--leave-out-refused",
            is_flag=True,
            help="Leave out a generator whose gate fails, instead of refusing the release.",
        ),
    )


def learning(command: Command) -> Command:
    """How a ratio is recommended."""
    return _with(
        command,
        declared(RatioOptions, "learner", "estimator"),
        click.option(
            "--evaluation",
            metavar="PATH",
            help="Real rows that the generator never saw; the risk is measured on them.",
        ),
        click.option(
            "--evaluation-column",
            metavar="COLUMN",
            help="Boolean column of REAL that marks such rows, instead of --evaluation.",
        ),
        click.option(
            "--generator-saw-real/--generator-unseen",
            default=RatioOptions.generator_saw_real,
            help=attribute_docs(RatioOptions)["generator_saw_real"],
        ),
        declared(
            RatioOptions,
            "max_ratio",
            "rule",
            "flat_curve",
            "scoring",
            "positive_class",
            "class_weight",
            "experience",
        ),
        click.option(
            "--require-usable",
            is_flag=True,
            help="Exit code 1 if the risk curve is flat, still falling, or not informative.",
        ),
    )


#: Whether the answer is for a machine.
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print the whole result as one JSON object."
)
memory = declared(DistanceOptions, "memory_mb")


def common(command: Command) -> Command:
    """Seed and form of the answer."""
    return _with(command, declared(SampleOptions, "seed"), as_json)


def _with(command: Command, *options: Callable[[Any], Any]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _weights(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, float] | None:
    """Weights by column; a name may hold an equals sign, a number may not."""
    weights = {}
    for each in values:
        column, _, number = each.rpartition("=")
        try:
            weights[column] = float(number)
        except ValueError:
            raise click.BadParameter(f"'{each}' is not COLUMN=NUMBER") from None
    return weights or None


def _embeddings(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str] | None:
    """How each column is embedded; the name of a column may hold an equals sign, a module not."""
    found = dict(each.rpartition("=")[::2] for each in values)
    if "" in found:
        raise click.BadParameter(f"'{found['']}' is not COLUMN=HOW, such as review=text")
    return found or None
