"""Dagster's own way of loading what a mix made: ``def model(training_data: pd.DataFrame)``.

What is loaded is found in Dagster's event log: the materialisation that the run depends on names
the release, so `latest` is never asked. Nothing of a mix's settings is needed, and so another code
location, which knows the asset by its key alone, loads in the same way.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

import dagster as dg
from dagster._core.definitions.metadata.metadata_set import UriMetadataSet
from pydantic import PrivateAttr

from synthmix_dagster.data.store import StoreAccess
from synthmix_dagster.errors import ConfigError, InputError, ReleaseError, did_you_mean
from synthmix_dagster.orchestration.failures import at_the_edge
from synthmix_dagster.orchestration.materialisations import Depended
from synthmix_dagster.orchestration.metadata_keys import ReleaseId, StoredResult
from synthmix_dagster.orchestration.storage import access_of

if TYPE_CHECKING:
    from synthmix_dagster.release.handle import Release

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
    ``distribution_distance`` is a `DistanceReport`, ``optimal_ratio`` a `Recommendation`, or where
    there is more than one ratio a `SourceMixture`, `ClassRatios` or `EmbeddingOptimum`.
    One partition is loaded by itself, several as a mapping of their keys.

    The assets of a mix store themselves, so there is nothing to configure. Every mix brings this
    I/O manager along under the key ``synthmix_io_manager``. Another code location passes it as a
    resource and names its key in the specification of the asset.

    Examples
    --------
    >>> spec = dg.AssetSpec(["flights", "training_data"]).with_io_manager_key("releases")
    >>> defs = dg.Definitions(assets=[spec], resources={"releases": SynthMixIOManager()})
    """

    _access: StoreAccess | None = PrivateAttr(None)

    def reaching(self, access: StoreAccess) -> "SynthMixIOManager":
        """The same for releases in an object store with an endpoint or credentials of its own."""
        copy = SynthMixIOManager()
        copy._access = access
        return copy

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
                if several:
                    raise InputError(
                        "it has no partitions, and its annotation is for several",
                        asset=_asset(context),
                        fix="Annotate the input with the type of one value",
                    )
                return _load(context, None, wanted, self._access)
            keys = list(context.asset_partition_keys)
            if len(keys) == 1 and not several:
                return _load(context, keys[0], wanted, self._access)
            return _load_each(context, keys, wanted, several, self._access)


def _is_of_a_mix(value: Any) -> bool:
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.ratio.answers import Answer
    from synthmix_dagster.release.handle import Release

    return isinstance(value, Release | DistanceReport | Answer)


def _annotation(context: dg.InputContext) -> Any:
    """Type of the parameter; None where there is none."""
    wanted = context.dagster_type.typing_type
    if get_origin(wanted) is not dict and len(get_args(wanted)) > 1:
        # ``DataFrame | None``: what is there is loaded, so it is never None.
        wanted = next(kind for kind in get_args(wanted) if kind is not type(None))
    return None if wanted is Any else wanted


def _load_each(
    context: dg.InputContext,
    keys: Sequence[str],
    wanted: Any,
    several: bool,
    access: StoreAccess | None,
) -> dict[str, Any]:
    """Several partitions by their keys. One that never had a release is an error, unless allowed.

    The metadata of the input that allows it is the one that Dagster's own I/O managers know.
    """
    if wanted is not None and not several:
        raise InputError(
            f"{len(keys)} partitions are loaded, and the annotation is for one of them",
            asset=_asset(context),
            fix=f"Annotate the input as dict[str, {_name(wanted)}]",
        )
    inner = get_args(wanted)[1] if get_args(wanted) else None
    depended = Depended.of(context)
    found = {key: depended.on(key, alone=len(keys) == 1) for key in keys}
    missing = [key for key, event in found.items() if event is None]
    if missing and not (context.definition_metadata or {}).get("allow_missing_partitions"):
        # Nothing is loaded in vain.
        raise _nothing_yet(context, f"partitions {', '.join(missing)}", allowing=True)
    there = {key: event for key, event in found.items() if event is not None}
    return {key: _value(context, event, inner, access) for key, event in there.items()}


