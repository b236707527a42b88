"""A bar on standard error while a verb works, where somebody is there to see it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from synthmix_dagster.watching import watched

if TYPE_CHECKING:
    from rich.progress import TaskID


class Steps(Protocol):
    """Tells that the next step begins."""

    def __call__(self, doing: str) -> None: ...


@contextmanager
def progress(steps: int) -> Iterator[Steps]:
    """Show how many of the steps are done, which one runs, and for how long.

    Nothing is shown, and nothing imported for it, where standard error is not a terminal.

    Parameters
    ----------
    steps : int
        How often the function that is yielded will be called.
    """
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        # A step is done when the next begins: the last one is when the bar goes away.
        task = bar.add_task("", total=steps, completed=-1, unit="steps")
        rows: dict[str, TaskID] = {}

        def begin(doing: str) -> None:
            for each in rows.values():
                bar.remove_task(each)
            rows.clear()
            bar.update(task, advance=1, description=doing)

        def rows_done(doing: str, done: int, total: int) -> None:
            if doing not in rows:
                rows[doing] = bar.add_task(f"  {doing}", total=total, unit="rows")
            bar.update(rows[doing], completed=done)

        with watched(rows_done):
            yield begin


def _silent(doing: str) -> None:
    """Nobody looks."""
