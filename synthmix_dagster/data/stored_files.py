"""What every file of rows is held to while it is read."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from synthmix_dagster.data.locations import Location, is_local
from synthmix_dagster.data.text_formats import UnreadableError
from synthmix_dagster.errors import DataError, SynthMixError
from synthmix_dagster.redaction import cause_of, without_secrets


def require_unique(columns: Sequence[str], dataset: str) -> None:
    """Refuse two columns of one name."""
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            raise DataError(
                "two columns have this name",
                dataset=dataset,
                column=column,
                fix="Rename one of them",
            )
        seen.add(column)


def sha256_of(location: Location) -> str:
    """Digest of the bytes of a file."""
    digest = hashlib.sha256()
    with location.stream() as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def require_unchanged(location: Location, state: tuple[Any, ...], dataset: str) -> None:
    """Refuse a file that was written again since it was opened."""
    if location.state() != state:
        raise DataError(
            f"the file '{location.shown}' changed while it was read",
            dataset=dataset,
            fix="Wait until the file is complete, then run again",
        )


@contextmanager
def naming(location: Location, dataset: str) -> Iterator[None]:
    """Name the file in whatever its reader raises."""
    try:
        yield
    except SynthMixError:
        raise
    except Exception as error:
        # Clients of object stores have exceptions of their own.
        known = isinstance(error, ValueError | TypeError | OSError | pa.ArrowException)
        if is_local(location.filesystem) and not known:
            raise
        said = without_secrets(str(error), location.address)
        again = "Write the file again; it may be damaged or incomplete"
        raise DataError(
            f"the file '{location.shown}' cannot be read as {location.format} ({said})",
            dataset=dataset,
            fix=error.fix if isinstance(error, UnreadableError) else again,
        ) from cause_of(error, location.address)
