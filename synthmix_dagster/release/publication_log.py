"""What was published to an output, in order: file times can be set back, and clocks go wrong."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from synthmix_dagster.release.atomic_files import write_json

_NAME = ".publications.json"


@dataclass(frozen=True)
class Publication:
    """One move of ``latest``.

    Attributes
    ----------
    release_id : str
    digest : str
        Of its manifest; empty for a release of an earlier version.
    at : str
        When, in UTC, for people: the order is that of the log.
    """

    release_id: str
    digest: str
    at: str


def read_log(output: Path) -> list[Publication]:
    """The publications of an output, oldest first; none where there is no log that can be read."""
    try:
        entries = json.loads((output / _NAME).read_text(encoding="utf-8"))
        return [Publication(**entry) for entry in entries]
    except (OSError, ValueError, TypeError):
        return []


def append_to_log(output: Path, release_id: str, digest: str) -> None:
    """Add a publication; one that repeats the last is left out."""
    log = read_log(output)
    if log and (log[-1].release_id, log[-1].digest) == (release_id, digest):
        return
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    entries = [asdict(entry) for entry in (*log, Publication(release_id, digest, now))]
    write_json(output / _NAME, entries)
