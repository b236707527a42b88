"""What a user may set for one mix, validated in one place for both front doors.

No pydantic constraints on the fields: Dagster derives the YAML model from them, in which every
field may also be a template string. The validators run after templates are filled in.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import field_validator, model_validator

from synthmix_dagster.drift_config import DriftConfig
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.settings import (
    Settings,
    below_root,
    local_folder,
    plain_name,
    validated,
    weights_above_zero,
)
from synthmix_dagster.tables.dataset import Dataset, open_dataset
from synthmix_dagster.tables.disk import inside
from synthmix_dagster.tables.records import Records
from synthmix_dagster.tables.view import View

ROLES = ("real", "synthetic", "distribution_distance", "optimal_ratio", "training_data")


class DatasetConfig(Settings):
    """Where one dataset comes from: files, or an asset that exists already.

    Attributes
    ----------
    path : str, optional
        A file, a folder (also a Hive-partitioned one) or a glob of Parquet, Arrow, CSV or JSON
        lines, or a URI of one, such as ``s3://bucket/folder``.
    asset : asset key, optional
        An existing asset, loaded through its own I/O manager.
    deps : sequence of asset key
        Assets that write the files at `path`, for lineage.
    columns : sequence of str, optional
        Columns to keep, by the names they have there; all by default.
    rename : mapping of str to str
        New names of columns.
    filters : sequence
        Conditions such as ``[year, ">=", 2024]`` that a row has to meet, by the names there; a list
        of lists of them is several groups, one of which has to be met.
    """

    path: str | None = None
    asset: dg.ResolvedAssetKey | None = None
    deps: Sequence[dg.ResolvedAssetKey] = ()
    columns: Sequence[str] | None = None
    rename: Mapping[str, str] = {}
    filters: Sequence[Any] = ()

    @field_validator("asset", mode="before")
    @classmethod
    def _asset_key(cls, value: Any) -> Any:
        return None if value is None else dg.AssetKey.from_coercible(_split(value))

    @field_validator("deps", mode="before")
    @classmethod
    def _dep_keys(cls, value: Any) -> Any:
        keys = [value] if isinstance(value, str | dg.AssetKey) else value
        return [dg.AssetKey.from_coercible(_split(key)) for key in keys]

    @model_validator(mode="after")
    def _one_source(self) -> "DatasetConfig":
        if (self.path is None) == (self.asset is None):
            raise ValueError("set exactly one of 'path' and 'asset'")
        if self.deps and self.path is None:
            raise ValueError("'deps' goes with 'path'; an 'asset' brings its own lineage")
        return self

    @model_validator(mode="after")
    def _view_can_be_read(self) -> "DatasetConfig":
        # What is wrong with a condition is said when the project loads, not when a run starts.
        try:
            View.of(self.columns, self.rename, self.filters)
        except ConfigError as error:
            raise ValueError(f"{error.problem}. {error.fix}") from None
        return self

    def open(self, source: Any, name: str) -> Dataset:
        """Open a path or a frame as these settings want it seen."""
        return open_dataset(
            source, name, columns=self.columns, rename=self.rename, filters=self.filters
        )


class ScheduleConfig(Settings):
    """When to run the whole mix.

    Attributes
    ----------
    cron : str
        Five-field cron expression.
    timezone : str
    """

    cron: str
    timezone: str = "UTC"


class MixConfig(Settings):
    """Everything a user may set for one mix.

    Attributes
    ----------
    name : str
        Name of the mix; its assets are ``<key_prefix>/<name>/<role>``.
    real, synthetic : DatasetConfig
        The two datasets.
    target : str
        Label column.
    task : {"regression", "classification"}
    threshold : float
        Largest gap that may be released, in real standard deviations.
    conditional_threshold : float, optional
        Largest conditional gap that may be released: how far the target moved for given inputs.
    output_root : str
        Directory below which everything is written.
    output : str, optional
        Folder of this mix below `output_root`, by default its key prefix and name. Mixes with the
        same output compete for one ``latest``: whichever passed its gate last holds it.
    categorical, ignore, key : sequence of str
        Columns that are categories although numbers; that are left out of distances; that
        identify a row.
    weights : mapping of str to float
        Factor on a column's part of every squared distance, 1 by default.
    scaling : {"standard", "robust", "rank"}
        What makes numbers comparable.
    groups : str, optional
        Column whose rows belong together, such as a session or a day.
    method : {"sliced", "exact", "sinkhorn", "gaussian"}
        Estimator of the distance.
    p : {1, 2}
        Order of the distance.
    rows : {"sample", "all"}
        Whether the gap is that of the sample or of every row.
    stratify : str, optional
        Column whose shares among the synthetic rows the mix keeps.
    mode : {"rows", "weights"}
        Take the recommended number of synthetic rows, or all with a ``sample_weight``.
    max_rows : int, optional
        Most rows of a release; synthetic ones make room.
    provenance : bool
        Whether every row of a release says its source, its generator and its identity.
    keep_releases : int, optional
        Releases to keep, all by default.
    max_ratio : float, optional
        Highest ratio to consider.
    rule : {"largest_equivalent", "best", "smallest_equivalent"}
        Which of the equivalent ratios to take.
    learner : {"kernel", "linear", "trees"}
        Whose risk is predicted.
    evaluation : DatasetConfig, optional
        Real rows that are in no other dataset and that the generator never saw; they judge the
        risk.
    evaluation_column : str, optional
        Boolean column of `real` that marks such rows; they take part in nothing else.
    generator_saw_real : bool, optional
        Whether the generator was fitted on the real rows.
    sample_rows, directions, permutations, memory_mb : int
        Size of the computation, and the most memory to plan for in MB.
    rows_per_shard : int
        Rows in one Parquet file of a release.
    seed : int
        Seed of everything random.
    key_prefix : sequence of str
    group_name : str, optional
        By default the name of the mix.
    owners : sequence of str
    tags : mapping of str to str
    schedule : ScheduleConfig, optional
    drift : DriftConfig, optional
        Watches the gap, the generator and the real data for drift; adds the check ``drift``.
    """

    name: str
    real: DatasetConfig
    synthetic: DatasetConfig
    target: str
    task: Literal["regression", "classification"]
    threshold: float
    output_root: str
    conditional_threshold: float | None = None
    output: str | None = None
    categorical: Sequence[str] = ()
    ignore: Sequence[str] = ()
    key: Sequence[str] = ()
    weights: Mapping[str, float] = {}
    scaling: Literal["standard", "robust", "rank"] = "standard"
    groups: str | None = None
    method: Literal["sliced", "exact", "sinkhorn", "gaussian"] = "sliced"
    p: int = 2
    rows: Literal["sample", "all"] = "sample"
    stratify: str | None = None
    mode: Literal["rows", "weights"] = "rows"
    max_rows: int | None = None
    provenance: bool = True
    keep_releases: int | None = None
    max_ratio: float | None = None
    rule: Literal["largest_equivalent", "best", "smallest_equivalent"] = "largest_equivalent"
    learner: Literal["kernel", "linear", "trees"] = "kernel"
    evaluation: DatasetConfig | None = None
    evaluation_column: str | None = None
    generator_saw_real: bool | None = None
    sample_rows: int = 20_000
    directions: int = 100
    permutations: int = 199
    memory_mb: int = 1_000
    rows_per_shard: int = 1_000_000
    seed: int = 0
    key_prefix: Sequence[str] = ()
    group_name: str | None = None
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = {}
    schedule: ScheduleConfig | None = None
    drift: DriftConfig | None = None

    @field_validator("categorical", "ignore", "key", "key_prefix", "owners", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        return plain_name(value)

    @field_validator("threshold", "conditional_threshold", "max_ratio", "seed", "permutations")
    @classmethod
    def _not_negative(cls, value: float | None) -> float | None:
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"it is {value}. Set it to a number of 0 or more")
        return value

    @field_validator(
        "sample_rows", "directions", "memory_mb", "rows_per_shard", "max_rows", "keep_releases"
    )
    @classmethod
    def _positive(cls, value: int | None) -> int | None:
        if value is not None and value < 1:
            raise ValueError(f"it is {value}. Set it to 1 or more")
        return value

    @field_validator("p")
    @classmethod
    def _one_or_two(cls, value: int) -> int:
        if value not in (1, 2):
            raise ValueError(f"it is {value}. Set it to 1 or 2")
        return value

    @field_validator("weights")
    @classmethod
    def _above_zero(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        return weights_above_zero(value)

    @field_validator("output_root")
    @classmethod
    def _is_local(cls, value: str) -> str:
        return local_folder(value)

    @field_validator("output")
    @classmethod
    def _stays_below(cls, value: str | None) -> str | None:
        return below_root(value)

    @model_validator(mode="after")
    def _target_takes_part(self) -> "MixConfig":
        for option in ("ignore", "key"):
            if self.target in getattr(self, option):
                raise ValueError(
                    f"the target '{self.target}' is also in '{option}'. Leave it out there: a gate "
                    "that does not look at labels cannot see wrong ones"
                )
        return self

    @model_validator(mode="after")
    def _one_judge(self) -> "MixConfig":
        if self.evaluation is not None and self.evaluation_column is not None:
            raise ValueError("set at most one of 'evaluation' and 'evaluation_column'")
        return self

    def asset_key(self, role: str) -> dg.AssetKey:
        """Key of one of the five assets; a dataset given by key keeps its own."""
        if role in ("real", "synthetic"):
            existing = self.dataset(role).asset
            if existing is not None:
                return existing
        return dg.AssetKey([*self.key_prefix, self.name, role])

    def dataset(self, role: str) -> DatasetConfig:
        """Settings of the real, the synthetic or the evaluation dataset, which has to be there."""
        found: DatasetConfig = getattr(self, role)
        return found

    @property
    def qualified_name(self) -> str:
        """Name with its key prefix, which tells mixes of one name apart."""
        return "/".join([*self.key_prefix, self.name])

    @property
    def output_folder(self) -> Path:
        """Directory that holds this mix's ``releases`` and ``latest``.

        Raises
        ------
        ReleaseError
            A link leads it out of `output_root`.
        """
        return inside(Path(self.output_root).expanduser(), self.output or self.qualified_name)

    @property
    def gates(self) -> dict[str, float]:
        """Threshold of every gate that is set, by the name of its check."""
        gates = {"wasserstein_gap": self.threshold}
        if self.conditional_threshold is not None:
            gates["conditional_gap"] = self.conditional_threshold
        return gates

    @property
    def records(self) -> Records:
        """What the assets of this mix leave for each other."""
        return Records(self.output_folder, self.qualified_name)

    @property
    def references(self) -> Path:
        """Directory that holds the reference samples of this mix."""
        return inside(inside(self.output_folder, "references"), self.qualified_name)

    def observe_options(self) -> dict[str, Any]:
        """Options of an observer of drift."""
        options = self.measure_options()
        categorical = [*self.categorical, *([self.target] if self.task == "classification" else [])]
        names = (
            "ignore",
            "key",
            "weights",
            "scaling",
            "groups",
            "sample_rows",
            "directions",
            "seed",
        )
        return {"categorical": categorical, **{name: options[name] for name in names}}

    def shared_options(self) -> dict[str, Any]:
        """Options shared by measuring and recommending, as plain values."""
        return {
            "target": self.target,
            "task": self.task,
            "categorical": list(self.categorical),
            "ignore": list(self.ignore),
            "key": list(self.key),
            "weights": dict(self.weights),
            "scaling": self.scaling,
            "sample_rows": self.sample_rows,
            "seed": self.seed,
        }

    def measure_options(self) -> dict[str, Any]:
        """Options of `measure_distance`."""
        return {
            **self.shared_options(),
            "groups": self.groups,
            "method": self.method,
            "p": self.p,
            "rows": self.rows,
            "directions": self.directions,
            "permutations": self.permutations,
            "memory_mb": self.memory_mb,
        }

    def mix_options(self) -> dict[str, Any]:
        """Options of `mix_datasets`."""
        return {
            "output": self.output_folder,
            "mode": self.mode,
            "seed": self.seed,
            "stratify": self.stratify,
            "key": list(self.key),
            "optional": [*self.ignore, *self.key],
            "max_rows": self.max_rows,
            "provenance": self.provenance,
            "rows_per_shard": self.rows_per_shard,
            "keep_releases": self.keep_releases,
        }

    def recommend_options(self) -> dict[str, Any]:
        """Options of `recommend_ratio`."""
        return {
            **self.shared_options(),
            "ignore": [*self.ignore, *([self.groups] if self.groups else [])],
            "max_ratio": self.max_ratio,
            "rule": self.rule,
            "learner": self.learner,
            "generator_saw_real": self.generator_saw_real,
        }


def mix_config(**options: Any) -> MixConfig:
    """Validate options given in Python.

    Raises
    ------
    ConfigError
        The first option that is wrong, what is wrong with it and how to mend it.

    Examples
    --------
    >>> mix_config(nane="flights")
    Traceback (most recent call last):
    ...
    synthmix_dagster.errors.ConfigError: option 'nane': unknown option 'nane'. Did you mean 'name'?
    """
    return validated(MixConfig, options, "mix")


def _split(key: Any) -> Any:
    """Read ``"a/b"`` as a key of two parts, as Dagster's YAML does."""
    return key.split("/") if isinstance(key, str) else key
