"""The datasets of a mix, and the assets, records and gates that each of them has.

Where there are several generators, the settings of the whole mix give settings for each of them
(`views`): a step that knows one generator works for each, and each is guarded as the only one is.
"""

from collections.abc import Mapping
from typing import Literal

import dagster as dg
from pydantic import PrivateAttr, field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.gates.threshold import GATES, Severity
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.gates import GateConfig
from synthmix_dagster.orchestration.config.generators import (
    GeneratorConfig,
    OneOrSeveral,
    named_plainly,
    one_or_several,
)
from synthmix_dagster.orchestration.config.measuring import MeasureConfig
from synthmix_dagster.orchestration.config.orchestration import OrchestrationConfig
from synthmix_dagster.ratio.options import RatioOptions

#: Assets of a mix, upstream first.
ROLES = (
    "real",
    "generator_input",
    "synthetic",
    "distribution_distance",
    "optimal_ratio",
    "training_data",
    "published_table",
)

#: Name of the real rows of another domain among the generators, and of their asset.
OTHER = "other"
#: Key of the resource of a Spark cluster, where nothing else is said.
SPARK_KEY = "spark"
#: Checks that refuse the rows of a generator.
REFUSING = (*GATES, "schema_matches")


class MixDatasets(OrchestrationConfig, MeasureConfig, GateConfig, described_by=(RatioOptions,)):
    """Which datasets a mix has, and what belongs to each.

    Attributes
    ----------
    real : DatasetConfig
        The real rows.
    synthetic : DatasetConfig or mapping of str to GeneratorConfig
        The synthetic rows. Several generators by their names, each a dataset with assets, checks
        and, where it is set, thresholds of its own; the recommendation says how many rows of each.
    other : GeneratorConfig, optional
        Real rows of another domain, which are measured, judged and added like those of a generator.
    target : str or None
        Label column; null where there is none, and then wrong labels are invisible.
    task : {"regression", "classification"}, optional
        Prediction task: whether the label column holds numbers or classes.
    storage : str, optional
        Key of a `SynthMixStorage` resource, by which an object store at `output_root` is reached;
        by default credentials come from the environment of the step.
    engine : {"arrow", "spark"}
        What reads, selects and writes the rows: the process of a step on its machine, or the
        executors of a Spark cluster. Both take the same rows.
    spark : str, optional
        With ``engine: spark``, key of the resource by which the cluster is reached: a
        `SynthMixSpark`, a ``SparkSession``, or a resource whose ``spark_session`` is one; by
        default ``spark``. With this key as `connection`, a `table` is one of its catalogue.
    evaluation : DatasetConfig, optional
        Evaluation rows: real rows that are in no other dataset and that the generator never saw.
        The risk is predicted for them.
    evaluation_share : float, optional
        Share of the real rows to hold out as evaluation rows, chosen by row identity. The remaining
        rows are the asset ``generator_input``, on which the generator must be fitted.
    """

    real: DatasetConfig
    synthetic: OneOrSeveral
    other: GeneratorConfig | None = None
    target: str | None
    task: Literal["regression", "classification"] | None = None
    storage: str | None = None
    engine: Literal["arrow", "spark"] = "arrow"
    spark: str | None = None
    evaluation: DatasetConfig | None = None
    evaluation_share: float | None = None
    generator_saw_real: bool | None = RatioOptions.generator_saw_real

    _partition: str | None = PrivateAttr(None)
    _generator: str | None = PrivateAttr(None)
    _specs: dict[str, dg.AssetSpec] = PrivateAttr(default_factory=dict)

    _kind_of_synthetic = field_validator("synthetic", mode="before")(one_or_several)
    _plainly = field_validator("synthetic")(named_plainly)

    @model_validator(mode="after")
    def _engine_can_read(self) -> Self:
        if self.cluster is None:
            if self.spark is not None:
                raise ValueError("'spark' requires 'engine: spark'. Set it, or remove 'spark'")
            return self
        for name, source in self._sources.items():
            if source.generator is not None:
                raise ValueError(
                    f"'{name}' has a 'generator', which is fitted on this machine. Write its rows "
                    "to a 'path', or use 'engine: arrow'"
                )
            if name == "evaluation" and self.in_catalogue(source):
                raise ValueError(
                    "'evaluation' is a table on the cluster. Evaluation rows are read on this "
                    "machine: give a 'path' or an 'asset'"
                )
            if name != "evaluation" and self.is_unloaded(source):
                raise ValueError(
                    f"'{name}' is read from the connection '{source.connection}', not by the "
                    f"cluster. Use a 'table' of its catalogue with 'connection: {self.cluster}', "
                    "or a 'path'"
                )
        if self.evaluation_share is not None:
            raise ValueError(
                "'evaluation_share' splits the real rows on this machine. Set 'evaluation' to rows "
                "of their own, or use 'engine: arrow'"
            )
        return self

    @property
    def storages(self) -> list[str]:
        """Keys of the resources by which object stores are reached."""
        keys = [self.storage, *(source.storage for source in self._sources.values())]
        return [key for key in dict.fromkeys(keys) if key is not None]

    @property
    def shared_resources(self) -> list[str]:
        """Keys of the resources that every step needs: those of stores and of the cluster."""
        return [*self.storages, *([] if self.cluster is None else [self.cluster])]

    @property
    def cluster(self) -> str | None:
        """Key of the resource of the cluster, where the engine is one."""
        return None if self.engine == "arrow" else self.spark or SPARK_KEY

    def in_catalogue(self, source: DatasetConfig) -> bool:
        """Whether a dataset is a table in the catalogue of the cluster."""
        return source.table is not None and self.cluster == source.connection

    def is_unloaded(self, source: DatasetConfig) -> bool:
        """Whether the rows of a dataset are unloaded from a warehouse before they are read."""
        return source.is_queried and not self.in_catalogue(source)

    def get_asset_spec(self, role: str) -> dg.AssetSpec:
        """Specification of one asset of the mix; `assets.Mix` fills it in."""
        return dg.AssetSpec([*self.key_prefix, self.name, role])

    def asset_spec(self, role: str) -> dg.AssetSpec:
        """What `get_asset_spec` says, asked once: a project of many mixes loads faster."""
        role = self.qualified_role(role)
        if role not in self._specs:
            self._specs[role] = self.get_asset_spec(role)
        return self._specs[role]

    def asset_key(self, role: str) -> dg.AssetKey:
        """Key of one of the assets; a dataset given by key keeps its own."""
        if role in ("real", "synthetic") and not (role == "synthetic" and self.is_whole):
            existing = self.dataset(role).asset
            if existing is not None:
                return existing
        return self.asset_spec(role).key

    def dataset(self, role: str) -> DatasetConfig:
        """Settings of the real, the synthetic or the evaluation dataset, which has to be there."""
        found: DatasetConfig = getattr(self, role)
        return found

    @property
    def generators(self) -> dict[str, GeneratorConfig]:
        """Several generators by their names, rows of another domain among them; else empty."""
        if self._generator is not None:
            return {}
        found = dict(self.synthetic) if isinstance(self.synthetic, Mapping) else {}
        if self.other is None:
            return found
        if isinstance(self.synthetic, DatasetConfig):
            found["synthetic"] = GeneratorConfig(
                **{name: getattr(self.synthetic, name) for name in DatasetConfig.model_fields}
            )
            found["synthetic"].fill_in(self.synthetic.values)
        return {**found, OTHER: self.other}

    @property
    def is_whole(self) -> bool:
        """Whether these are the settings of several generators, and not of one of them."""
        return self._generator is None and (
            isinstance(self.synthetic, Mapping) or self.other is not None
        )

    @property
    def generator(self) -> str | None:
        """Name of the generator that these settings are for, where there are several."""
        return self._generator

    @property
    def views(self) -> dict[str, Self]:
        """The settings for each generator by its name; of the only one, these, by no name."""
        if not self.is_whole:
            return {"": self}
        return {name: self._of_generator(name, each) for name, each in self.generators.items()}

    def _of_generator(self, name: str, source: GeneratorConfig) -> Self:
        """These settings for one generator, which has assets, records and gates of its own."""
        # Whether these rows are real ones of another domain is known, and nobody generated them.
        own = source.own if name != OTHER else {"generator_saw_real": False} | source.own
        view = self.model_copy(update={"synthetic": source, "other": None, **own})
        # What was derived from the other settings.
        view.__dict__.pop("gates", None)
        view._generator = name
        return view

    @property
    def may_be_left_out(self) -> bool:
        """Whether these are the settings of a generator that a mix may do without."""
        source = self.synthetic
        return isinstance(source, GeneratorConfig) and source.if_refused == "leave_out"

    def acts(self, check: str) -> tuple[Severity, bool]:
        """Severity of a failing check, and whether it is blocking.

        What refuses a generator that may be left out must not stop the others.
        """
        severity, blocking = super().acts(check)
        return severity, blocking and not (self.may_be_left_out and check in REFUSING)

    def refuses(self, check: str) -> bool:
        """Whether a generator gives no rows to a release while a check fails."""
        return super().acts(check) == ("ERROR", True)

    def qualified_role(self, role: str) -> str:
        """Role of an asset in the whole mix: that of a generator has its name behind it."""
        if self._generator is None or role not in ("synthetic", "distribution_distance"):
            return role
        if role == "synthetic" and self._generator == OTHER:
            return OTHER
        return f"{role}/{self._generator}"

    @property
    def _sources(self) -> dict[str, DatasetConfig]:
        """Every dataset by its name."""
        named = {"real": self.real, "evaluation": self.evaluation, OTHER: self.other}
        synthetic = self.synthetic
        of_name = dict(synthetic) if isinstance(synthetic, Mapping) else {"synthetic": synthetic}
        sources = {**named, **of_name}
        return {name: source for name, source in sources.items() if source is not None}

    @property
    def evaluation_role(self) -> str | None:
        """The asset in whose step queried evaluation rows are unloaded: the first of the mix."""
        if self._generator is not None or self.evaluation is None:
            return None
        first = next(role for role in self.own_roles if role != "generator_input")
        return first if self.is_unloaded(self.evaluation) else None

    def connections(self, role: str) -> list[str]:
        """Keys of the resources by which the step of an asset reaches warehouses."""
        sides = [role] if role in ("real", "synthetic") else []
        sides += ["evaluation"] if role == self.evaluation_role else []
        keys = [self.dataset(side).connection for side in sides]
        return [key for key in keys if key is not None]

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
        if self._generator is not None:
            given = set(ROLES) - {"synthetic", "distribution_distance"}
        else:
            given = set() if self.real.asset is None else {"real"}
            if self.evaluation_share is None:
                given.add("generator_input")
        if self.is_whole:
            given |= {"synthetic", "distribution_distance"}
        elif self.dataset("synthetic").asset is not None:
            given.add("synthetic")
        return [role for role in ROLES if role not in given]

    @property
    def own_keys(self) -> list[dg.AssetKey]:
        """Keys of all assets that this mix defines."""
        every = [self, *self.views.values()] if self.is_whole else [self]
        return [each.asset_key(role) for each in every for role in each.own_roles]

    def at(self, partition: str | None) -> Self:
        """These settings for one partition, which has records and releases of its own.

        Raises
        ------
        ConfigError
            The key would lead a path elsewhere.
        """
        if partition is None:
            return self
        at = {name: of.at(partition, self.partitions_def) for name, of in self._sources.items()}
        named = {name: at[name] for name in ("real", "evaluation", OTHER) if name in at}
        several = self.synthetic if isinstance(self.synthetic, Mapping) else {}
        synthetic = {name: at[name] for name in several} or at["synthetic"]
        copy = self.model_copy(update={**named, "synthetic": synthetic})
        copy._partition = partition
        return copy

    @property
    def partition(self) -> str | None:
        """Key of the partition that these settings are for."""
        return self._partition
