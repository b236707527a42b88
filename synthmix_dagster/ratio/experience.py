"""What happened on other datasets: the prior of the posterior rule, and how it is learned.

A case is a dataset, a generator and a number of real rows for which the true risk curve is known
from test rows, beside what the judge saw of it. Of all cases only moments are kept, by number of
real rows, with every dataset counted once: numbers from which no row can be recovered, and which
add up, so a team's own cases join those that the package comes with.

The prior is a smooth function of the number of real rows n: its mean is linear in ``1 / sqrt(n)``,
its covariance the same for all, and what the judge gets wrong beyond the noise of its rows falls:
its variance, and the square of its bias, as ``n ** -DECAY``. So with many rows the evidence decides
alone.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.data.opening import read_file
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.evidence import Evidence
from synthmix_dagster.ratio.options import Learner
from synthmix_dagster.ratio.posterior import KNOTS, Prior
from synthmix_dagster.redaction import cause_of, without_secrets

Floats = NDArray[np.float64]

#: Power of n with which the variance of the judge's own error falls.
DECAY = 1.5
#: Number of real rows at which that error is stated.
_UNIT = 100.0
#: The files that the package comes with, by the learner whose curves they are about.
SHIPPED: dict[Learner, Path] = {
    "kernel": Path(__file__).with_name("experience.json"),
    "trees": Path(__file__).with_name("experience_trees.json"),
}


@dataclass(frozen=True, eq=False)
class Case:
    """A risk curve that is known, and what the judge saw of it.

    Attributes
    ----------
    dataset : str
        Real data; all cases of a dataset together count as one.
    generator : str
    n : int
        Real rows.
    evidence : Evidence
    truth : ndarray of shape (n_knots,)
        Logarithm of the true risk at `KNOTS` over that without synthetic rows; NaN where unknown.
    """

    dataset: str
    generator: str
    n: int
    evidence: Evidence
    truth: Floats

    @classmethod
    def measured(
        cls,
        dataset: str,
        generator: str,
        n: int,
        evidence: Evidence,
        *,
        ratios: Sequence[float],
        errors: Sequence[float],
    ) -> "Case":
        """A case from test errors at a few ratios, linear in ``log(ratio + 0.05)`` between them.

        Parameters
        ----------
        dataset, generator : str
        n : int
            Real rows.
        evidence : Evidence
        ratios : sequence of float
            Synthetic rows per real row, increasing from 0.
        errors : sequence of float
            Error on test rows after training on such a mix, positive; above the last ratio the
            curve is unknown.

        Raises
        ------
        DataError
            The errors do not start without synthetic rows, or are not positive.
        """
        at, values = np.asarray(ratios, dtype=float), np.asarray(errors, dtype=float)
        if len(at) < 2 or at[0] != 0 or np.any(np.diff(at) <= 0) or not np.all(values > 0):
            raise DataError(
                f"test errors {values.tolist()} at ratios {at.tolist()}",
                dataset=dataset,
                fix="Give positive errors at increasing ratios, the first of them 0",
            )
        knots = np.array(KNOTS)
        truth = np.interp(np.log(knots + 0.05), np.log(at + 0.05), np.log(values / values[0]))
        return cls(dataset, generator, n, evidence, np.where(knots <= at[-1], truth, np.nan))

    @property
    def error(self) -> Floats:
        """What the judge got wrong, of shape (n_knots,); NaN where it or the truth is unknown."""
        error, at = np.full(len(KNOTS), np.nan), self._seen
        error[at] = self.evidence.values[: len(at)] - self.truth[at]
        return error

    @property
    def noise(self) -> Floats:
        """Covariance of the evidence, of shape (n_knots, n_knots); NaN where there is none."""
        noise, at = np.full((len(KNOTS), len(KNOTS)), np.nan), self._seen
        noise[np.ix_(at, at)] = self.evidence.noise[: len(at), : len(at)]
        return noise

    @property
    def complete(self) -> bool:
        """Whether truth and evidence are known at every knot."""
        return bool(np.all(np.isfinite(self.error)))

    @property
    def _seen(self) -> NDArray[np.int64]:
        """Knots at which there is evidence: a last count between two knots is at neither."""
        rows = self.evidence.ratios * self.n
        wanted = np.rint(np.array(KNOTS[: len(rows)]) * self.n)
        return np.flatnonzero(np.abs(rows[: len(wanted)] - wanted) < 0.5)


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums over the cases of one number of real rows.

    Attributes
    ----------
    n : int
        Real rows.
    weight : float
        Datasets; one with several numbers of real rows is divided among them.
    truth, error : ndarray of shape (n_knots,)
        Of the true curve, and of what the judge got wrong.
    truth_square, error_square, noise : ndarray of shape (n_knots, n_knots)
        Of their outer products, and of the covariance of the evidence.
    """

    n: int
    weight: float
    truth: Floats
    truth_square: Floats
    error: Floats
    error_square: Floats
    noise: Floats


