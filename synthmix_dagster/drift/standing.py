"""An alarm outlives the history that raised it: only a new version or baseline clears it.

Evidence is judged among batches that were measured on the same terms. So whatever changes the terms
(a seed, a sample, a scaling, one column more) begins a new history that is quiet, and wiping an
asset leaves none. Neither says that what moved was fixed. So an alarm is kept with what was
declared when it was raised, and stands for as long as nothing else is declared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthmix_dagster.drift.history import Batch
from synthmix_dagster.results import Result

#: Terms that the user declares. To change one of them is to ask for a new history.
DECLARED = ("baseline", "generator_version")


@dataclass(frozen=True)
class StandingAlarm(Result):
    """An alarm that was raised, and what has to change for it to be cleared.

    Attributes
    ----------
    series : str
        ``gap``, ``generator`` or ``reality``.
    since : str
        Batch that the change most likely began with.
    raised : str
        First batch at which the capital was over the line.
    finding : str
        What moved, by how much and in which columns, when the alarm was raised.
    declared : mapping of str to str
        Version and baseline that were declared, where they were.
    """

    series: str
    since: str
    raised: str
    finding: str
    declared: Mapping[str, str]


def declared_of(terms: Mapping[str, str]) -> dict[str, str]:
    """What the user declared, of the terms of an observation.

    Examples
    --------
    >>> declared_of({"generator_version": "v1", "schema": "x: number"})
    {'generator_version': 'v1'}
    """
    return {name: terms[name] for name in DECLARED if name in terms}


def on_earlier_terms(batches: Sequence[Batch], series: str) -> list[list[Batch]]:
    """Batches of the declared version and baseline, by the other terms they were measured on.

    Parameters
    ----------
    batches : sequence of Batch
        In any order.
    series : str
        One of `SERIES`.

    Returns
    -------
    list of list of Batch
        The earliest terms first; the latest terms are left out.
    """
    measured = [batch for batch in batches if series in batch.series and batch.series[series].terms]
    if not measured:
        return []
    by_time = sorted(measured, key=lambda one: one.time)
    latest = by_time[-1].series[series].terms
    groups: dict[tuple[tuple[str, str], ...], list[Batch]] = {}
    for batch in by_time:
        terms = batch.series[series].terms
        if terms != latest and declared_of(terms) == declared_of(latest):
            groups.setdefault(tuple(sorted(terms.items())), []).append(batch)
    return list(groups.values())
