"""Tells whoever watches how far a long step is; by default nobody does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: From what is done to rows, how many are done, and how many there are.
Watcher = Callable[[str, int, int], None]

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Have a watcher told about rows while something runs.

    Examples
    --------
    >>> with watched(print):
    ...     tell("reading", 10, 100)
    reading 10 100
    >>> tell("reading", 20, 100)
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell(doing: str, done: int, total: int) -> None:
    """Say how many rows are done."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(doing, done, total)
