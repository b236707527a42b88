"""What a user may set for one mix, validated in one place for both front doors.

No pydantic constraints on the fields: Dagster derives the YAML model from them, in which every
field may also be a template string. The validators run after templates are filled in.
"""

from typing import Annotated, Any, Literal

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import PrivateAttr, field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.orchestration.config.base import below_root, local_folder
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.config.gates import GateConfig
from synthmix_dagster.orchestration.config.measuring import MeasureConfig, at_least
from synthmix_dagster.orchestration.config.orchestration import OrchestrationConfig

#: Assets of a mix, upstream first.
ROLES = (
    "real",
    "generator_input",
    "synthetic",
    "distribution_distance",
    "optimal_ratio",
    "training_data",
)

#: From an asset of the mix and its role to the asset as it shall appear.
Translation = (
    Annotated[
        TranslationFn[str],
        TranslationFnResolver[str](template_vars_for_translation_fn=lambda role: {"role": role}),
    ]
    | None
)


class MixConfig(OrchestrationConfig, MeasureConfig, GateConfig):
    """Everything a user may set for one mix.

    The attributes of `GateConfig`, `MeasureConfig` and `OrchestrationConfig` are options as well.

    Attributes
    ----------
    name : str
        Name of the mix; its assets are ``<key_prefix>/<name>/<role>``.
    real, synthetic : DatasetConfig
        The two datasets.
    target : str
        Label column.
    task : {"regression", "classification"}
        What the label column holds.
    output_root : str
        Directory below which everything is written. Steps that run on several machines share it.
    output : str, optional
        Folder of this mix below `output_root`, by default its key prefix and name. Mixes with the
        same output compete for one ``latest``: whichever passed its gate last holds it.
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
    rows_per_shard : int
        Rows in one Parquet file of a release.
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
    evaluation_share : float, optional
        Share of the real rows to put aside as such rows, by their identity. The rest is the asset
        ``generator_input``, which the generator is to be fitted on.
    generator_saw_real : bool, optional
        Whether the generator was fitted on the real rows.
    drift : DriftConfig, optional
        Watches the gap, the generator and the real data for drift; adds the check ``drift``.
    translation : mapping or function, optional
        Attributes of the assets, such as ``key`` or ``metadata``; in YAML a template may use
        ``role`` and ``spec``, in Python it is a function of the specification and the role.
    """

    real: DatasetConfig
    synthetic: DatasetConfig
    target: str
    task: Literal["regression", "classification"]
    output_root: str
    output: str | None = None
    stratify: str | None = None
    mode: Literal["rows", "weights"] = "rows"
    max_rows: int | None = None
    provenance: bool = True
    keep_releases: int | None = None
    rows_per_shard: int = 1_000_000
    max_ratio: float | None = None
    rule: Literal["largest_equivalent", "best", "smallest_equivalent"] = "largest_equivalent"
    learner: Literal["kernel", "linear", "trees"] = "kernel"
    evaluation: DatasetConfig | None = None
    evaluation_column: str | None = None
    evaluation_share: float | None = None
    generator_saw_real: bool | None = None
    drift: DriftConfig | None = None
    translation: Translation = None

    _partition: str | None = PrivateAttr(None)

    _below = field_validator("output")(below_root)
    _local = field_validator("output_root")(local_folder)

    @field_validator("rows_per_shard", "max_rows", "keep_releases")
    @classmethod
    def _positive(cls, value: int | None) -> int | None:
        return None if value is None else at_least(1, value)

    @field_validator("max_ratio")
    @classmethod
    def _no_negative_ratio(cls, value: float | None) -> float | None:
        if value is not None and not 0 <= value < float("inf"):
            raise ValueError(f"it is {value}. Set it to a number of 0 or more")
        return value

    @field_validator("evaluation_share")
    @classmethod
    def _a_share(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value < 1:
            raise ValueError(f"it is {value}. Set it above 0 and below 1, such as 0.2")
        return value

    @model_validator(mode="after")
    def _target_takes_part(self) -> Self:
        for option in ("ignore", "key"):
            if self.target in getattr(self, option):
                raise ValueError(
                    f"the target '{self.target}' is also in '{option}'. Leave it out there: a gate "
                    "that does not look at labels cannot see wrong ones"
                )
        return self

    @model_validator(mode="after")
    def _one_judge(self) -> Self:
        options = ("evaluation", "evaluation_column", "evaluation_share")
        given = [f"'{option}'" for option in options if getattr(self, option) is not None]
        if len(given) > 1:
            raise ValueError(f"set at most one of {' and '.join(given)}")
        return self

    @model_validator(mode="after")
    def _stored_one_partition_a_run(self) -> Self:
        policy = self.op.backfill_policy
        if self.evaluation_share is None or policy is None:
            return self
        if policy.policy.max_partitions_per_run != 1:
            raise ValueError(
                "'evaluation_share' gives the asset 'generator_input', and I/O managers store one "
                "partition of an asset a run. Leave 'backfill_policy' out"
            )
        return self

    @model_validator(mode="after")
    def _generator_makes_synthetic_rows(self) -> Self:
        for name in ("real", "evaluation"):
            source = getattr(self, name)
            if source is not None and source.generator is not None:
                raise ValueError(f"'{name}' has a 'generator'. Only 'synthetic' can be generated")
        return self

    def get_asset_spec(self, role: str) -> dg.AssetSpec:
        """Specification of one asset of the mix; `assets.Mix` fills it in."""
        return dg.AssetSpec([*self.key_prefix, self.name, role])

    def asset_key(self, role: str) -> dg.AssetKey:
        """Key of one of the assets; a dataset given by key keeps its own."""
        if role in ("real", "synthetic"):
            existing = self.dataset(role).asset
            if existing is not None:
                return existing
        return self.get_asset_spec(role).key

    def dataset(self, role: str) -> DatasetConfig:
        """Settings of the real, the synthetic or the evaluation dataset, which has to be there."""
        found: DatasetConfig = getattr(self, role)
        return found

    @property
    def from_files(self) -> bool:
        """Whether the schema can be judged before anything is measured.

        Assets of somebody else's are judged as they are measured: on their asset the check would
        run, and fail, in their runs, and a step that is only a check is given all partitions.
        """
        return all(self.dataset(side).asset is None for side in ("real", "synthetic"))

    @property
    def own_roles(self) -> list[str]:
        """Roles of the assets that this mix defines."""
        given = {name for name in ("real", "synthetic") if self.dataset(name).asset is not None}
        if self.evaluation_share is None:
            given.add("generator_input")
        return [role for role in ROLES if role not in given]

    def at(self, partition: str | None) -> Self:
        """These settings for one partition, which has records and releases of its own.

        Raises
        ------
        ConfigError
            The key would lead a path elsewhere.
        """
        if partition is None:
            return self
        named = ("real", "synthetic", "evaluation")
        sources = {name: getattr(self, name) for name in named if getattr(self, name) is not None}
        copy = self.model_copy(
            update={name: source.at(partition) for name, source in sources.items()}
        )
        copy._partition = partition
        return copy

    @property
    def partition(self) -> str | None:
        """Key of the partition that these settings are for."""
        return self._partition

    def observe_options(self) -> dict[str, Any]:
        """Options of an observer of drift."""
        categorical = [*self.categorical, *([self.target] if self.task == "classification" else [])]
        return {
            **self.sample_options(),
            "categorical": categorical,
            "groups": self.groups,
            "directions": self.directions,
        }

    def measure_options(self) -> dict[str, Any]:
        """Options of `measure_distance`."""
        return {
            "target": self.target,
            "task": self.task,
            **self.distance_options(),
            **self.measured_for_gates(),
        }

    def mix_options(self) -> dict[str, Any]:
        """Options of `mix_datasets`."""
        from synthmix_dagster.release.options import MixOptions

        return {
            "options": MixOptions(
                mode=self.mode,
                seed=self.seed,
                stratify=self.stratify,
                max_rows=self.max_rows,
                provenance=self.provenance,
                rows_per_shard=self.rows_per_shard,
                keep_releases=self.keep_releases,
            ),
            "key": list(self.key),
            "optional": [*self.ignore, *self.key],
        }

    def recommend_options(self) -> dict[str, Any]:
        """Options of `recommend_ratio`."""
        return {
            "target": self.target,
            "task": self.task,
            **self.sample_options(),
            "ignore": [*self.ignore, *([self.groups] if self.groups else [])],
            "max_ratio": self.max_ratio,
            "rule": self.rule,
            "learner": self.learner,
            "generator_saw_real": self.generator_saw_real,
        }
