"""How a distance is measured: the options that a mix, a monitor and checks alone share.

Types, defaults, descriptions and limits are those of the options of the verbs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.distance.options import DistanceOptions, Method, Rows
from synthmix_dagster.encoding.options import Columns, SampleOptions, Scaling
from synthmix_dagster.orchestration.config.base import Settings


class SampleConfig(Settings, described_by=(Columns, DistanceOptions)):
    """Which rows and columns are compared, and on what scale: `Columns` and `SampleOptions`."""

    categorical: Sequence[str] = Columns.categorical
    ignore: Sequence[str] = Columns.ignore
    key: Sequence[str] = Columns.key
    weights: Mapping[str, float] = {}
    scaling: Scaling = Columns.scaling
    groups: str | None = Columns.groups
    embed: Mapping[str, str] = {}
    sample_rows: int = SampleOptions.sample_rows
    directions: int = DistanceOptions.directions
    seed: int = SampleOptions.seed

    @field_validator("categorical", "ignore", "key", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _options_are_valid(self) -> Self:
        # Both refuse what is wrong when they are made.
        _ = self.columns, self.distance_options
        return self

    @property
    def columns(self) -> Columns:
        """Which columns take part, as what, and on what scale."""
        return Columns(
            categorical=tuple(self.categorical),
            ignore=tuple(self.ignore),
            key=tuple(self.key),
            weights=self.weights,
            scaling=self.scaling,
            groups=self.groups,
            embed=self.embed,
        )

    @property
    def distance_options(self) -> DistanceOptions:
        """How the distance is measured."""
        return DistanceOptions(
            sample_rows=self.sample_rows, seed=self.seed, directions=self.directions
        )

    def observe_options(self) -> dict[str, Any]:
        """Keywords of an observer of drift."""
        options = keywords(
            self.columns, SampleOptions(sample_rows=self.sample_rows, seed=self.seed)
        )
        return {**options, "directions": self.directions}


class MeasureConfig(SampleConfig, described_by=(DistanceOptions,)):
    """How a distance is measured: `DistanceOptions`."""

    method: Method = DistanceOptions.method
    # An `Order`; templates in YAML and pydantic know no literal numbers.
    p: int = DistanceOptions.p
    rows: Rows = DistanceOptions.rows
    permutations: int = DistanceOptions.permutations
    memory_mb: int = DistanceOptions.memory_mb

    @property
    def distance_options(self) -> DistanceOptions:
        """How the distance is measured."""
        return DistanceOptions(
            sample_rows=self.sample_rows,
            seed=self.seed,
            method=self.method,
            p=self.p,  # type: ignore[arg-type]
            rows=self.rows,
            directions=self.directions,
            permutations=self.permutations,
            memory_mb=self.memory_mb,
        )


def keywords(*options: Any) -> dict[str, Any]:
    """Options as keywords of a verb, in values that JSON keeps as they are.

    Examples
    --------
    >>> keywords(SampleOptions(seed=3))
    {'sample_rows': 20000, 'seed': 3}
    """
    values = {name: value for each in options for name, value in asdict(each).items()}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
