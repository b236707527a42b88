"""Settings of one mix, validated in one place for YAML and Python.

No pydantic constraints on the fields: Dagster derives the YAML model from them, in which every
field may also be a template string. The validators run after templates are filled in.
"""

from typing import Annotated, Any, Literal

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import PrivateAttr, field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.config.base import below_root, writable_root
from synthmix_dagster.orchestration.config.dataset import DatasetConfig, require_placeholders
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.config.gates import GateConfig
from synthmix_dagster.orchestration.config.measuring import MeasureConfig, keywords
from synthmix_dagster.orchestration.config.orchestration import IO_MANAGER_KEY, OrchestrationConfig
from synthmix_dagster.orchestration.config.publish import PublishConfig
from synthmix_dagster.ratio.options import ClassWeight, Learner, RatioOptions, Rule
from synthmix_dagster.release.options import MixOptions, Mode

#: Assets of a mix, upstream first.
ROLES = (
    "real",
    "generator_input",
    "synthetic",
    "distribution_distance",
    "optimal_ratio",
    "training_data",
)

#: From an asset of the mix and its role to the asset as it will appear.
Translation = (
    Annotated[
        TranslationFn[str],
        TranslationFnResolver[str](template_vars_for_translation_fn=lambda role: {"role": role}),
    ]
    | None
)


