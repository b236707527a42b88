"""How the assets of a mix appear and run in Dagster: names, partitions, steps, schedule."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import ValidationInfo, field_validator, model_validator

from synthmix_dagster.orchestration.config.base import (
    Settings,
    plain_name,
    said_in_one_line,
    unreserved,
)

#: Fields that only some kinds of partitions have, and those that these kinds need.
_TIMES = ("start_date", "end_date", "timezone")
_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hourly": (("start_date",), (*_TIMES, "minute_offset")),
    "daily": (("start_date",), (*_TIMES, "minute_offset", "hour_offset")),
    "weekly": (("start_date",), (*_TIMES, "minute_offset", "hour_offset", "day_offset")),
    "monthly": (("start_date",), (*_TIMES, "minute_offset", "hour_offset", "day_offset")),
    "time_window": (("start_date", "fmt", "cron_schedule"), (*_TIMES, "fmt", "cron_schedule")),
    "static": (("partition_keys",), ("partition_keys",)),
    "dynamic": (("name",), ("name",)),
}


#: Resource that loads the assets of a mix; the I/O manager of other assets is never touched.
IO_MANAGER_KEY = "synthmix_io_manager"


class PartitionsConfig(Settings):
    """Partitions of every asset of the mix; each partition has its own releases.

    Attributes
    ----------
    type : {"hourly", "daily", "weekly", "monthly", "time_window", "static", "dynamic"}
        Kind of partitions.
    start_date, end_date : str, optional
        First and last date of time partitions, in the format of their keys.
    timezone : str, optional
        Time zone of time partitions; UTC by default.
    minute_offset, hour_offset, day_offset : int, optional
        When a time partition ends.
    fmt, cron_schedule : str, optional
        Format of the keys and start of the partitions of a ``time_window``.
    partition_keys : sequence of str, optional
        Keys of ``static`` partitions.
    name : str, optional
        Name of ``dynamic`` partitions, for example one per generator version.
    """

    type: Literal["hourly", "daily", "weekly", "monthly", "time_window", "static", "dynamic"]
    start_date: str | None = None
    end_date: str | None = None
    timezone: str | None = None
    minute_offset: int | None = None
    hour_offset: int | None = None
    day_offset: int | None = None
    fmt: str | None = None
    cron_schedule: str | None = None
    partition_keys: Sequence[str] | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _fields_of_the_type(self) -> "PartitionsConfig":
        needed, known = _FIELDS[self.type]
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        for name in needed:
            if name not in given:
                raise ValueError(f"{self.type} partitions require '{name}'. Set it")
        for name in sorted(given - {"type", *known}):
            raise ValueError(f"{self.type} partitions do not have '{name}'. Remove it")
        return self

    @model_validator(mode="after")
    def _can_be_defined(self) -> "PartitionsConfig":
        _ = self.definition
        return self

    @property
    def definition(self) -> dg.PartitionsDefinition[Any]:
        """The definition as Dagster has it."""
        _, known = _FIELDS[self.type]
        given = {name: getattr(self, name) for name in known if getattr(self, name) is not None}
        if self.type == "time_window":
            given["start"] = given.pop("start_date")
            given |= {"end": given.pop("end_date")} if "end_date" in given else {}
        return _DEFINITIONS[self.type](**given)


_DEFINITIONS: Mapping[str, Any] = {
    "hourly": dg.HourlyPartitionsDefinition,
    "daily": dg.DailyPartitionsDefinition,
    "weekly": dg.WeeklyPartitionsDefinition,
    "monthly": dg.MonthlyPartitionsDefinition,
    "time_window": dg.TimeWindowPartitionsDefinition,
    "static": dg.StaticPartitionsDefinition,
    "dynamic": dg.DynamicPartitionsDefinition,
}


class RetryConfig(Settings):
    """When a failed step is retried; errors in data or settings are never retried.

    Attributes
    ----------
    max_retries : int
        Retries after the first attempt.
    delay : float, optional
        Seconds between attempts.
    backoff : {"linear", "exponential"}, optional
        How the delay grows.
    """

    max_retries: int = 1
    delay: float | None = None
    backoff: Literal["linear", "exponential"] | None = None

    @model_validator(mode="after")
    def _can_be_defined(self) -> "RetryConfig":
        _ = self.policy
        return self

    @property
    def policy(self) -> dg.RetryPolicy:
        """The policy as Dagster has it."""
        backoff = None if self.backoff is None else dg.Backoff[self.backoff.upper()]
        return dg.RetryPolicy(max_retries=self.max_retries, delay=self.delay, backoff=backoff)


class BackfillConfig(Settings):
    """How a backfill of partitions is split into runs.

    Attributes
    ----------
    type : {"single_run", "multi_run"}
        All partitions in one run, or several runs.
    max_partitions_per_run : int
        Maximum partitions of each run, for ``multi_run``.
    """

    type: Literal["single_run", "multi_run"] = "multi_run"
    max_partitions_per_run: int = 1

    @model_validator(mode="after")
    def _runs_something(self) -> "BackfillConfig":
        if self.max_partitions_per_run < 1:
            raise ValueError("'max_partitions_per_run' must be 1 or more. Set it to 1 or more")
        return self

    @property
    def policy(self) -> dg.BackfillPolicy:
        """The policy as Dagster has it."""
        if self.type == "single_run":
            return dg.BackfillPolicy.single_run()
        return dg.BackfillPolicy.multi_run(self.max_partitions_per_run)


class OpConfig(Settings):
    """How the steps of a mix run.

    Attributes
    ----------
    tags : mapping of str to object
        Tags of the steps, such as those read by an executor; ``dagster-k8s/config`` is a mapping.
    pool : str, optional
        Pool that limits how many of the steps run concurrently.
    retry : RetryConfig, optional
        When a failed step is retried.
    backfill_policy : BackfillConfig, optional
        By default each partition is a separate run.
    """

    tags: Mapping[str, Any] = {}
    pool: str | None = None
    retry: RetryConfig | None = None
    backfill_policy: BackfillConfig | None = None


class ScheduleConfig(Settings):
    """When to run the whole mix.

    Attributes
    ----------
    cron : str, optional
        Five-field cron expression. Optional with time partitions, where each partition runs when it
        ends; with a cron expression the latest ended partition runs. With other kinds of partitions
        all of them run.
    timezone : str, optional
        Time zone of `cron`; UTC by default.
    default_status : {"STOPPED", "RUNNING"}
        Whether the schedule is on before anyone starts it.
    """

    cron: str | None = None
    timezone: str | None = None
    default_status: Literal["STOPPED", "RUNNING"] = "STOPPED"

    @field_validator("cron")
    @classmethod
    def _can_tick(cls, value: str | None) -> str | None:
        if value is not None:
            _as_dagster_takes_it(f"{value!r} is not a cron expression", cron_schedule=value)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_somewhere(cls, value: str | None) -> str | None:
        if value is not None:
            _as_dagster_takes_it(f"unknown time zone {value!r}", execution_timezone=value)
        return value

    @model_validator(mode="after")
    def _timezone_of_cron(self) -> "ScheduleConfig":
        if self.timezone is not None and self.cron is None:
            raise ValueError("'timezone' requires 'cron'. Partitions have their own time zone")
        return self


def _as_dagster_takes_it(problem: str, **options: str) -> None:
    """Have Dagster judge when a schedule ticks, as it will when it is built."""
    try:
        dg.ScheduleDefinition(**{"job_name": "any", "cron_schedule": "0 0 * * *"} | options)  # type: ignore[arg-type]
    except Exception:
        fix = "Write cron such as '0 6 * * *' and a time zone such as 'Europe/Berlin'"
        raise ValueError(f"{problem}. {fix}") from None


def partitions_of_mapping(value: Any) -> Any:
    """Read a mapping as partitions; Dagster's own objects are left as they are."""
    if isinstance(value, PartitionsConfig):
        return value.definition
    return PartitionsConfig(**value).definition if isinstance(value, Mapping) else value


