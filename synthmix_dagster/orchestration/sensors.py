"""What happens after a release: a sensor that acts on each new one that passed its gates."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.metadata.metadata_set import UriMetadataSet

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.config.dataset import asset_key_of
from synthmix_dagster.orchestration.metadata_keys import ReleaseId, ReleaseTags

#: Materialisations that one tick looks at.
_PAGE = 100


@dataclass(frozen=True)
class NewRelease:
    """A release as its materialisation recorded it.

    Attributes
    ----------
    asset_key : AssetKey
        Of the ``training_data``.
    release_id : str
    uri : str
        Its location.
    partition : str or None
    run_id : str
        The run that published it.
    metadata : dict of str to object
        All its metadata, such as ``synthmix/ratio_realised``.
    """

    asset_key: dg.AssetKey
    release_id: str
    uri: str
    partition: str | None
    run_id: str
    metadata: dict[str, Any]

    @property
    def tags(self) -> dict[str, str]:
        """Tags that identify the release a run is for."""
        return dict(
            ReleaseTags(
                release_id=self.release_id,
                release_uri=self.uri,
                release_of=self.asset_key.to_user_string(),
            )
        )


#: May return run requests, or nothing.
OnRelease = Callable[[dg.SensorEvaluationContext, NewRelease], Any]


def build_release_sensor(
    training_data: str | dg.AssetKey,
    *,
    job: Any = None,
    on_release: OnRelease | None = None,
    name: str | None = None,
    minimum_interval_seconds: int = 30,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Build a sensor that acts on every new release of a mix.

    A release counts once the run that published it has ended and the check ``mix_as_recommended``
    has passed in that run. An unchanged release, with the id of the one before, is not new.

    Parameters
    ----------
    training_data : asset key
        The asset ``training_data`` of the mix.
    job : job, optional
        Runs for every new release, with its id and location as the tags ``synthmix/release_id`` and
        ``synthmix/release_uri``, and its partition if the job has partitions.
    on_release : callable, optional
        Called with the sensor's context and the `NewRelease`. With a `job` it decides what to run:
        it returns one ``RunRequest``, several, or nothing.
    name : str, optional
    minimum_interval_seconds : int
    default_status : DefaultSensorStatus

    Returns
    -------
    SensorDefinition

    Raises
    ------
    ConfigError
        Neither `job` nor `on_release` is given.

    Examples
    --------
    >>> train = dg.define_asset_job("train", selection="model")
    >>> build_release_sensor("flights/training_data", job=train).name
    'flights__training_data_released'
    """
    if job is None and on_release is None:
        raise ConfigError(
            "the sensor has nothing to run and nothing to call",
            option="job, on_release",
            fix="Set at least one of them",
        )
    key = asset_key_of(training_data)

    def released(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        state = _state(context, key)
        requests: list[dg.RunRequest] = []
        for release, storage_id in _new_materialisations(context.instance, key, state["after"]):
            verdict = _verdict(context.instance, release)
            if verdict is None:
                # Its run is not finished: the next tick looks at it again, and at those after it.
                break
            state["after"] = storage_id
            place = release.partition or ""
            if not verdict or state["seen"].get(place) == release.release_id:
                continue
            state["seen"][place] = release.release_id
            if on_release is None:
                requests.append(_request(release, job))
            else:
                requests += _as_requests(on_release(context, release))
        cursor = json.dumps(state)
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return dg.SensorDefinition(
        name=name or f"{'__'.join(key.path)}_released",
        evaluation_fn=released,
        job=job,
        description=f"Acts on every new release of {key.to_user_string()}.",
        minimum_interval_seconds=minimum_interval_seconds,
        default_status=default_status,
    )


def _state(context: dg.SensorEvaluationContext, key: dg.AssetKey) -> dict[str, Any]:
    """Where the last tick ended; the first tick begins with the newest release, not with all."""
    if context.cursor:
        state: dict[str, Any] = json.loads(context.cursor)
        return state
    newest = context.instance.fetch_materializations(key, limit=1).records
    return {"after": newest[0].storage_id - 1 if newest else 0, "seen": {}}


def _new_materialisations(
    instance: dg.DagsterInstance, key: dg.AssetKey, after: int
) -> Iterator[tuple[NewRelease, int]]:
    """Releases since the last tick, oldest first."""
    page = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, after_storage_id=after), limit=_PAGE, ascending=True
    )
    for record in page.records:
        event = record.asset_materialization
        if event is None:
            continue
        release_id = ReleaseId.extract(event.metadata).release_id
        if release_id is not None:
            release = NewRelease(
                key,
                release_id,
                UriMetadataSet.extract(event.metadata).uri or "",
                record.partition_key,
                record.run_id,
                {name: value.value for name, value in event.metadata.items()},
            )
            yield release, record.storage_id


def _verdict(instance: dg.DagsterInstance, release: NewRelease) -> bool | None:
    """Whether every blocking check of the release passed; None until its run is finished."""
    run = instance.get_run_by_id(release.run_id)
    if run is None:
        # Reported by hand, or its run was deleted: there is no evidence that it passed.
        return False
    if not run.is_finished:
        return None
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [
        entry.dagster_event.asset_check_evaluation_data
        for entry in events
        if entry.dagster_event is not None
    ]
    own = [each for each in evaluations if each.asset_key == release.asset_key]
    failed = [
        each for each in own if not each.passed and each.severity is dg.AssetCheckSeverity.ERROR
    ]
    return bool(own) and not failed


def _request(release: NewRelease, job: Any) -> dg.RunRequest:
    partitioned = getattr(job, "partitions_def", None) is not None
    return dg.RunRequest(
        run_key=f"{release.partition or ''} {release.release_id}".strip(),
        tags=release.tags,
        partition_key=release.partition if partitioned else None,
    )


def _as_requests(result: Any) -> list[dg.RunRequest]:
    if result is None or isinstance(result, dg.SkipReason):
        return []
    return [result] if isinstance(result, dg.RunRequest) else list(result)
