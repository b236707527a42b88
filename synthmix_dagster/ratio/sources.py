"""Several generators at once: how many rows of each.

Every generator alone is tried first, then mixtures of them (see `search`), and the two are compared
row by row. A mixture has more to choose from, so it has to be better by more than the standard
error of that comparison before it is recommended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.mixtures import Pool
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.ratio.search import Candidates, all_sources, descend, joined, single_sources
from synthmix_dagster.results import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SourceShare:
    """Rows of one generator in a mixture.

    Attributes
    ----------
    name : str
    rows : int
    ratio : float
        Rows per real row.
    weight : float
        Share of all rows of the mixture, real ones included.
    """

    name: str
    rows: int
    ratio: float
    weight: float


@dataclass(frozen=True)
class SourceMixture(Result):
    """What several generators achieve together and alone.

    Attributes
    ----------
    recommended : tuple of SourceShare
        The mixture if it is better, else the best generator alone; rows may be 0.
    mixture, alone : tuple of SourceShare
        Best mixture found, and best generator alone.
    risk_mixed, risk_alone, risk_none : float
        Predicted risks of choosing among mixtures, among generators alone, and of real rows only.
        Each row is judged by what suits the other folds.
    gain, gain_error : float
        ``risk_alone - risk_mixed``, and its paired standard error.
    better : bool
        Whether the gain exceeds its standard error.
    n_real : int
    reason : str
        The result in one sentence.
    """

    recommended: tuple[SourceShare, ...]
    mixture: tuple[SourceShare, ...]
    alone: tuple[SourceShare, ...]
    risk_mixed: float
    risk_alone: float
    risk_none: float
    gain: float
    gain_error: float
    better: bool
    n_real: int
    reason: str
    provenance: Mapping[str, Provenance] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    question: str = "generators"

    @property
    def ratios(self) -> dict[str, float]:
        """Recommended ratio of every generator."""
        return {share.name: share.ratio for share in self.recommended}

    @property
    def ratio(self) -> float:
        """Recommended rows of all generators together, per real row."""
        return sum(share.ratio for share in self.recommended)

    def without(self, left_out: Mapping[str, str]) -> "SourceMixture":
        """The same with generators that take no part, and why, as shares of 0."""
        none = tuple(SourceShare(name, 0, 0.0, 0.0) for name in left_out)
        said = "".join(f" '{name}' takes no part: {why}" for name, why in left_out.items())
        return replace(
            self,
            recommended=(*self.recommended, *none),
            mixture=(*self.mixture, *none),
            alone=(*self.alone, *none),
            left_out={**self.left_out, **left_out},
            reason=f"{self.reason}{said}",
        )


def mix_sources(
    real: Floats,
    real_target: Floats,
    sources: Mapping[str, tuple[Floats, Floats]],
    *,
    evaluation: tuple[Floats, Floats] | None = None,
    max_ratio: float | None = None,
) -> SourceMixture:
    """Find how many rows of each generator predict the least risk together.

    Parameters
    ----------
    real, real_target : ndarray of shape (n, p), (n, q)
        Features and targets of the real rows.
    sources : mapping of str to pair of ndarray
        Features and targets of the rows of each generator, by name.
    evaluation : pair of ndarray, optional
        See `risk_path`.
    max_ratio : float, optional
        Most synthetic rows, of all generators together, per real row.

    Returns
    -------
    SourceMixture

    Raises
    ------
    ConfigError
        There is no generator, or `max_ratio` is negative.
    DataError
        A generator has no rows.

    Examples
    --------
    Two generators that err in opposite directions are better together:

    >>> rng = np.random.default_rng(0)
    >>> def rows(n, shift):
    ...     x = rng.normal(size=(n, 3))
    ...     return x, x @ np.array([[1.0], [2.0], [shift]]) + rng.normal(size=(n, 1))
    >>> real = rows(40, shift=0.0)
    >>> found = mix_sources(*real, {"low": rows(400, -1.5), "high": rows(400, 1.5)})
    >>> found.better, found.ratios["low"] > 1, found.ratios["high"] > 1
    (True, True, True)
    """
    pool = _pool(real, real_target, sources, evaluation)
    most = rows_allowed(len(real), max_ratio)
    alone = single_sources(pool, most)
    require_fit(alone)
    best = alone.best(pool.judged)
    mixed = alone
    if len(sources) > 1:
        # Two starts: from a generator alone, one whose errors would cancel its own is out of reach.
        starts = [alone, all_sources(pool, np.ones(len(sources)), most)]
        mixed = joined([*(descend(pool, start, most) for start in starts)])
    none = alone.where(alone.rows.sum(axis=1) == 0)
    losses = {
        name: candidates.judged(pool)
        for name, candidates in {"mixed": mixed, "alone": alone, "none": none}.items()
    }
    gain, gain_error = paired(losses["alone"], losses["mixed"])
    names, n = list(sources), len(real)
    mixture = _shares(names, mixed.rows[mixed.best(pool.judged)], n)
    single = _shares(names, alone.rows[best], n)
    better = gain > gain_error and sum(share.rows > 0 for share in mixture) > 1
    risks = {name: float(of.mean()) for name, of in losses.items()}
    return SourceMixture(
        recommended=mixture if better else single,
        mixture=mixture,
        alone=single,
        risk_mixed=risks["mixed"],
        risk_alone=risks["alone"],
        risk_none=risks["none"],
        gain=gain,
        gain_error=gain_error,
        better=better,
        n_real=n,
        reason=_reason(mixture, single, risks, gain_error, better),
    )


def adapt_domain(
    target: tuple[Floats, Floats],
    source: tuple[Floats, Floats],
    synthetic: tuple[Floats, Floats],
    *,
    evaluation: tuple[Floats, Floats] | None = None,
) -> SourceMixture:
    """Few rows of the domain that matters, real rows of another one, and synthetic rows.

    A mixture of three: the rows of the target domain judge, each by a fit that leaves it out, and
    the other two are the sources. Both are judged alike: that one of them is real does not matter.

    Parameters
    ----------
    target, source, synthetic : pair of ndarray of shape (n, p), (n, q)
        Features and targets; the features are the same for all.
    evaluation : pair of ndarray, optional
        Further rows of the target domain, to judge instead.

    Returns
    -------
    SourceMixture
        With generators named ``source`` and ``synthetic``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def rows(n, shift):
    ...     x = rng.normal(size=(n, 3))
    ...     return x, x @ np.array([[1.0], [2.0], [shift]]) + rng.normal(size=(n, 1))
    >>> found = adapt_domain(rows(15, 0.0), source=rows(500, 3.0), synthetic=rows(500, 0.1))
    >>> found.ratios["source"] < found.ratios["synthetic"]
    True
    """
    return mix_sources(*target, {"source": source, "synthetic": synthetic}, evaluation=evaluation)


def rows_allowed(n: int, max_ratio: float | None) -> float:
    """Most synthetic rows that `max_ratio` allows beside n real ones."""
    if max_ratio is None:
        return float("inf")
    if not max_ratio >= 0:
        raise ConfigError(f"it is {max_ratio}", option="max_ratio", fix="Set it to 0 or more")
    return max_ratio * n


def require_fit(candidates: Candidates) -> None:
    """Refuse where every fit interpolates: nothing can be judged by leaving rows out."""
    if not len(candidates.added):
        raise DataError(
            "every fit interpolates its rows, so none of them can judge",
            dataset="real",
            fix="Provide more real rows",
        )


def paired(losses: Floats, others: Floats) -> tuple[float, float]:
    """Mean of ``losses - others`` and its standard error."""
    difference = losses - others
    error = np.std(difference, ddof=1) / np.sqrt(len(difference))
    return float(difference.mean()), float(error)


def _pool(
    real: Floats,
    real_target: Floats,
    sources: Mapping[str, tuple[Floats, Floats]],
    evaluation: tuple[Floats, Floats] | None,
) -> Pool:
    if not sources:
        raise ConfigError("it names no generator", option="sources", fix="Name at least one")
    for name, (features, _) in sources.items():
        if not len(features):
            raise DataError("it has no rows", dataset=name, fix="Leave it out")
    return Pool.of((real, real_target), list(sources.values()), evaluation)


def _shares(names: list[str], rows: Floats, n: int) -> tuple[SourceShare, ...]:
    whole = np.rint(rows).astype(np.int64)
    total = n + int(whole.sum())
    return tuple(
        SourceShare(name, int(k), int(k) / n, int(k) / total)
        for name, k in zip(names, whole, strict=True)
    )


def _told(shares: tuple[SourceShare, ...]) -> str:
    parts = [f"{share.ratio:.2f} rows of '{share.name}'" for share in shares if share.rows]
    return " and ".join(parts)


def _reason(
    mixture: tuple[SourceShare, ...],
    alone: tuple[SourceShare, ...],
    risks: Mapping[str, float],
    gain_error: float,
    better: bool,
) -> str:
    relative = (risks["alone"] - risks["mixed"]) / risks["alone"]
    error = gain_error / risks["alone"]
    if better:
        return (
            f"Add {_told(mixture)} for each real row: the predicted error is {relative:.1%} "
            f"(standard error {error:.1%}) lower than with the best generator alone, "
            f"{_told(alone) or 'none of them'}."
        )
    compared = f"by {relative:.1%} (standard error {error:.1%}), which is not significant"
    if not any(share.rows for share in alone):
        return f"Use no synthetic rows: mixing generators is predicted to help {compared}."
    if sum(share.rows > 0 for share in mixture) < 2:
        return f"Add {_told(alone)} for each real row: no mixture of generators has less risk."
    return (
        f"Add {_told(alone)} for each real row: mixing generators does not beat the best of "
        f"them alone; it is predicted to help {compared}."
    )