def _resolve_partitions(context: dg.ResolutionContext, model: Any) -> Any:
    if isinstance(model, str):
        return context.resolve_value(model)
    return None if model is None else PartitionsConfig.resolve_from_model(context, model).definition


#: Objects of Dagster's that Python passes as they are and YAML names by a template.
Partitions = Annotated[
    dg.PartitionsDefinition[Any] | None,
    dg.Resolver(_resolve_partitions, model_field_type=PartitionsConfig.model() | str | None),
]
Automation = Annotated[
    dg.AutomationCondition[Any] | None, dg.Resolver.default(model_field_type=str | None)
]
Freshness = Annotated[dg.FreshnessPolicy | None, dg.Resolver.default(model_field_type=str | None)]


class AppearanceConfig(Settings):
    """Name of a mix or a monitor, and how its assets appear in Dagster.

    Attributes
    ----------
    name : str
        Name used in the asset keys: ``<key_prefix>/<name>/...``.
    key_prefix : sequence of str
        Prefix of all asset keys.
    group_name : str, optional
        Group of the assets; by default the name of the mix.
    owners : sequence of str
        E-mail addresses, or teams such as ``team:ml``.
    tags : mapping of str to str
        Tags of all assets.
    """

    name: str
    key_prefix: Sequence[str] = ()
    group_name: str | None = None
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = {}

    _name = field_validator("name")(plain_name)

    @field_validator("key_prefix", "owners", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("key_prefix")
    @classmethod
    def _prefix_is_no_folder_of_a_mix(cls, value: Sequence[str]) -> Sequence[str]:
        for part in value:
            if not re.fullmatch(r"[A-Za-z0-9_]+", part):
                raise ValueError(
                    f"{part!r} cannot be part of a key. Write a list of names of letters, digits "
                    "and '_', one for each part"
                )
        return [unreserved(part) for part in value]

    @field_validator("group_name", "owners", "tags")
    @classmethod
    def _as_assets_take_it(cls, value: Any, info: ValidationInfo) -> Any:
        if value:
            try:
                dg.AssetSpec("any", **{str(info.field_name): value})
            except Exception as error:
                raise ValueError(f"{said_in_one_line(error)}. Check its value") from None
        return value

    @property
    def qualified_name(self) -> str:
        """Name with its key prefix, which tells equal names apart."""
        return "/".join([*self.key_prefix, self.name])


class OrchestrationConfig(AppearanceConfig):
    """How the assets of a mix appear and run in Dagster.

    Attributes
    ----------
    partitions_def : PartitionsConfig or PartitionsDefinition, optional
        Partitions of all assets of the mix; each partition has its own releases.
    schedule : ScheduleConfig, optional
        When the whole mix runs.
    automation_condition : AutomationCondition, optional
        When assets are materialised without a schedule. Assets behind a gate also wait for it.
    freshness_policy : FreshnessPolicy, optional
        Maximum age of the latest release.
    op : OpConfig, optional
        How the steps run.
    io_manager_key : str
        Resource that loads releases, distance reports and recommendations downstream. The default
        one comes with the mix; with another key, the project defines that resource.
    """

    partitions_def: Partitions = None
    schedule: ScheduleConfig | None = None
    automation_condition: Automation = None
    freshness_policy: Freshness = None
    op: OpConfig = OpConfig()
    io_manager_key: str = IO_MANAGER_KEY

    _partitions = field_validator("partitions_def", mode="before")(partitions_of_mapping)

    @model_validator(mode="after")
    def _schedule_can_tick(self) -> "OrchestrationConfig":
        in_time = isinstance(self.partitions_def, dg.TimeWindowPartitionsDefinition)
        if self.schedule is not None and self.schedule.cron is None and not in_time:
            raise ValueError("'schedule' requires 'cron'. Only time partitions run without it")
        return self
