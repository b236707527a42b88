"""The command itself: what it says of itself, and the exit code of every way to end."""

import sys
import traceback
from typing import Any

import click

from synthmix_dagster import __version__
from synthmix_dagster.redaction import without_secrets

#: Options that a first try needs.
FIRST = ("output", "target", "task", "threshold")
FAILED, BAD, UNEXPECTED, INTERRUPTED = 1, 2, 3, 130


class _Shown(click.ClickException):
    """One message, with its remedy last; a terminal shows both in their colours."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def show(self, file: Any = None) -> None:
        problem, found, end = self.message.rpartition(self.remedy) if self.remedy else ("",) * 3
        told = f"{problem}{click.style(found, bold=True)}{end}" if found else self.message
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {told}", file=file, err=True)


class Refused(_Shown):
    """A gate or a verification failed: one message, no traceback."""

    exit_code = FAILED


class BadInput(_Shown):
    """An option or a dataset is wrong: one message, no traceback."""

    exit_code = BAD


class Verb(click.Command):
    """A command whose help shows first what is needed for a first try."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        first, others = list[tuple[str, str]](), list[tuple[str, str]]()
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None and isinstance(option, click.Option):
                (first if option.name in FIRST else others).append(record)
        for title, records in (("Begin with", first), ("Options", others)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Verbs(click.Group):
    """Gives every way to end its exit code."""

    command_class = Verb

    def invoke(self, ctx: click.Context) -> Any:
        from synthmix_dagster.errors import GateError, SynthMixError

        try:
            return super().invoke(ctx)
        except GateError as error:
            raise Refused(str(error), error.fix) from error
        except SynthMixError as error:
            raise BadInput(str(error), error.fix) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            # click knows what to do with them.
            raise
        except Exception:
            # An error of the program must not be taken for a gate that failed.
            shown = without_secrets(traceback.format_exc(), *sys.argv[1:])
            click.echo(shown, err=True, nl=False)
            ctx.exit(UNEXPECTED)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, package_name="synthmix-dagster")
def main() -> None:
    """How much synthetic data to add, and whether it is safe to release.

    REAL and SYNTHETIC are a file, a folder, a glob or a URI of Parquet, Arrow, CSV or JSON lines.
    Columns are matched by name.

    \b
    A pipeline that stops before a bad release:
      synthmix mix real.parquet generated.parquet --target churned --task classification \\
        --threshold 0.3 --conditional-threshold 0.2 --output mixes/churn

    \b
    Exit codes:
      0    fine
      1    a gate failed, or a release is not what its manifest says
      2    bad input or usage, or a place that cannot be written; the message says what to do
      3    an error of this program, with a traceback
      130  interrupted

    Answers go to standard output, with --json as one JSON object. Messages, and a progress bar
    where it is a terminal, go to standard error.
    """  # noqa: D301


def exit_unless(passed: bool) -> None:
    """End with the exit code of a gate that failed, unless all passed."""
    if not passed:
        click.get_current_context().exit(FAILED)