@dataclass(frozen=True, eq=False)
class Experience:
    """Moments of all cases, and where they come from.

    Attributes
    ----------
    version : int
        Of the file that the package comes with.
    datasets : tuple of str
        Every dataset counts once.
    pairs, cases : int
        Datasets with a generator, and numbers of real rows and draws of these.
    source : str
        What was measured, and the command that makes it again.
    level : float
        Probability mass of the interval that held the best ratio in nine of ten cases of datasets
        that were left out.
    moments : tuple of Moments
        By number of real rows.
    learner : {"kernel", "trees"}
        Whose curves they are, and whose judge.
    """

    version: int
    datasets: tuple[str, ...]
    pairs: int
    cases: int
    source: str
    level: float
    moments: tuple[Moments, ...]
    learner: Learner = "kernel"

    def prior(self, n: int) -> Prior:
        """What is known before n real rows are seen.

        Below the fewest rows of any case it stays as it is there.
        """
        weights = np.array([each.weight for each in self.moments])
        sizes = np.array([each.n for each in self.moments], dtype=float)
        weights, rarity = weights / weights.sum(), np.sqrt(_UNIT / sizes)
        center = weights @ rarity
        means = np.array([each.truth / each.weight for each in self.moments])
        mean = weights @ means
        spread = weights @ (rarity - center) ** 2
        slope = (weights * (rarity - center)) @ means / spread if spread > 1e-12 else 0.0 * mean
        at = max(float(n), sizes.min())
        shrunk = (_UNIT / sizes) ** DECAY
        covariance = np.zeros((len(KNOTS), len(KNOTS)))
        error, bias = np.zeros_like(covariance), np.zeros(len(KNOTS))
        for i, each in enumerate(self.moments):
            fitted = mean + (rarity[i] - center) * slope
            crossed = np.outer(each.truth / each.weight, fitted)
            covariance += weights[i] * (
                each.truth_square / each.weight - crossed - crossed.T + np.outer(fitted, fitted)
            )
            # Least squares: with many rows there is little error beside the noise to learn from.
            bias += weights[i] * np.sqrt(shrunk[i]) * each.error / each.weight
            error += weights[i] * shrunk[i] * (each.error_square - each.noise) / each.weight
        bias, error = bias / (weights @ shrunk), error / (weights @ shrunk**2)
        now = (_UNIT / at) ** DECAY
        return Prior(
            mean=mean + (np.sqrt(_UNIT / at) - center) * slope,
            covariance=_positive(covariance),
            bias=bias * np.sqrt(now),
            error=_positive(error - np.outer(bias, bias)) * now,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values."""
        values = vars(self).copy()
        if self.learner == "kernel":
            # What was learned before there were others has no learner, and keeps its digest.
            del values["learner"]
        return {
            **values,
            "moments": [
                {
                    name: np.round(value, 6).tolist() if isinstance(value, np.ndarray) else value
                    for name, value in vars(each).items()
                }
                for each in self.moments
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Experience":
        """Rebuild an experience from `to_dict`."""
        moments = []
        for each in values["moments"]:
            read: dict[str, Any] = {
                name: np.array(value) if isinstance(value, list) else value
                for name, value in each.items()
            }
            moments.append(Moments(**read))
        return cls(**{**values, "datasets": tuple(values["datasets"]), "moments": tuple(moments)})

    @property
    def digest(self) -> str:
        """First 16 digits of the SHA-256 of the numbers: which table stood behind an answer."""
        numbers = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(numbers.encode("utf-8")).hexdigest()[:16]

    @classmethod
    def read(cls, path: Path | str) -> "Experience":
        """Read a file that holds `to_dict` as JSON, by its path or its URI.

        Raises
        ------
        ConfigError
            There is no such file, or it holds something else.
        """
        try:
            return cls.from_dict(json.loads(read_file(path).decode("utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"'{without_secrets(str(path))}' cannot be read as an experience ({error})",
                option="experience",
                fix="Make the file with `synthmix learn PAIRS --output FILE`",
            ) from cause_of(error)

    def to_json(self) -> str:
        """Return what the file of it holds."""
        return json.dumps(self.to_dict(), indent=1) + "\n"


@cache
def shipped_experience(learner: Learner = "kernel") -> Experience:
    """The experience that the package comes with, of the kernel or of trees.

    Examples
    --------
    >>> prior = shipped_experience().prior(400)
    >>> prior.mean.shape, prior.covariance.shape
    ((8,), (8, 8))
    """
    return Experience.read(SHIPPED[learner])


def learn_experience(
    cases: Iterable[Case],
    *,
    base: Experience | None = None,
    source: str = "",
    level: float = 0.9,
    learner: Learner = "kernel",
) -> Experience:
    """Learn the prior from cases whose truth is known, every dataset counted once.

    What is unknown of a case, such as ratios for which there were too few rows, is filled in by
    what the complete cases, or `base`, make of the rest of it, its uncertainty included.

    Parameters
    ----------
    cases : iterable of Case
    base : Experience, optional
        To add the cases to, such as `shipped_experience`.
    source : str
        What was measured, and the command that makes it again.
    level : float
        See `Experience`; of `base` where there is one.
    learner : {"kernel", "trees"}
        Whose curves the cases know, which is that of `base` where there is one.

    Returns
    -------
    Experience

    Raises
    ------
    DataError
        There are no cases, none is complete where there is no `base`, or `base` already holds one
        of the datasets.
    """
    cases = list(cases)
    complete = [case for case in cases if case.complete]
    if base is None and not complete:
        raise DataError(
            f"{len(cases)} cases, none of which is known at every ratio of {KNOTS}",
            dataset="cases",
            fix="Measure test errors up to the highest ratio, or pass `base=shipped_experience()`",
        )
    twice = sorted({case.dataset for case in cases} & set(base.datasets if base else ()))
    if twice:
        raise DataError(
            f"the experience to add to already holds {', '.join(twice)}",
            dataset="cases",
            fix="Leave these out: a dataset that counts twice gets twice the weight",
        )
    guess = base
    if guess is None and len(complete) < len(cases):
        guess = _summed(complete, None)
    learned = _summed(cases, guess)
    pairs = len({(case.dataset, case.generator) for case in cases})
    known = base.moments if base else ()
    return Experience(
        version=base.version if base else 1,
        datasets=(*(base.datasets if base else ()), *learned.datasets),
        pairs=pairs + (base.pairs if base else 0),
        cases=len(cases) + (base.cases if base else 0),
        source="; ".join(part for part in (base.source if base else "", source) if part),
        level=base.level if base else level,
        moments=_joined((*known, *learned.moments)),
        learner=base.learner if base else learner,
    )


def _summed(cases: Sequence[Case], guess: Experience | None) -> Experience:
    """Moments of the cases alone."""
    shares = Counter(case.dataset for case in cases)
    moments = []
    for case in cases:
        share = 1 / shares[case.dataset]
        truth, error, noise = case.truth, case.error, case.noise
        truth_spread = error_spread = np.zeros((len(KNOTS), len(KNOTS)))
        if guess is not None and not case.complete:
            prior = guess.prior(case.n)
            truth, truth_spread = _filled(truth, prior.mean, prior.covariance)
            # The noise of what was not seen is that of no rows: none is known, none is taken off.
            unseen = np.isnan(noise)
            noise = np.where(unseen, 0.0, noise)
            error, error_spread = _filled(error, prior.bias, prior.error + noise)
        moments.append(
            Moments(
                n=case.n,
                weight=share,
                truth=share * truth,
                truth_square=share * (np.outer(truth, truth) + truth_spread),
                error=share * error,
                error_square=share * (np.outer(error, error) + error_spread),
                noise=share * noise,
            )
        )
    return Experience(1, tuple(sorted(shares)), 0, len(cases), "", 0.9, _joined(moments))


def _joined(moments: Iterable[Moments]) -> tuple[Moments, ...]:
    """Add up the moments of each number of real rows."""
    by_size = defaultdict(list)
    for each in moments:
        by_size[each.n].append(vars(each))
    return tuple(
        Moments(**{**{name: sum(each[name] for each in group) for name in group[0]}, "n": n})
        for n, group in sorted(by_size.items())
    )


def _filled(values: Floats, mean: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Fill in NaN by their expectation given the other values; and the covariance left to them."""
    unknown, known = np.isnan(values), ~np.isnan(values)
    across = covariance[np.ix_(unknown, known)]
    gain = across @ np.linalg.pinv(covariance[np.ix_(known, known)], hermitian=True)
    filled, spread = values.copy(), np.zeros_like(covariance)
    filled[unknown] = mean[unknown] + gain @ (values - mean)[known]
    spread[np.ix_(unknown, unknown)] = covariance[np.ix_(unknown, unknown)] - gain @ across.T
    return filled, spread


def _positive(matrix: Floats) -> Floats:
    """The nearest matrix that is a covariance."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    nearest: Floats = (vectors * np.maximum(values, 1e-8)) @ vectors.T
    return nearest
