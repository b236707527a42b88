"""How many cases a fuzzed target sees, and the one question that all of them are asked."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

from synthmix_dagster.errors import SynthMixError

T = TypeVar("T")


def cases(usual: int) -> Any:
    """So many cases; as many as the profile says where it says more (`nightly`: 10,000)."""
    most = settings.default.max_examples if settings.default else 0
    return settings(
        max_examples=max(usual, most if most >= 10_000 else 0),
        suppress_health_check=list(HealthCheck),
    )


def result_or_named(work: Callable[[], T], *names: str) -> T | None:
    """What comes of it, or None where an error of the family names one of the places.

    Any other error fails the test, as does a message without its place or a remedy.
    """
    try:
        return work()
    except SynthMixError as error:
        refused = error
    said = str(refused)
    assert refused.where, said
    assert refused.fix, said
    assert not names or any(name in said for name in names), f"none of {names}: {said}"
    return None
