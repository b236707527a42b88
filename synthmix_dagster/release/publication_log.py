"""What was published to an output, in order: file times can be set back, and clocks go wrong."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from synthmix_dagster.data.store import Store, json_bytes, update

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


def read_log(output: Store) -> list[Publication]:
    """The publications of an output, oldest first; none where there is no log that can be read."""
    try:
        return _entries(output.read(_NAME))
    except OSError:
        return []


def append_to_log(output: Store, release_id: str, digest: str) -> None:
    """Add a publication; one that repeats the last is left out."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")

    def appended(content: bytes | None) -> bytes | None:
        log = _entries(content)
        if log and (log[-1].release_id, log[-1].digest) == (release_id, digest):
            return None
        return json_bytes([asdict(entry) for entry in (*log, Publication(release_id, digest, now))])

    update(output, _NAME, appended)


def _entries(content: bytes | None) -> list[Publication]:
    try:
        return [Publication(**entry) for entry in json.loads(content or b"[]")]
    except (ValueError, TypeError):
        return []