def _load(
    context: dg.InputContext, partition: str | None, wanted: Any, access: StoreAccess | None
) -> Any:
    event = Depended.of(context).on(partition, alone=True)
    if event is None:
        raise _nothing_yet(context, f"partition '{partition}'" if partition else "")
    return _value(context, event, wanted, access)


def _value(
    context: dg.InputContext,
    event: dg.AssetMaterialization,
    wanted: Any,
    access: StoreAccess | None,
) -> Any:
    record = StoredResult.extract(event.metadata).stored_result
    if record is not None:
        return _stored_result(context, record.value, wanted, access)
    release_id = ReleaseId.extract(event.metadata).release_id
    place = UriMetadataSet.extract(event.metadata).uri
    if release_id is None or place is None:
        raise InputError(
            "its materialisation names no release and no result to load",
            asset=_asset(context),
            fix="Take 'training_data', 'distribution_distance' or 'optimal_ratio' of a mix as "
            "input, or depend on this asset with 'deps' and read its files",
        )
    load = _loader(context, wanted)
    context.log.info(f"{_asset(context)}: release {release_id} from {place}")
    return load(_release(place, release_id, access))


def _loader(context: dg.InputContext, wanted: Any) -> Callable[["Release"], Any]:
    name = "synthmix_dagster.Release" if wanted is None else _name(wanted)
    if name not in _LOADERS:
        raise InputError(
            f"a release cannot be loaded as {name}",
            asset=_asset(context),
            fix=did_you_mean(name, (shown for shown, _ in _LOADERS.values())),
        )
    return _LOADERS[name][1]


def _name(kind: Any) -> str:
    """Package and name of a type: packages move their types between modules."""
    return f"{kind.__module__.partition('.')[0]}.{getattr(kind, '__name__', kind)}"


def _asset(context: dg.InputContext) -> str:
    return context.asset_key.to_user_string()


def _release(place: str, release_id: str, access: StoreAccess | None) -> "Release":
    from synthmix_dagster.release.handle import load_release

    try:
        release = load_release(place, access)
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


def _stored_result(
    context: dg.InputContext, record: Any, wanted: Any, access: StoreAccess | None
) -> Any:
    """A distance report or a recommendation, from the record that its step stored."""
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.orchestration.records import Records
    from synthmix_dagster.ratio.answers import kind_of

    role, output = record["role"], open_store(record["output"], access)
    records = Records(output, record["mix"], record.get("generator"))
    stored = (records.read(role) or {}).get("result", {})
    kind: Any = DistanceReport if role == "distribution_distance" else kind_of(stored)
    if wanted not in (None, kind):
        raise InputError(
            f"it cannot be loaded as {_name(wanted)}",
            asset=_asset(context),
            fix=f"Annotate the input as {_name(kind)}, or leave the annotation out",
        )
    if records.digest(role) != record["digest"]:
        raise ReleaseError(
            f"the result of '{role}' that the run depends on was replaced or removed since",
            path=record["output"],
            fix=f"Materialise '{role}' in the same run",
        )
    return kind.from_dict(stored)


def _nothing_yet(context: dg.InputContext, partition: str, *, allowing: bool = False) -> InputError:
    asset = _asset(context)
    allow = "; or set metadata={'allow_missing_partitions': True} of the input's AssetIn"
    return InputError(
        "it has not been materialised yet" + (f" in {partition}" if partition else ""),
        asset=asset,
        fix=f"Materialise '{asset}' first; a failed gate may have refused it"
        + (allow if allowing else ""),
    )


@cache
def io_manager_for(storage: str | None) -> Any:
    """The I/O manager of all mixes whose output is reached by one resource.

    One object: definitions that are merged may share a resource, not have two of one key.
    """
    if storage is None:
        return SynthMixIOManager()

    @dg.io_manager(required_resource_keys={storage})
    def reaching(context: dg.InitResourceContext) -> SynthMixIOManager:
        return SynthMixIOManager().reaching(access_of(getattr(context.resources, storage), storage))

    return reaching
