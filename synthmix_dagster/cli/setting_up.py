"""The commands for beginning: doctor, init, completion."""

import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthmix_dagster import __version__
from synthmix_dagster.cli import answers, options
from synthmix_dagster.cli.group import exit_unless, main
from synthmix_dagster.cli.reading import opened

if TYPE_CHECKING:
    from synthmix_dagster.data.dataset import Dataset

_DISTRIBUTION = "synthmix-dagster"
#: Extras of contributors, which no user is missing.
_NOT_FOR_USERS = ("dev", "docs", "example")
#: Distinct labels up to which whole numbers are classes.
_MAX_CLASSES = 20


@main.command()
@click.argument("uris", nargs=-1, metavar="[URI]...")
@options.as_json
def doctor(uris: tuple[str, ...], as_json: bool) -> None:
    """Check what is installed, and whether stores can be reached.

    Compares the versions of packages with what synthmix-dagster needs, lists the extras, and lists
    the folder of every URI. The exit code is 1 if a package that is needed is missing or too
    old, or if a URI cannot be read.

    \b
    Before a first run against a bucket:
      synthmix doctor s3://bucket/mixes
    """  # noqa: D301
    from synthmix_dagster.cli.diagnosis import packages, reached
    from synthmix_dagster.redaction import without_secrets

    needed = packages(None)
    extras = {name: packages(name) for name in _extras()}
    stores = {without_secrets(uri): reached(uri) for uri in uris}
    passed = not any([*(each.problem for each in needed.values()), *stores.values()])
    if as_json:
        answers.print_json(
            {
                "passed": passed,
                "packages": {name: asdict(each) for name, each in needed.items()},
                "extras": {
                    extra: {name: asdict(each) for name, each in found.items()}
                    for extra, found in extras.items()
                },
                "stores": stores,
            }
        )
    else:
        click.echo(f"{_DISTRIBUTION} {__version__}, Python {platform.python_version()}")
        for name, each in needed.items():
            click.echo(
                f"{'WRONG' if each.problem else 'ok':<6} {name} {each.version} {each.problem}"
            )
        for extra, found in extras.items():
            lacking = [f"{n} {each.problem}" for n, each in found.items() if each.problem]
            click.echo(f"{'-' if lacking else 'ok':<6} extra {extra} {', '.join(lacking)}")
        for uri, problem in stores.items():
            click.echo(f"{'WRONG' if problem else 'ok':<6} {uri} {problem}")
    exit_unless(passed)


@main.command()
@click.argument("real", type=click.Path(exists=True, dir_okay=True))
@click.argument("synthetic", type=click.Path(exists=True, dir_okay=True))
@click.option("--target", metavar="COLUMN", required=True, help="Label column.")
@click.option(
    "--task",
    type=click.Choice(["regression", "classification"]),
    help="Prediction task; by default what the label column looks like.",
)
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    default="synthmix_project",
    show_default=True,
    help="Folder of the project; it must not exist.",
)
def init(real: str, synthetic: str, target: str, task: str | None, output: str) -> None:
    """Write a Dagster project for the files REAL and SYNTHETIC.

    The project has one mix with both gates, and says in comments what else may be set. The files
    stay where they are.

    \b
    A project, checked, and its web UI:
      synthmix init real.csv generated.csv --target churned -o churn
      cd churn && dg check defs && dg dev
    """  # noqa: D301
    from synthmix_dagster.errors import ConfigError
    from synthmix_dagster.orchestration.project import write_project

    folder = Path(output)
    if folder.exists():
        raise ConfigError(
            f"'{output}' exists", option="output", fix="Choose a folder that does not exist yet"
        )
    rows, generated = opened(real, "real", {}), opened(synthetic, "synthetic", {})
    for side in (rows, generated):
        _require_column(side, target)
    task = task or _task_of(rows, target)
    paths = {
        name: str(Path(path).resolve()) for name, path in (("real", real), ("synthetic", synthetic))
    }
    name = write_project(folder, **paths, target=target, task=task)
    click.echo(f"wrote {folder}: {task} of '{target}', {rows.rows:,} real rows")
    click.echo(f"next: cd {folder} && dg check defs && dg launch --job {name}_job")


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a SHELL.

    \b
    For the current bash:
      synthmix completion bash > ~/.synthmix-completion && source ~/.synthmix-completion
    """  # noqa: D301
    from click.shell_completion import get_completion_class

    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"'{shell}' is not supported by this version of click.")
    click.echo(completer(main, {}, "synthmix", "_SYNTHMIX_COMPLETE").source())


def _extras() -> list[str]:
    from importlib.metadata import metadata

    names = metadata(_DISTRIBUTION).get_all("Provides-Extra") or []
    return [name for name in names if name not in _NOT_FOR_USERS]


def _require_column(side: "Dataset", target: str) -> None:
    from synthmix_dagster.errors import DataError, did_you_mean

    if target not in side.columns:
        raise DataError(
            f"it has no column '{target}'",
            dataset=side.name,
            fix=did_you_mean(target, side.columns),
        )


def _task_of(rows: "Dataset", target: str) -> str:
    """Text and few whole numbers are classes, other numbers are a quantity."""
    import pyarrow as pa

    type_ = rows.schema.field(target).type
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "regression"
    if pa.types.is_integer(type_) and rows.frame()[target].nunique() > _MAX_CLASSES:
        return "regression"
    return "classification"
