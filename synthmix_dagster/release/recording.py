"""What is kept for people: refusals and alarms, and ``index.html`` beside the releases.

None of it is worth a release, or another error than the one that is to be reported: whatever goes
wrong here is logged.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from synthmix_dagster.data.store import Store
from synthmix_dagster.errors import GateError
from synthmix_dagster.release.events import Event, append_event, read_events
from synthmix_dagster.release.history import History, entries_of
from synthmix_dagster.release.history_page import history_page
from synthmix_dagster.release.publication_log import read_log

#: Name of the page in the folder of a mix.
INDEX = "index.html"
#: Entries on the page that is kept up to date: the newest.
MAX_ENTRIES = 500
#: How often the page is written because something was added meanwhile, or another was faster.
_TRIES = 10

_log = logging.getLogger(__name__)


def record(output: Store, event: Event) -> None:
    """Keep an event, and write the page anew."""
    try:
        append_event(output, event)
    except Exception as error:
        _log.warning("The history could not be added to (%s)", type(error).__name__, exc_info=True)
    write_index(output)


@contextmanager
def refusals_recorded(output: Store, event: Event) -> Iterator[None]:
    """Record the refusal of whatever is done inside.

    Parameters
    ----------
    output : Store
    event : Event
        What is known before; the reason is that of the error.
    """
    try:
        yield
    except GateError as error:
        record(output, replace(event, reason=str(error)))
        raise


def write_index(output: Store) -> None:
    """Write the page beside the releases anew."""
    try:
        for _ in range(_TRIES):
            held = output.look(INDEX)
            seen = len(read_log(output)), read_events(output)
            entries = entries_of(output)
            shown = History(output.uri, tuple(entries[-MAX_ENTRIES:]))
            page = history_page(shown, output.uri, max(0, len(entries) - MAX_ENTRIES))
            version = None if held is None else held.version
            written = output.swap(INDEX, page.encode("utf-8"), version)
            # Another writer may have added something, and be done with the page already.
            if written and seen == (len(read_log(output)), read_events(output)):
                return
    except Exception as error:
        _log.warning(
            "The page of the history could not be written (%s)", type(error).__name__, exc_info=True
        )
