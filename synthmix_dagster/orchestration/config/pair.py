"""Settings of checks between two existing assets."""

from typing import Literal

from pydantic import field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.orchestration.config.dataset import (
    DatasetConfig,
    an_asset,
    require_placeholders,
)
from synthmix_dagster.orchestration.config.gates import GateConfig
from synthmix_dagster.orchestration.config.measuring import MeasureConfig
from synthmix_dagster.orchestration.config.orchestration import Partitions, partitions_of_mapping


class PairConfig(MeasureConfig, GateConfig):
    """Two assets and the thresholds for the distance between them.

    The attributes of `MeasureConfig` and `GateConfig` are options as well.

    Attributes
    ----------
    synthetic : DatasetConfig or asset key
        The asset to check.
    real : DatasetConfig or asset key
        The asset or files to compare it with.
    target : str, optional
        Label column; `conditional_threshold` and `class_threshold` need it.
    task : {"regression", "classification"}, optional
    partitions_def : PartitionsConfig or PartitionsDefinition, optional
        Partitions of `synthetic`, each compared on its own. Dagster offers partitioned checks as a
        preview and warns about it. Without this setting all partitions are compared together.
    """

    synthetic: DatasetConfig
    real: DatasetConfig
    target: str | None = None
    task: Literal["regression", "classification"] | None = None
    partitions_def: Partitions = None

    _partitions = field_validator("partitions_def", mode="before")(partitions_of_mapping)
    _an_asset = field_validator("real", "synthetic", mode="before")(an_asset)

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if self.synthetic.asset is None:
            raise ValueError("'synthetic' is not an asset. Give the key of the asset to check")
        if self.real.storage is not None:
            raise ValueError("'real' has a 'storage'. Here credentials come from the environment")
        if self.real.generator is not None:
            raise ValueError("'real' has a 'generator'. Give an asset or a path")
        if self.real.is_queried:
            raise ValueError("'real' has a 'query' or a 'table'. Give an asset or a path")
        if self.judged_after_ratio:
            raise ValueError(
                "'threshold' is 'auto', which needs a recommended ratio; these checks have none. "
                "Set it to a number or to '3 x floor'"
            )
        for option in ("conditional_threshold", "class_threshold"):
            if getattr(self, option) is not None and self.target is None:
                raise ValueError(f"'{option}' requires 'target'. Set 'target' as well")
        return self

    @model_validator(mode="after")
    def _placeholders_are_filled(self) -> Self:
        for name in ("real", "synthetic"):
            require_placeholders(name, getattr(self, name), self.partitions_def)
        return self

    @property
    def names(self) -> list[str]:
        """Names of the checks."""
        return [*[gate.name for gate in self.gates], "schema_matches"]

    def at(self, partition: str | None) -> dict[str, DatasetConfig]:
        """Both datasets, for one partition."""
        sides = {"real": self.real, "synthetic": self.synthetic}
        if partition is None:
            return sides
        return {name: source.at(partition, self.partitions_def) for name, source in sides.items()}
