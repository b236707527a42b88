"""The answer to "how far": one frozen result that gates, metadata and plots read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ColumnGap:
    """What one column has to do with the gap.

    Attributes
    ----------
    column : str
        Name in the user's data.
    part : float
        Its part of the squared gap; the parts of all columns sum to ``gap_squared``.
    gap : float
        Debiased, signed W2 of this column by itself, in real standard deviations.
    real_missing, synthetic_missing : float
        Shares of missing values.
    """

    column: str
    part: float
    gap: float
    real_missing: float
    synthetic_missing: float


@dataclass(frozen=True)
class DistanceReport:
    """How far the synthetic rows are from the real ones.

    Attributes
    ----------
    gap : float
        Debiased Wasserstein-2 distance with the sign of its square, in real standard deviations.
        Negative means indistinguishable at this sample size.
    gap_squared : float
        The debiased square itself; this is the unbiased quantity.
    gap_per_column : float
        ``gap / sqrt(dimension)``.
    floor : float
        What two folds of the real rows show by chance: nobody gets below it without debiasing.
    p_value : float
        Share of random relabellings that are at least as far apart.
    interval : tuple of float
        95 % confidence interval of the gap.
    columns : tuple of ColumnGap
        What every column contributes, the largest part first.
    dimension : int
        Number of encoded coordinates.
    method : str
        Estimator used.
    directions, permutations : int
        Size of the computation.
    n_real, n_synthetic : int
        Rows measured.
    seed : int
        Seed of directions, folds and relabellings.
    notes : tuple of str
        What a reader has to know: columns left out, levels unseen, rows sampled.
    """

    gap: float
    gap_squared: float
    gap_per_column: float
    floor: float
    p_value: float
    interval: tuple[float, float]
    columns: tuple[ColumnGap, ...]
    dimension: int
    method: str
    directions: int
    permutations: int
    n_real: int
    n_synthetic: int
    seed: int
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"DistanceReport(gap={self.gap:.3f}, interval=({low:.3f}, {high:.3f}), "
            f"floor={self.floor:.3f}, p_value={self.p_value:.3g}, n_real={self.n_real}, "
            f"n_synthetic={self.n_synthetic}, worst={[c.column for c in self.columns[:3]]})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DistanceReport":
        """Rebuild a report from `to_dict`."""
        low, high = values["interval"]
        return cls(
            **{
                **values,
                "interval": (low, high),
                "columns": tuple(ColumnGap(**c) for c in values["columns"]),
                "notes": tuple(values["notes"]),
            }
        )
