"""Options that several verbs share, declared once."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def datasets(command: Command) -> Command:
    """The two datasets."""
    return _with(command, click.argument("real"), click.argument("synthetic"))


def columns(command: Command) -> Command:
    """Which columns take part, and as what."""
    return _with(
        command,
        _repeated("--categorical", "Column to treat as a category although it holds numbers."),
        _repeated("--ignore", "Column to leave out, such as free text."),
        _repeated("--key", "Column that identifies a row."),
    )


def target(*, required: bool) -> Callable[[Command], Command]:
    """The label column and what is learnt from it."""

    def declare(command: Command) -> Command:
        return _with(
            command,
            click.option("--target", metavar="COLUMN", required=required, help="Label column."),
            click.option(
                "--task",
                type=click.Choice(["regression", "classification"]),
                required=required,
                help="What is learnt from it.",
            ),
        )

    return declare


def sampling(command: Command) -> Command:
    """What is measured of the datasets, and how."""
    return _with(
        command,
        click.option(
            "--weight",
            "weights",
            metavar="COLUMN=NUMBER",
            multiple=True,
            callback=_weights,
            help="Factor on a column's part of squared distances; may be repeated.",
        ),
        click.option(
            "--scaling",
            type=click.Choice(["standard", "robust", "rank"]),
            default="standard",
            show_default=True,
            help="What makes numbers comparable.",
        ),
        click.option(
            "--sample-rows",
            type=int,
            default=20_000,
            show_default=True,
            help="Most rows of either side to look at, drawn uniformly.",
        ),
    )


def thresholds(command: Command) -> Command:
    """What the gates compare with."""
    return _with(
        command,
        click.option(
            "--threshold",
            metavar="NUMBER",
            help="Largest gap, in real standard deviations, or such as '3 x floor'; over it the "
            "exit code is 1.",
        ),
        click.option(
            "--conditional-threshold",
            type=float,
            help="Largest conditional gap: how far labels moved for rows that are alike.",
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


def learning(command: Command) -> Command:
    """How a ratio is recommended."""
    return _with(
        command,
        click.option(
            "--learner",
            type=click.Choice(["kernel", "linear", "trees"]),
            default="kernel",
            show_default=True,
            help="Whose risk is predicted.",
        ),
        click.option(
            "--evaluation",
            metavar="PATH",
            help="Real rows that the generator never saw; they judge the risk.",
        ),
        click.option(
            "--evaluation-column",
            metavar="COLUMN",
            help="Boolean column of REAL that marks such rows, in the place of --evaluation.",
        ),
        click.option(
            "--generator-saw-real/--generator-unseen",
            default=None,
            help="Whether the generator was fitted on REAL; unknown by default.",
        ),
        click.option("--max-ratio", type=float, help="Highest ratio to consider."),
        click.option(
            "--rule",
            type=click.Choice(["largest_equivalent", "best", "smallest_equivalent"]),
            default="largest_equivalent",
            show_default=True,
            help="Which of the ratios that cannot be told from the best.",
        ),
        click.option(
            "--require-usable",
            is_flag=True,
            help="Exit with 1 where the risk curve is flat, still falling, or may not decide.",
        ),
    )


#: Whether the answer is for a machine.
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print the whole result as one JSON object."
)
memory = click.option(
    "--memory-mb",
    type=int,
    default=1_000,
    show_default=True,
    help="Most memory to plan for, the inputs not counted.",
)


def common(command: Command) -> Command:
    """Seed and form of the answer."""
    seed = click.option(
        "--seed", type=int, default=0, show_default=True, help="Seed of everything random."
    )
    return _with(command, seed, as_json)


def _with(command: Command, *declared: Callable[[Any], Any]) -> Command:
    for option in reversed(declared):
        command = option(command)
    return command


def _repeated(name: str, said: str) -> Callable[[Any], Any]:
    return click.option(name, metavar="COLUMN", multiple=True, help=f"{said} May be repeated.")


def _weights(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, float] | None:
    """Weights by column; a name may hold an equals sign, a number may not."""
    weights = {}
    for each in given:
        column, _, number = each.rpartition("=")
        try:
            weights[column] = float(number)
        except ValueError:
            raise click.BadParameter(f"'{each}' is not COLUMN=NUMBER") from None
    return weights or None
