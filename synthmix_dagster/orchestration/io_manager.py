"""Dagster's own way of loading what a mix made: ``def model(training_data: pd.DataFrame)``.

What is loaded is found in Dagster's event log: the materialisation that the run depends on names
the release, so `latest` is never asked. Nothing of a mix's settings is needed, and so another code
location, which knows the asset by its key alone, loads in the same way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

import dagster as dg
from dagster._core.definitions.metadata.metadata_set import UriMetadataSet

from synthmix_dagster.errors import ConfigError, ReleaseError, SynthMixError
from synthmix_dagster.orchestration.failures import at_the_edge
from synthmix_dagster.orchestration.metadata_keys import ReleaseId, ReleaseTags, StoredResult

if TYPE_CHECKING:
    from synthmix_dagster.release.handle import Release

#: Materialisations that are looked at together.
_PAGE = 100
#: Dagster's tag of a run that tries another one again.
_PARENT_RUN = "dagster/parent_run_id"

#: What a release is loaded as, by package and name of the type that a parameter is annotated with.
_LOADERS: Mapping[str, tuple[str, Callable[["Release"], Any]]] = {
    "pandas.DataFrame": ("pandas.DataFrame", lambda release: release.to_pandas()),
    "polars.DataFrame": ("polars.DataFrame", lambda release: release.to_polars()),
    "polars.LazyFrame": ("polars.LazyFrame", lambda release: release.to_lazyframe()),
    "pyarrow.Table": ("pyarrow.Table", lambda release: release.to_arrow()),
    "pyarrow.Dataset": ("pyarrow.dataset.Dataset", lambda release: release.scan()),
    "datasets.Dataset": ("datasets.Dataset", lambda release: release.to_datasets()),
    "synthmix_dagster.Release": ("synthmix_dagster.Release", lambda release: release),
}


class SynthMixIOManager(dg.ConfigurableIOManager):
    """Loads releases, distance reports and recommendations for whatever is downstream of a mix.

    ``training_data`` is loaded as the type that the parameter is annotated with:
    ``pandas.DataFrame``, ``polars.DataFrame``, ``polars.LazyFrame``, ``pyarrow.Table``,
    ``pyarrow.dataset.Dataset``, ``datasets.Dataset`` or, also without annotation, `Release`.
    ``distribution_distance`` is a `DistanceReport`, ``optimal_ratio`` a `Recommendation`.
    One partition is loaded by itself, several as a mapping of their keys.

    The assets of a mix store themselves, so there is nothing to configure. Every mix brings this
    I/O manager along under the key ``synthmix_io_manager``. Another code location passes it as a
    resource and names its key in the specification of the asset.

    Examples
    --------
    >>> spec = dg.AssetSpec(["flights", "training_data"]).with_io_manager_key("releases")
    >>> defs = dg.Definitions(assets=[spec], resources={"releases": SynthMixIOManager()})
    """

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Do nothing: assets of a mix have stored themselves by now.

        Raises
        ------
        Failure
            Something else is to be stored.
        """
        with at_the_edge():
            values = list(obj.values()) if isinstance(obj, Mapping) else [obj]
            if not all(_is_of_a_mix(value) for value in values):
                raise ConfigError(
                    f"it stores assets of a mix only, not a {type(obj).__name__}",
                    option="io_manager_key",
                    fix=f"Give '{context.asset_key.to_user_string()}' another I/O manager",
                )

    def load_input(self, context: dg.InputContext) -> Any:
        """Load what the run depends on, as the type that the parameter is annotated with.

        Raises
        ------
        Failure
            It was never materialised, was removed since, or the type is not known.
        """
        with at_the_edge():
            wanted = _annotation(context)
            several = get_origin(wanted) is dict or wanted is dict
            if not context.has_asset_partitions:
                return _load(context, None, wanted)
            keys = list(context.asset_partition_keys)
            if len(keys) == 1 and not several:
                return _load(context, keys[0], wanted)
            return _load_each(context, keys, wanted, several)


