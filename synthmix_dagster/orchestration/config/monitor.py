"""Settings of a drift monitor on its own."""

import dagster as dg
from pydantic import field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.orchestration.config.base import below_root, writable_root
from synthmix_dagster.orchestration.config.dataset import DatasetConfig, an_asset
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.config.measuring import SampleConfig
from synthmix_dagster.orchestration.config.orchestration import AppearanceConfig


class MonitorConfig(AppearanceConfig, SampleConfig, DriftConfig):
    """Everything a user may set for a monitor.

    The attributes of `DriftConfig`, `SampleConfig` and `AppearanceConfig` are options as well.

    Attributes
    ----------
    name : str
        Name of the monitor; its asset is ``<key_prefix>/<name>/distribution_distance``.
    real, synthetic : DatasetConfig, optional
        The datasets; at least one. A single dataset is compared with its own past. The rows of a
        query or a table are unloaded once a batch, to a temporary folder.
    output_root : str
        Directory in which the reference samples are stored, or a URI such as ``s3://bucket/mixes``.
    storage : str, optional
        Key of a `SynthMixStorage` resource, by which an object store at `output_root` is reached;
        by default credentials come from the environment of the step.
    output : str, optional
        Folder of this monitor below `output_root`, by default its key prefix and name.
    threshold : float, optional
        Batches with a larger gap are excluded from the references.
    """

    output_root: str
    storage: str | None = None
    real: DatasetConfig | None = None
    synthetic: DatasetConfig | None = None
    output: str | None = None
    threshold: float | None = None

    _an_asset = field_validator("real", "synthetic", mode="before")(an_asset)
    _below = field_validator("output")(below_root)
    _writable = field_validator("output_root")(writable_root)

    @model_validator(mode="after")
    def _something_to_watch(self) -> Self:
        if not self.sides:
            raise ValueError("no dataset to monitor. Set 'real', 'synthetic' or both")
        if self.threshold is not None and len(self.sides) < 2:
            raise ValueError(
                "'threshold' limits the gap between two datasets. Set both 'real' and 'synthetic'"
            )
        return self

    @property
    def sides(self) -> dict[str, DatasetConfig]:
        """The datasets that are watched, by name."""
        named = {"real": self.real, "synthetic": self.synthetic}
        return {name: side for name, side in named.items() if side is not None}

    @property
    def storages(self) -> list[str]:
        """Keys of the resources by which object stores are reached."""
        keys = [self.storage, *(side.storage for side in self.sides.values())]
        return [key for key in dict.fromkeys(keys) if key is not None]

    @property
    def connections(self) -> list[str]:
        """Keys of the resources by which warehouses are reached."""
        keys = [side.connection for side in self.sides.values()]
        return [key for key in dict.fromkeys(keys) if key is not None]

    @property
    def asset_key(self) -> dg.AssetKey:
        """Key of the asset that keeps the history."""
        return dg.AssetKey([*self.key_prefix, self.name, "distribution_distance"])
