"""Errors of this package as failures of a Dagster step."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from synthmix_dagster.errors import SynthMixError


@contextmanager
def at_the_edge() -> Iterator[None]:
    """Turn this package's errors into failures that Dagster shows in full and does not retry."""
    try:
        yield
    except SynthMixError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
