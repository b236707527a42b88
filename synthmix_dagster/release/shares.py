"""How many rows every generator gives: what ratios ask for, and what there is."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.errors import ConfigError, did_you_mean
from synthmix_dagster.release.engine import Engine
from synthmix_dagster.release.options import MixOptions, Shortage, finite_number
from synthmix_dagster.release.request import StratumRequest
from synthmix_dagster.release.selection import quotas, spelled
from synthmix_dagster.release.sources import REAL

#: A name of a generator, which is also part of file names and column values.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
#: Names that a manifest gives to something else.
_TAKEN = (REAL, "rows")


@dataclass(frozen=True)
class Share:
    """What is requested of one generator, and what it gives.

    Attributes
    ----------
    dataset : Dataset
    ratio : float
        Requested synthetic rows per real row.
    rows : int
        Rows that it gives.
    strata : mapping of str to StratumRequest, optional
        The same by stratum, where each has a ratio of its own.
    """

    dataset: Dataset
    ratio: float
    rows: int
    strata: Mapping[str, StratumRequest] | None = None


def shares_of(
    real: Dataset,
    synthetic: Dataset | Mapping[str, Dataset],
    ratio: float | Mapping[str, float],
    options: MixOptions,
) -> tuple[dict[str, Share], tuple[str, ...]]:
    """Rows of every generator, in the order of their names.

    Parameters
    ----------
    real : Dataset
    synthetic : Dataset or mapping of str to Dataset
    ratio : float or mapping of str to float
    options : MixOptions
        Of which ``shortage`` and ``max_rows`` matter here.

    Returns
    -------
    shares : dict of str to Share
    notes : tuple of str
        What is done differently from the request, as sentences. They are part of the release id:
        other words would make another id.

    Raises
    ------
    ConfigError
    """
    notes = []
    shares = {}
    for name, (dataset, rho) in _ratios(synthetic, ratio).items():
        rows = requested_rows(rho, real.rows, dataset.rows, options.shortage)
        if rows < round(rho * real.rows):
            shortfall = _shortfall(rho, round(rho * real.rows), dataset.rows)
            notes.append(f"the ratio {shortfall}: all of them were taken")
        shares[name] = Share(dataset, rho, rows)
    if options.max_rows is None:
        return shares, tuple(notes)
    shares, note = _capped(shares, real.rows, options.max_rows)
    return shares, (*notes, *note)


def shares_of_strata(
    engine: Engine,
    real: Dataset,
    synthetic: Dataset,
    ratio: Mapping[str, float],
    options: MixOptions,
) -> tuple[dict[str, Share], tuple[str, ...]]:
    """Rows of one generator, of which every stratum has a ratio of its own.

    Parameters
    ----------
    engine : Engine
    real, synthetic : Dataset
    ratio : mapping of str to float
        Synthetic rows per real row of each stratum; one that is not named gives none.
    options : MixOptions

    Returns
    -------
    shares, notes : see `shares_of`

    Raises
    ------
    ConfigError
    """
    if options.stratify is None or options.mode == "weights":
        # Says what is wrong with it.
        return shares_of(real, synthetic, ratio, options)
    sizes, available = (engine.strata(side, options.stratify) for side in (real, synthetic))
    notes, strata = [], {}
    for said in sorted(ratio):
        name = spelled(said, sizes)
        if name not in sizes:
            raise ConfigError(
                f"it names '{name}', which no real row has in '{options.stratify}'",
                option="ratio",
                fix=did_you_mean(name, sizes),
            )
        rho, there = _number(ratio[said]), available.get(spelled(name, available), 0)
        rows = requested_rows(rho, sizes[name], there, options.shortage)
        if rows < (due := round(rho * sizes[name])):
            notes.append(f"the ratio of '{name}' {_shortfall(rho, due, there)}: all were taken")
        strata[name] = StratumRequest(rho, rows)
    rows = sum(of.rows for of in strata.values())
    due = sum(round(of.ratio * sizes[name]) for name, of in strata.items())
    shares = {"synthetic": Share(synthetic, due / real.rows, rows, strata)}
    if options.max_rows is None:
        return shares, tuple(notes)
    shares, note = _capped(shares, real.rows, options.max_rows)
    kept = quotas({name: of.rows for name, of in strata.items()}, shares["synthetic"].rows)
    strata = {name: replace(of, rows=kept[name]) for name, of in strata.items()}
    return {"synthetic": replace(shares["synthetic"], strata=strata)}, (*notes, *note)


def requested_rows(ratio: float, n: int, available: int, shortage: Shortage = "refuse") -> int:
    """Number of synthetic rows that a ratio asks for, halves rounded to even.

    Parameters
    ----------
    ratio : float
    n : int
        Real rows.
    available : int
        Synthetic rows.
    shortage : {"refuse", "cap"}
        What to do if there are too few.

    Raises
    ------
    ConfigError
        The ratio is not a finite number of 0 or more, or there are too few rows.

    Examples
    --------
    >>> requested_rows(0.5, 11, 100)
    6
    >>> requested_rows(0.5, 11, 4, shortage="cap")
    4
    """
    if not (np.isfinite(ratio) and ratio >= 0):
        raise ConfigError(f"it is {ratio}", option="ratio", fix="Set it to 0 or more")
    k = round(ratio * n)
    if k > available and shortage == "refuse":
        max_ratio = math.floor(1e4 * available / n) / 1e4
        raise ConfigError(
            _shortfall(ratio, k, available),
            option="ratio",
            fix=f"Set it to at most {max_ratio}, generate more rows, or set 'shortage' to 'cap'",
        )
    return min(k, available)


def _shortfall(ratio: float, k: int, available: int) -> str:
    return f"{ratio:g} asks for {k} synthetic rows but there are {available}"


def _ratios(
    synthetic: Dataset | Mapping[str, Dataset], ratio: float | Mapping[str, float]
) -> dict[str, tuple[Dataset, float]]:
    """Dataset and ratio of every generator, in the order of their names."""
    if isinstance(synthetic, Dataset):
        if isinstance(ratio, Mapping):
            raise ConfigError(
                "it names generators, but there is one synthetic dataset",
                option="ratio",
                fix="Set it to a number, or pass the generators by the same names; for a ratio by "
                "class set 'stratify' to the column of the classes",
            )
        return {"synthetic": (synthetic, _number(ratio))}
    if not isinstance(ratio, Mapping) or set(ratio) != set(synthetic):
        named = sorted(ratio) if isinstance(ratio, Mapping) else ratio
        raise ConfigError(
            f"it is {named}, but the generators are {', '.join(sorted(synthetic))}",
            option="ratio",
            fix="Set a ratio for each generator, 0 for one that gives no rows",
        )
    for name in synthetic:
        if name in _TAKEN or not _NAME.fullmatch(name):
            raise ConfigError(
                f"'{name}' is not a valid generator name",
                option="synthetic",
                fix="Use letters, digits, '_', '.' and '-', and neither 'real' nor 'rows'",
            )
    return {name: (synthetic[name], _number(ratio[name])) for name in sorted(synthetic)}


def _number(ratio: object) -> float:
    return finite_number(ratio, option="ratio")


def _capped(
    shares: Mapping[str, Share], n: int, max_rows: int
) -> tuple[dict[str, Share], tuple[str, ...]]:
    """Fewer synthetic rows if there would be more rows than allowed, in proportion."""
    if max_rows < n:
        raise ConfigError(
            f"{max_rows} rows cannot hold the {n} real ones, which are all kept",
            option="max_rows",
            fix="Set it higher, or pass fewer real rows",
        )
    due = {name: share.rows for name, share in shares.items()}
    if n + sum(due.values()) <= max_rows:
        return dict(shares), ()
    taken = quotas(due, max_rows - n)
    note = (
        f"'max_rows' of {max_rows} leaves room for {max_rows - n} of {sum(due.values())} "
        "synthetic rows"
    )
    return {name: replace(share, rows=taken[name]) for name, share in shares.items()}, (note,)