def _is_of_a_mix(value: Any) -> bool:
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.ratio.recommendation import Recommendation
    from synthmix_dagster.release.handle import Release

    return isinstance(value, Release | DistanceReport | Recommendation)


def _annotation(context: dg.InputContext) -> Any:
    """Type of the parameter; None where there is none."""
    wanted = context.dagster_type.typing_type
    if get_origin(wanted) is not dict and len(get_args(wanted)) > 1:
        # ``DataFrame | None``: what is there is loaded, so it is never None.
        wanted = next(kind for kind in get_args(wanted) if kind is not type(None))
    return None if wanted is Any else wanted


def _load_each(
    context: dg.InputContext, keys: Sequence[str], wanted: Any, several: bool
) -> dict[str, Any]:
    """Several partitions by their keys. One that never had a release is an error, unless allowed.

    The metadata of the input that allows it is the one that Dagster's own I/O managers know.
    """
    if wanted is not None and not several:
        raise ConfigError(
            f"{len(keys)} partitions are loaded, and its annotation is for one of them",
            option=context.name,
            fix=f"Annotate it as dict[str, {_name(wanted)}]",
        )
    inner = get_args(wanted)[1] if get_args(wanted) else None
    found, missing = {}, []
    for key in keys:
        if _materialisation(context, key) is None:
            missing.append(key)
        else:
            found[key] = _load(context, key, inner)
    if missing and not (context.definition_metadata or {}).get("allow_missing_partitions"):
        raise _nothing_yet(context, f"partitions {', '.join(missing)}", allowing=True)
    return found


def _load(context: dg.InputContext, partition: str | None, wanted: Any) -> Any:
    event = _materialisation(context, partition)
    if event is None:
        raise _nothing_yet(context, f"partition '{partition}'" if partition else "")
    record = StoredResult.extract(event.metadata).stored_result
    if record is not None:
        return _stored_result(context, record.value, wanted)
    release_id = ReleaseId.extract(event.metadata).release_id
    place = UriMetadataSet.extract(event.metadata).uri
    if release_id is None or place is None:
        raise ConfigError(
            "its materialisation names no release and no result to load",
            option=context.name,
            fix="Take 'training_data', 'distribution_distance' or 'optimal_ratio' of a mix as "
            "input, or depend on this asset with 'deps' and read its files",
        )
    return _loader(context, wanted)(_release(place, release_id))


def _loader(context: dg.InputContext, wanted: Any) -> Callable[["Release"], Any]:
    name = "synthmix_dagster.Release" if wanted is None else _name(wanted)
    if name not in _LOADERS:
        raise ConfigError(
            f"a release cannot be loaded as {name}",
            option=context.name,
            fix="Annotate it with one of "
            f"{', '.join(shown for shown, _ in _LOADERS.values())}, or leave the annotation out",
        )
    return _LOADERS[name][1]


def _name(kind: Any) -> str:
    """Package and name of a type: packages move their types between modules."""
    return f"{kind.__module__.partition('.')[0]}.{getattr(kind, '__name__', kind)}"


def _release(place: str, release_id: str) -> "Release":
    from synthmix_dagster.release.handle import load_release

    try:
        release = load_release(place)
    except ReleaseError as error:
        raise ReleaseError(
            f"the run depends on this release, and it cannot be loaded ({error.problem})",
            path=place,
            fix="If 'keep_releases' removed it, materialise 'training_data' again and keep more; "
            "if it lies on another machine, set 'output_root' to a place that all steps share",
        ) from None
    if release.release_id != release_id:
        raise ReleaseError(
            f"the run depends on release {release_id}, but this is {release.release_id}",
            path=place,
            fix="Materialise 'training_data' again",
        )
    return release


