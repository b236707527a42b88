"""A bar on standard error while a verb works, where somebody is there to see it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


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
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        # A step is done when the next begins: the last one is when the bar goes away.
        task = bar.add_task("", total=steps, completed=-1)

        def begin(doing: str) -> None:
            bar.update(task, advance=1, description=doing)

        yield begin


def _silent(doing: str) -> None:
    """Nobody looks."""
