"""How a distance is measured: the options that a mix, a monitor and checks alone share."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import field_validator

from synthmix_dagster.orchestration.config.base import Settings, weights_above_zero


class SampleConfig(Settings):
    """Which rows and columns are compared, and on what scale.

    Attributes
    ----------
    categorical, ignore, key : sequence of str
        Columns that are categories although numbers; that are left out of distances; that
        identify a row.
    weights : mapping of str to float
        Factor on a column's part of every squared distance, 1 by default.
    scaling : {"standard", "robust", "rank"}
        What makes numbers comparable.
    groups : str, optional
        Column whose rows belong together, such as a session or a day.
    sample_rows, directions : int
        Size of the computation.
    seed : int
        Seed of everything random.
    """

    categorical: Sequence[str] = ()
    ignore: Sequence[str] = ()
    key: Sequence[str] = ()
    weights: Mapping[str, float] = {}
    scaling: Literal["standard", "robust", "rank"] = "standard"
    groups: str | None = None
    sample_rows: int = 20_000
    directions: int = 100
    seed: int = 0

    @field_validator("categorical", "ignore", "key", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("sample_rows", "directions")
    @classmethod
    def _at_least_one(cls, value: int) -> int:
        return at_least(1, value)

    @field_validator("seed")
    @classmethod
    def _no_negative_seed(cls, value: int) -> int:
        return at_least(0, value)

    _weights = field_validator("weights")(weights_above_zero)

    def sample_options(self) -> dict[str, Any]:
        """Options that every verb takes, as plain values."""
        return {
            "categorical": list(self.categorical),
            "ignore": list(self.ignore),
            "key": list(self.key),
            "weights": dict(self.weights),
            "scaling": self.scaling,
            "sample_rows": self.sample_rows,
            "seed": self.seed,
        }


class MeasureConfig(SampleConfig):
    """How a distance is measured.

    Attributes
    ----------
    method : {"sliced", "exact", "sinkhorn", "gaussian"}
        Estimator of the distance.
    p : {1, 2}
        Order of the distance.
    rows : {"sample", "all"}
        Whether the gap is that of the sample or of every row.
    permutations : int
        Behind the p-value and the interval; 0 for neither.
    memory_mb : int
        The most memory to plan for, in MB.
    """

    method: Literal["sliced", "exact", "sinkhorn", "gaussian"] = "sliced"
    p: int = 2
    rows: Literal["sample", "all"] = "sample"
    permutations: int = 199
    memory_mb: int = 1_000

    @field_validator("p")
    @classmethod
    def _one_or_two(cls, value: int) -> int:
        if value not in (1, 2):
            raise ValueError(f"it is {value}. Set it to 1 or 2")
        return value

    @field_validator("permutations")
    @classmethod
    def _no_negative_permutations(cls, value: int) -> int:
        return at_least(0, value)

    @field_validator("memory_mb")
    @classmethod
    def _some_memory(cls, value: int) -> int:
        return at_least(1, value)

    def distance_options(self) -> dict[str, Any]:
        """Options of `measure_distance`, but for the target."""
        return {
            **self.sample_options(),
            "groups": self.groups,
            "method": self.method,
            "p": self.p,
            "rows": self.rows,
            "directions": self.directions,
            "permutations": self.permutations,
            "memory_mb": self.memory_mb,
        }


def at_least(least: int, value: int) -> int:
    """Refuse a number below the least one."""
    if value < least:
        raise ValueError(f"it is {value}. Set it to {least} or more")
    return value