def _stored_result(context: dg.InputContext, record: Any, wanted: Any) -> Any:
    """A distance report or a recommendation, from the record that its step stored."""
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.orchestration.records import Records
    from synthmix_dagster.ratio.recommendation import Recommendation

    kinds = {"distribution_distance": DistanceReport, "optimal_ratio": Recommendation}
    role, kind = record["role"], kinds[record["role"]]
    if wanted not in (None, kind):
        raise ConfigError(
            f"'{role}' cannot be loaded as {_name(wanted)}",
            option=context.name,
            fix=f"Annotate it as synthmix_dagster.{kind.__name__}, or leave the annotation out",
        )
    records = Records(open_store(record["output"]), record["mix"])
    if records.digest(role) != record["digest"]:
        raise ReleaseError(
            f"the result of '{role}' that the run depends on was replaced or removed since",
            path=record["output"],
            fix=f"Materialise '{role}' in the same run",
        )
    return kind.from_dict((records.read(role) or {})["result"])  # type: ignore[attr-defined]


def _nothing_yet(
    context: dg.InputContext, partition: str, *, allowing: bool = False
) -> SynthMixError:
    asset = context.asset_key.to_user_string()
    allow = "; or set metadata={'allow_missing_partitions': True} of the input's AssetIn"
    return ConfigError(
        f"'{asset}' has not been materialised yet" + (f" in {partition}" if partition else ""),
        option=context.name,
        fix=f"Materialise '{asset}' first; a failed gate may have refused it"
        + (allow if allowing else ""),
    )


def _materialisation(
    context: dg.InputContext, partition: str | None
) -> dg.AssetMaterialization | None:
    """The materialisation that a run depends on.

    That is its own, or one of the run that it tries again; else that of the release in its tags;
    else the newest from before it began. Outside of a run it is the newest.
    """
    instance, key = context.instance, context.asset_key
    run = _run(context)
    if run is None:
        return next(_events(instance, key, partition), (None, None))[1]
    lineage = set(_lineage(instance, run))
    for run_id, event in _events(instance, key, partition, after=_begin(instance, lineage)):
        if run_id in lineage:
            return event
    asked = ReleaseTags.extract(run.tags).release_id
    if asked is not None:
        for _, event in _events(instance, key, partition):
            if ReleaseId.extract(event.metadata).release_id == asked:
                return event
    began = _begin(instance, {run.run_id})
    return next(_events(instance, key, partition, before=began), (None, None))[1]


def _run(context: dg.InputContext) -> dg.DagsterRun | None:
    try:
        return context.step_context.dagster_run
    except dg.DagsterInvariantViolationError:
        # Loaded by hand, as by `Definitions.load_asset_value`.
        return None


def _lineage(instance: dg.DagsterInstance, run: dg.DagsterRun | None) -> Iterator[str]:
    """A run, the run that it tries again, and so on."""
    while run is not None:
        yield run.run_id
        parent = run.tags.get(_PARENT_RUN)
        run = None if parent is None else instance.get_run_by_id(parent)


def _begin(instance: dg.DagsterInstance, run_ids: set[str]) -> float | None:
    """When the first of some runs began; None if that is not known."""
    records = [instance.get_run_record_by_id(run_id) for run_id in run_ids]
    times = [record.start_time for record in records if record is not None and record.start_time]
    return min(times) if times and len(times) == len(records) else None


def _events(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    partition: str | None,
    *,
    after: float | None = None,
    before: float | None = None,
) -> Iterator[tuple[str, dg.AssetMaterialization]]:
    """Materialisations with the runs that made them, the newest first."""
    found = dg.AssetRecordsFilter(
        asset_key=key,
        asset_partitions=None if partition is None else [partition],
        after_timestamp=after,
        before_timestamp=before,
    )
    cursor = None
    while True:
        page = instance.fetch_materializations(found, limit=_PAGE, cursor=cursor)
        for record in page.records:
            if record.asset_materialization is not None:
                yield record.run_id, record.asset_materialization
        if not page.has_more:
            return
        cursor = page.cursor


#: One object for all mixes: definitions that are merged may share a resource, not two of one key.
IO_MANAGER = SynthMixIOManager()
