"""Every error this package raises on purpose, in one family.

A message says what was found, where (dataset, column, option or path) and what to do next, so the
constructors take those as data and write the sentence themselves. Dagster is not imported here:
`orchestration/failures.py` turns the family into ``dagster.Failure(allow_retries=False)``.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from unicodedata import normalize

from synthmix_dagster.redaction import without_secrets


class SynthMixError(Exception):
    """Base class of every error raised on purpose.

    Parameters
    ----------
    problem : str
        What was found, as a clause; a full stop at its end is not doubled.
    where : str
        The place: a dataset, a column, an option, a file.
    fix : str
        What the reader can do next, as a sentence without a full stop.
    """

    def __init__(self, problem: str, *, where: str, fix: str) -> None:
        # Whatever quoted an address, no message hands its password on.
        problem, where, fix = map(without_secrets, (problem, where, fix))
        super().__init__(f"{where}: {problem.rstrip('.')}. {fix}.")
        self.problem = problem
        self.where = where
        self.fix = fix


class ConfigError(SynthMixError):
    """A setting is wrong: an option, its value, or a combination of options."""

    def __init__(self, problem: str, *, option: str, fix: str) -> None:
        super().__init__(problem, where=f"option '{option}'", fix=fix)
        self.option = option


class UnknownChoiceError(ConfigError):
    """A word that is not in the vocabulary of an option; the nearest valid one is named."""

    def __init__(self, value: object, *, option: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown value {value!r}", option=option, fix=did_you_mean(value, known))


class DataError(SynthMixError):
    """A dataset cannot be used as it is."""

    def __init__(self, problem: str, *, dataset: str, column: str | None = None, fix: str) -> None:
        where = f"dataset '{dataset}'"
        if column is not None:
            where += f", column '{column}'"
        super().__init__(problem, where=where, fix=fix)
        self.dataset = dataset
        self.column = column


class GateError(SynthMixError):
    """A step is refused, because what is stored of the steps before it is bad, stale or missing."""

    def __init__(self, problem: str, *, mix: str, fix: str) -> None:
        super().__init__(problem, where=f"mix '{mix}'", fix=fix)
        self.mix = mix


class ReleaseError(SynthMixError):
    """A release cannot be written, or what is on disk is not what was written."""

    def __init__(self, problem: str, *, path: Path | str, fix: str) -> None:
        super().__init__(problem, where=f"release at '{path}'", fix=fix)
        self.path = path


class StoreError(SynthMixError):
    """An object store refuses or fails; `transient` says whether a later try may succeed."""

    def __init__(self, problem: str, *, store: str, fix: str, transient: bool = False) -> None:
        super().__init__(problem, where=f"store '{store}'", fix=fix)
        self.store = store
        self.transient = transient


class QueryError(SynthMixError):
    """A warehouse cannot be reached, or a query on it fails; `transient` says whether a later try
    may succeed.
    """

    def __init__(
        self,
        problem: str,
        *,
        connection: str,
        query: str = "",
        dataset: str = "",
        fix: str,
        transient: bool = False,
    ) -> None:
        where = f"connection '{connection}'"
        where = f"dataset '{dataset}', {where}" if dataset else where
        super().__init__(problem, where=f"{where}, query '{query}'" if query else where, fix=fix)
        self.connection = connection
        self.query = query
        self.transient = transient


class ClusterError(SynthMixError):
    """A cluster cannot be reached, lacks something, or a job on it fails; `transient` says whether
    a later try may succeed.
    """

    def __init__(
        self, problem: str, *, fix: str, cluster: str = "", transient: bool = False
    ) -> None:
        where = f"Spark cluster '{cluster}'" if cluster else "Spark cluster"
        super().__init__(problem, where=where, fix=fix)
        self.cluster = cluster
        self.transient = transient


class InputError(SynthMixError):
    """An asset of a mix cannot be loaded as the input of another asset."""

    def __init__(self, problem: str, *, asset: str, fix: str) -> None:
        super().__init__(problem, where=f"asset '{asset}'", fix=fix)
        self.asset = asset


def did_you_mean(value: object, known: Iterable[str]) -> str:
    """Name the nearest valid word, or the whole vocabulary when none is near.

    Examples
    --------
    >>> did_you_mean("slised", ["sliced", "exact"])
    "Did you mean 'sliced'? Valid are: exact, sliced"
    """
    words = sorted(known)
    near = get_close_matches(str(value), words, n=1)
    vocabulary = "Valid are: " + ", ".join(words)
    return f"Did you mean '{near[0]}'? {vocabulary}" if near else vocabulary


def look_alikes(values: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Values that differ from a known one in spaces, case or the coding of characters only.

    Examples
    --------
    >>> look_alikes(["B", "a ", "c"], ["a", "b"])
    {'B': 'b', 'a ': 'a'}
    """
    plain = {_plainly(each): each for each in known}
    found = {value: plain[_plainly(value)] for value in values if _plainly(value) in plain}
    return {value: level for value, level in found.items() if value != level}


def _plainly(text: str) -> str:
    return " ".join(normalize("NFKC", text).casefold().split())
