"""Settings of one mix, validated in one place for YAML and Python.

No pydantic constraints on the fields: Dagster derives the YAML model from them, in which every
field may also be a template string. The validators run after templates are filled in.
"""

from typing import Annotated, Any

from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.config.base import below_root, writable_root
from synthmix_dagster.orchestration.config.dataset import require_placeholders
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.config.measuring import keywords
from synthmix_dagster.orchestration.config.mix_datasets import MixDatasets
from synthmix_dagster.orchestration.config.orchestration import IO_MANAGER_KEY
from synthmix_dagster.orchestration.config.publish import PublishConfig
from synthmix_dagster.orchestration.config.questions import Question, require_answerable
from synthmix_dagster.ratio.options import (
    AnswerOptions,
    ClassWeight,
    FlatCurve,
    Learner,
    RatioOptions,
    Rule,
)
from synthmix_dagster.release.options import MixOptions, Mode

#: From an asset of the mix and its role to the asset as it will appear.
Translation = (
    Annotated[
        TranslationFn[str],
        TranslationFnResolver[str](template_vars_for_translation_fn=lambda role: {"role": role}),
    ]
    | None
)


class MixConfig(MixDatasets, described_by=(MixOptions, RatioOptions, AnswerOptions)):
    """Everything a user may set for one mix.

    The attributes of `MixDatasets`, `GateConfig`, `OrchestrationConfig`, `Columns`,
    `DistanceOptions`, `RatioOptions`, `AnswerOptions` and `MixOptions` are settings as well;
    ``shortage`` is not.

    Attributes
    ----------
    name : str
        Name of the mix; its assets are ``<key_prefix>/<name>/<role>``.
    output_root : str
        Directory for everything that is written, or a URI such as ``s3://bucket/mixes``. Steps on
        several machines must share it.
    output : str, optional
        Folder of this mix below `output_root`, by default its key prefix and name. Mixes with the
        same output share one ``latest``, which points to the last release that passed its gates.
    evaluation_column : str, optional
        Boolean column of `real` that marks the evaluation rows; they are used for nothing else.
    keep_snapshots : int, optional
        Snapshots of each queried dataset to keep, the newest; by default the one in use and those
        that a kept release was made from.
    drift : DriftConfig, optional
        Monitors the gap, the generator and the real data for drift; adds the check ``drift``.
    sign : str, optional
        Key of a resource that signs each release: a callable that takes the digest of the manifest,
        32 bytes, and returns the bytes of a signature, or an object with such a method ``sign``.
    publish : PublishConfig, optional
        Places outside of `output_root` that receive each release after its gates: a table of a
        warehouse, a Delta table.
    translation : mapping or function, optional
        Attributes of the assets, such as ``key`` or ``metadata``. A YAML template may use ``role``
        and ``spec``; in Python it is a function of the specification and the role.
    """

    per_class: bool = AnswerOptions.per_class
    output_root: str
    output: str | None = None
    stratify: str | None = MixOptions.stratify
    mode: Mode = MixOptions.mode
    max_rows: int | None = MixOptions.max_rows
    provenance: bool = MixOptions.provenance
    keep_releases: int | None = MixOptions.keep_releases
    rows_per_shard: int = MixOptions.rows_per_shard
    max_ratio: float | None = RatioOptions.max_ratio
    rule: Rule = RatioOptions.rule
    flat_curve: FlatCurve | None = RatioOptions.flat_curve
    learner: Learner = RatioOptions.learner
    estimator: str | None = RatioOptions.estimator
    evaluation_column: str | None = None
    # In Python `recommend_ratio` takes an object too; here, what is stored must be text.
    scoring: str | None = RatioOptions.scoring  # type: ignore[assignment]
    positive_class: str | None = RatioOptions.positive_class
    class_weight: ClassWeight | None = RatioOptions.class_weight
    experience: str | None = RatioOptions.experience
    keep_snapshots: int | None = None
    drift: DriftConfig | None = None
    sign: str | None = None
    publish: PublishConfig | None = None
    translation: Translation = None

    _below = field_validator("output")(below_root)
    _writable = field_validator("output_root")(writable_root)

    @model_validator(mode="after")
    def _ratio_and_mix_are_valid(self) -> Self:
        # Both refuse what is wrong when they are made.
        _ = self.ratio_options, self.mix_options
        return self

    @model_validator(mode="after")
    def _question_can_be_answered(self) -> Self:
        require_answerable(self, self.question)
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

    @field_validator("keep_snapshots")
    @classmethod
    def _keeps_the_one_in_use(cls, value: int | None) -> int | None:
        if value is not None and value < 1:
            raise ValueError(f"it is {value}. Set it to 1 or more")
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
    def _rows_are_split_where_they_are(self) -> Self:
        if self.cluster is not None and self.evaluation_column is not None:
            raise ValueError(
                "'evaluation_column' splits the real rows on this machine. Set 'evaluation' to "
                "rows of their own, or use 'engine: arrow'"
            )
        return self

    @model_validator(mode="after")
    def _placeholders_are_filled(self) -> Self:
        for name, source in self._sources.items():
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
        for name in ("real", "evaluation", "other"):
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
        own = None if self.publish is None else self.publish.storage
        return list(dict.fromkeys([*super().storages, *([] if own is None else [own])]))

    @property
    def own_roles(self) -> list[str]:
        """Roles of the assets that this mix defines."""
        has_table = self.publish is not None and self.publish.table is not None
        return [role for role in super().own_roles if has_table or role != "published_table"]

    def connections(self, role: str) -> list[str]:
        """Keys of the resources by which the step of an asset reaches warehouses."""
        if role == "published_table" and self.publish is not None:
            return [str(self.publish.connection)]
        return super().connections(role)

    @property
    def question(self) -> Question:
        """What is asked of the ratio."""
        if self.is_whole:
            return "generators"
        if self.target is None:
            return "no target"
        return "classes" if self.per_class else "ratio"

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
            flat_curve=self.flat_curve,
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
            stratify=self.target if self.question == "classes" else self.stratify,
            max_rows=self.max_rows,
            provenance=self.provenance,
            rows_per_shard=self.rows_per_shard,
            keep_releases=self.keep_releases,
            memory_mb=self.memory_mb,
        )

    def observe_options(self) -> dict[str, Any]:
        """Keywords of an observer of drift."""
        options = super().observe_options()
        labels = [self.target] if self.target and self.task == "classification" else []
        return {**options, "categorical": [*self.categorical, *labels]}

    def measure_options(self) -> dict[str, Any]:
        """Keywords of `measure_distance`."""
        options = keywords(self.columns, self.distance_options) | self.measured_for_gates()
        return {"target": self.target, "task": self.task, **options}

    def recommend_options(self) -> dict[str, Any]:
        """Keywords of what recommends, which has no groups: their column is left out."""
        options = keywords(self.columns, self.ratio_options)
        groups = options.pop("groups")
        options["ignore"] += [] if groups is None else [groups]
        if self.question == "ratio":
            return {"target": self.target, "task": self.task, **options}
        taken = ("max_ratio", "sample_rows", "seed", "generator_saw_real", *vars(self.columns))
        options = {name: value for name, value in options.items() if name in taken}
        if self.question == "generators":
            saw = {name: view.generator_saw_real for name, view in self.views.items()}
            refused = {name: of.if_refused for name, of in self.generators.items()}
            more = {"target": self.target, "task": self.task, "if_refused": refused}
            return {**options, **more, "generator_saw_real": saw}
        return options if self.question == "no target" else {"target": self.target, **options}
