"""Cross-fitting: every real row is judged with a generator that was fitted without it.

A generator that can be fitted and sampled makes the honest judgement possible without putting rows
aside: for each fold of the real rows it is fitted to the others, and the mixes of the others with
its rows are judged by the fold.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.errors import DataError, SynthMixError
from synthmix_dagster.ratio.path import RiskPath, risk_path
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.seeds import rng_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Fits of the generator.
FOLDS = 5


class Generator(Protocol):
    """What can be cross-fitted; SDV's synthesizers, for one, have both methods."""

    def fit(self, data: pd.DataFrame, /) -> Any:
        """Learn from real rows, forgetting all earlier ones."""

    def sample(self, rows: int, /) -> Any:
        """Return so many synthetic rows as a DataFrame with the columns of the real ones."""


def cross_fitted_path(
    sample: EncodedSample,
    transform: Callable[[Floats], Floats],
    generator: Generator,
    counts: Ints,
    *,
    seed: int,
) -> RiskPath:
    """Predict the risk at every count, each real row judged with a generator that never saw it.

    Each fold is judged by fits to four fifths of the real rows and of the synthetic ones, so that
    ratios are kept; with all rows the risks are slightly lower.

    Parameters
    ----------
    sample : EncodedSample
        Its synthetic rows take no part.
    transform : callable
        From points of shape (n_rows, d) to features of shape (n_rows, p).
    generator : Generator
        Is fitted `FOLDS` times; what it was fitted to before is lost.
    counts : ndarray of int
        Synthetic rows beside all n real ones.
    seed : int
        Draws the folds.

    Returns
    -------
    RiskPath
        With the losses of all real rows in their own order.

    Raises
    ------
    DataError
        The generator fails, or what it returns cannot be encoded as the real rows.
    """
    n = sample.n
    frame = sample.frames["real"]
    features, targets = sample.side("real", transform(sample.points["real"]))
    order = rng_of(seed, "cross-fitting").permutation(n)
    losses = np.empty((len(counts), n))
    risks, ridges = np.zeros(len(counts)), np.zeros(len(counts))
    for fold in range(min(FOLDS, n)):
        left_out = np.sort(order[fold::FOLDS])
        kept = np.setdiff1d(np.arange(n), left_out)
        scaled = np.rint(np.asarray(counts) * len(kept) / n).astype(np.int64)
        rows = _generated(generator, frame.iloc[kept], max(int(scaled.max()), 1), sample)
        path = risk_path(
            features[kept],
            targets[kept],
            *sample.weighted(
                transform(sample.encoder.transform(rows)), sample.code.encode(rows, "synthetic")
            ),
            scaled,
            evaluation=(features[left_out], targets[left_out]),
        )
        losses[:, left_out] = path.losses
        risks += path.risks * len(left_out) / n
        ridges += path.ridges * len(left_out) / n
    return RiskPath(counts=counts, risks=risks, ridges=ridges, losses=losses)


def _generated(
    generator: Generator, kept: pd.DataFrame, rows: int, sample: EncodedSample
) -> pd.DataFrame:
    """Rows of a generator that was fitted to some of the real ones."""
    try:
        generator.fit(kept.reset_index(drop=True))
        made = generator.sample(rows)
    except SynthMixError:
        raise
    except Exception as error:
        raise DataError(
            f"the generator {type(generator).__name__} failed on {len(kept)} real rows ({error})",
            dataset="synthetic",
            fix="Pass one with fit(frame) and sample(rows) that can be fitted again and again",
        ) from cause_of(error)
    if not isinstance(made, pd.DataFrame) or len(made) != rows:
        found = f"{len(made)} rows" if isinstance(made, pd.DataFrame) else type(made).__name__
        raise DataError(
            f"the generator {type(generator).__name__} returned {found} where a DataFrame of "
            f"{rows} was asked for",
            dataset="synthetic",
            fix="Let its sample(rows) return so many rows as a DataFrame",
        )
    sample.encoder.require(made, "synthetic")
    return made
