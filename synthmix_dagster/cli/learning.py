"""The verb that learns from a team's own history."""

from pathlib import Path

import click

from synthmix_dagster.cli import answers
from synthmix_dagster.cli.declared import declared
from synthmix_dagster.cli.group import main
from synthmix_dagster.cli.progress import progress
from synthmix_dagster.encoding.options import SampleOptions
from synthmix_dagster.ratio.options import Learner


@main.command()
@click.argument("pairs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="experience.json",
    show_default=True,
    help="Where to write what was learned.",
)
@click.option(
    "--learner",
    type=click.Choice(["kernel", "trees"]),
    default="kernel",
    show_default=True,
    help="Whose error is measured, and whose recommendations it is for.",
)
@click.option(
    "--rows",
    type=int,
    multiple=True,
    help="Number of real rows to learn from, where a pair has as many; all by default. May be "
    "repeated.",
)
@click.option(
    "--alone",
    is_flag=True,
    help="Leave out the experience that the package comes with.",
)
@declared(SampleOptions, "seed")
def learn(
    pairs: Path, output: str, learner: Learner, rows: tuple[int, ...], alone: bool, seed: int
) -> None:
    """Learn from PAIRS of your own what synthetic rows did to the error.

    PAIRS is a folder of folders, one for each real dataset with a generator: real.parquet,
    synthetic.parquet and test.parquet (rows that neither the generator nor a learner saw), and
    pair.json with dataset, generator, target and task. Of all of them only moments are kept, no
    rows.

    \b
    Learn once a quarter, and recommend with it:
      synthmix learn history --output experience.json
      synthmix recommend real.csv generated.csv --target churned --task classification \\
        --experience experience.json
    """  # noqa: D301
    from synthmix_dagster.verbs.learning import learn_from_pairs

    with progress(1) as step:
        step("measuring the error of every pair at every ratio")
        learned = learn_from_pairs(pairs, learner=learner, rows=rows, alone=alone, seed=seed)
    answers.write(output, learned.to_json().encode("utf-8"), option="output")
    click.echo(
        f"{learned.cases} cases of {learned.pairs} pairs of {len(learned.datasets)} datasets, "
        f"table {learned.digest}"
    )
    click.echo(output)