class MixConfig(
    OrchestrationConfig, MeasureConfig, GateConfig, described_by=(MixOptions, RatioOptions)
):
    """Everything a user may set for one mix.

    The attributes of `GateConfig`, `OrchestrationConfig`, `Columns`, `DistanceOptions`,
    `RatioOptions` and `MixOptions` are settings as well; ``shortage`` is not.

    Attributes
    ----------
    name : str
        Name of the mix; its assets are ``<key_prefix>/<name>/<role>``.
    real, synthetic : DatasetConfig
        The two datasets.
    target : str
        Label column.
    task : {"regression", "classification"}
        Prediction task: whether the label column holds numbers or classes.
    output_root : str
        Directory for everything that is written, or a URI such as ``s3://bucket/mixes``. Steps on
        several machines must share it.
    storage : str, optional
        Key of a `SynthMixStorage` resource, by which an object store at `output_root` is reached;
        by default credentials come from the environment of the step.
    output : str, optional
        Folder of this mix below `output_root`, by default its key prefix and name. Mixes with the
        same output share one ``latest``, which points to the last release that passed its gates.
    evaluation : DatasetConfig, optional
        Evaluation rows: real rows that are in no other dataset and that the generator never saw.
        The risk is predicted for them.
    evaluation_column : str, optional
        Boolean column of `real` that marks the evaluation rows; they are used for nothing else.
    evaluation_share : float, optional
        Share of the real rows to hold out as evaluation rows, chosen by row identity. The remaining
        rows are the asset ``generator_input``, on which the generator must be fitted.
    drift : DriftConfig, optional
        Monitors the gap, the generator and the real data for drift; adds the check ``drift``.
    sign : str, optional
        Key of a resource that signs each release: a callable that takes the digest of the manifest,
        32 bytes, and returns the bytes of a signature, or an object with such a method ``sign``.
    publish : PublishConfig, optional
        Places outside of `output_root` that receive each release after its gates, such as a Delta
        table.
    translation : mapping or function, optional
        Attributes of the assets, such as ``key`` or ``metadata``. A YAML template may use ``role``
        and ``spec``; in Python it is a function of the specification and the role.
    """

    real: DatasetConfig
    synthetic: DatasetConfig
    target: str
    task: Literal["regression", "classification"]
    output_root: str
    storage: str | None = None
    output: str | None = None
    stratify: str | None = MixOptions.stratify
    mode: Mode = MixOptions.mode
    max_rows: int | None = MixOptions.max_rows
    provenance: bool = MixOptions.provenance
    keep_releases: int | None = MixOptions.keep_releases
    rows_per_shard: int = MixOptions.rows_per_shard
    max_ratio: float | None = RatioOptions.max_ratio
    rule: Rule = RatioOptions.rule
    learner: Learner = RatioOptions.learner
    estimator: str | None = RatioOptions.estimator
    evaluation: DatasetConfig | None = None
    evaluation_column: str | None = None
    evaluation_share: float | None = None
    generator_saw_real: bool | None = RatioOptions.generator_saw_real
    # In Python `recommend_ratio` takes an object too; here, what is stored must be text.
    scoring: str | None = RatioOptions.scoring  # type: ignore[assignment]
    positive_class: str | None = RatioOptions.positive_class
    class_weight: ClassWeight | None = RatioOptions.class_weight
    experience: str | None = RatioOptions.experience
    drift: DriftConfig | None = None
    sign: str | None = None
    publish: PublishConfig | None = None
    translation: Translation = None

    _partition: str | None = PrivateAttr(None)
    _specs: dict[str, dg.AssetSpec] = PrivateAttr(default_factory=dict)

    _below = field_validator("output")(below_root)
    _writable = field_validator("output_root")(writable_root)

    @model_validator(mode="after")
    def _ratio_and_mix_are_valid(self) -> Self:
        # Both refuse what is wrong when they are made.
        _ = self.ratio_options, self.mix_options
        return self

    @field_validator("max_ratio")
    @classmethod
    def _a_finite_ratio(cls, value: float | None) -> float | None:
        if value == float("inf"):
            raise ValueError("it is inf. Set it to a finite number, or omit it")
        return value

    @model_validator(mode="after")
    def _scored_by_fits(self) -> Self:
        if self.scoring is not None and not self.ratio_options.refitted:
            raise ConfigError(
                f"the learner is '{self.learner}', whose risk is predicted without a fit to score",
                option="scoring",
                fix="Set 'learner: trees' or an 'estimator', or leave it out and set "
                "'class_weight: balanced'",
            )
        if self.class_weight is not None and self.task != "classification":
            raise ConfigError(
                "the task is regression",
                option="class_weight",
                fix="Leave it out: only classes can be balanced",
            )
        return self

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
                    f"the target '{self.target}' is also in '{option}'. Remove it there: a gate "
                    "that ignores the labels cannot detect wrong ones"
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
    def _placeholders_are_filled(self) -> Self:
        for name in ("real", "synthetic", "evaluation"):
            source = getattr(self, name)
            if source is not None:
                require_placeholders(name, source, self.partitions_def)
        return self

    @model_validator(mode="after")
    def _stored_one_partition_a_run(self) -> Self:
        policy = self.op.backfill_policy
        if self.evaluation_share is None or policy is None:
            return self
        if policy.policy.max_partitions_per_run != 1:
            raise ValueError(
                "'evaluation_share' adds the asset 'generator_input', and I/O managers store one "
                "partition of an asset per run. Remove 'backfill_policy'"
            )
        return self

    @model_validator(mode="after")
    def _generator_makes_synthetic_rows(self) -> Self:
        for name in ("real", "evaluation"):
            source = getattr(self, name)
            if source is not None and source.generator is not None:
                raise ValueError(f"'{name}' has a 'generator'. Only 'synthetic' can be generated")
        return self

    @property
    def used_io_manager_key(self) -> str:
        """Key of the I/O manager; the one that comes along reaches what `storage` reaches."""
        own = self.io_manager_key == IO_MANAGER_KEY and self.storage is not None
        return f"{IO_MANAGER_KEY}__{self.storage}" if own else self.io_manager_key

    @property
    def storages(self) -> list[str]:
        """Keys of the resources by which object stores are reached."""
        sources = (self.real, self.synthetic, self.evaluation, self.publish)
        keys = [self.storage, *(source.storage for source in sources if source is not None)]
        return [key for key in dict.fromkeys(keys) if key is not None]

    def get_asset_spec(self, role: str) -> dg.AssetSpec:
        """Specification of one asset of the mix; `assets.Mix` fills it in."""
        return dg.AssetSpec([*self.key_prefix, self.name, role])

    def asset_spec(self, role: str) -> dg.AssetSpec:
        """What `get_asset_spec` says, asked once: a project of many mixes loads faster."""
        if role not in self._specs:
            self._specs[role] = self.get_asset_spec(role)
        return self._specs[role]

    def asset_key(self, role: str) -> dg.AssetKey:
        """Key of one of the assets; a dataset given by key keeps its own."""
        if role in ("real", "synthetic"):
            existing = self.dataset(role).asset
            if existing is not None:
                return existing
        return self.asset_spec(role).key

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
            update={
                name: source.at(partition, self.partitions_def) for name, source in sources.items()
            }
        )
        copy._partition = partition
        return copy

    @property
    def partition(self) -> str | None:
        """Key of the partition that these settings are for."""
        return self._partition

    @property
    def ratio_options(self) -> RatioOptions:
        """How the ratio is recommended."""
        return RatioOptions(
            sample_rows=self.sample_rows,
            seed=self.seed,
            learner=self.learner,
            estimator=self.estimator,
            max_ratio=self.max_ratio,
            rule=self.rule,
            generator_saw_real=self.generator_saw_real,
            scoring=self.scoring,
            positive_class=self.positive_class,
            class_weight=self.class_weight,
            experience=self.experience,
        )

    @property
    def mix_options(self) -> MixOptions:
        """How the release is written."""
        return MixOptions(
            mode=self.mode,
            seed=self.seed,
            stratify=self.stratify,
            max_rows=self.max_rows,
            provenance=self.provenance,
            rows_per_shard=self.rows_per_shard,
            keep_releases=self.keep_releases,
            memory_mb=self.memory_mb,
        )

    def observe_options(self) -> dict[str, Any]:
        """Keywords of an observer of drift."""
        options = super().observe_options()
        labels = [self.target] if self.task == "classification" else []
        return {**options, "categorical": [*self.categorical, *labels]}

    def measure_options(self) -> dict[str, Any]:
        """Keywords of `measure_distance`."""
        options = keywords(self.columns, self.distance_options) | self.measured_for_gates()
        return {"target": self.target, "task": self.task, **options}

    def recommend_options(self) -> dict[str, Any]:
        """Keywords of `recommend_ratio`, which has no groups: their column is left out."""
        options = keywords(self.columns, self.ratio_options)
        groups = options.pop("groups")
        options["ignore"] += [] if groups is None else [groups]
        return {"target": self.target, "task": self.task, **options}
