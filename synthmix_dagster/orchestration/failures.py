"""Errors of this package as failures of a Dagster step."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from synthmix_dagster.errors import ClusterError, QueryError, StoreError, SynthMixError
from synthmix_dagster.redaction import cause_of, without_secrets


@contextmanager
def at_the_edge() -> Iterator[None]:
    """Turn this package's errors into failures that Dagster shows in full and does not retry."""
    with without_secrets_in_errors():
        try:
            yield
        except SynthMixError as error:
            # What does not answer now may do so later; nothing else gets better by itself.
            others = StoreError | QueryError | ClusterError
            again = isinstance(error, others) and error.transient
            raise dg.Failure(description=str(error), allow_retries=again) from cause_of(error)


@contextmanager
def without_secrets_in_errors() -> Iterator[None]:
    """Keep an unexpected error as it is, unless Dagster would store a secret with it."""
    try:
        yield
    except SynthMixError:
        raise
    except Exception as error:
        if cause_of(error) is not None:
            raise
        shown = "".join(traceback.format_exception(error))
        raise dg.Failure(description=without_secrets(shown)) from None
