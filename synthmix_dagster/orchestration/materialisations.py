"""Which materialisation of an asset a run depends on.

Steps of one run agree on it, whatever is published while they run, and so does a run that is tried
again: what counts is when the first of them was launched.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from synthmix_dagster.orchestration.metadata_keys import ReleaseId, ReleaseTags

#: Materialisations that are fetched together. Their metadata holds pictures.
_PAGE = 10
#: Dagster's tag of a run that tries another one again.
_PARENT_RUN = "dagster/parent_run_id"


@dataclass(frozen=True)
class Depended:
    """What the run of a step depends on, or what a call outside of runs is given.

    Attributes
    ----------
    instance : DagsterInstance
    asset_key : AssetKey
    run : DagsterRun, optional
        None outside of runs, where the newest materialisation counts.
    """

    instance: dg.DagsterInstance
    asset_key: dg.AssetKey
    run: dg.DagsterRun | None

    @classmethod
    def of(cls, context: dg.InputContext) -> "Depended":
        """What the step that loads an input depends on."""
        try:
            run = context.step_context.dagster_run
        except dg.DagsterInvariantViolationError:
            # Loaded by hand, as by `Definitions.load_asset_value`.
            run = None
        return cls(context.instance, context.asset_key, run)

    def on(self, partition: str | None, *, alone: bool) -> dg.AssetMaterialization | None:
        """The materialisation of a partition, or of the asset where it has none.

        That is its own, or one of the run that it tries again; else that of the release in its
        tags; else the newest from before the launch.

        Parameters
        ----------
        partition : str, optional
        alone : bool
            Whether no other partition is loaded: tags name one release.
        """
        if self.run is None:
            return next(self._newest_first(partition), None)
        runs = list(self._executions(self.run))
        for run in runs:
            own = self._made_in(run, partition)
            if own is not None:
                return own
        named = self._named(partition, self.run) if alone else None
        if named is not None:
            return named
        launched = self._launched(runs[-1])
        # Clocks of machines differ: what came just after the launch is better than nothing.
        return next(self._newest_first(partition, before=launched), None) or next(
            self._newest_first(partition, ascending=True), None
        )

    def _named(self, partition: str | None, run: dg.DagsterRun) -> dg.AssetMaterialization | None:
        """The release that a run is for, if it is one of this asset."""
        tags = ReleaseTags.extract(run.tags)
        of_another = tags.release_of not in (None, self.asset_key.to_user_string())
        if tags.release_id is None or of_another:
            return None
        return next(
            (
                event
                for event in self._newest_first(partition)
                if ReleaseId.extract(event.metadata).release_id == tags.release_id
            ),
            None,
        )

    def _executions(self, run: dg.DagsterRun) -> Iterator[dg.DagsterRun]:
        """A run, the run that it tries again, and so on to the first."""
        current: dg.DagsterRun | None = run
        while current is not None:
            yield current
            before = current.tags.get(_PARENT_RUN)
            current = None if before is None else self.instance.get_run_by_id(before)

    def _made_in(self, run: dg.DagsterRun, partition: str | None) -> dg.AssetMaterialization | None:
        events = self.instance.all_logs(
            run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        made = (entry.asset_materialization for entry in reversed(events))
        wanted = (self.asset_key, partition)
        return next((one for one in made if one and (one.asset_key, one.partition) == wanted), None)

    def _launched(self, run: dg.DagsterRun) -> float | None:
        """When a run was created. The record of a run has that in whole seconds."""
        first = self.instance.get_records_for_run(run.run_id, limit=1).records
        return first[0].timestamp if first else None

    def _newest_first(
        self, partition: str | None, *, before: float | None = None, ascending: bool = False
    ) -> Iterator[dg.AssetMaterialization]:
        wanted = dg.AssetRecordsFilter(
            asset_key=self.asset_key,
            asset_partitions=None if partition is None else [partition],
            before_timestamp=before,
        )
        cursor, more = None, True
        while more:
            page = self.instance.fetch_materializations(
                wanted, limit=_PAGE, cursor=cursor, ascending=ascending
            )
            cursor, more = page.cursor, page.has_more
            events = (record.asset_materialization for record in page.records)
            # One without metadata was marked by hand: nothing was made.
            yield from (event for event in events if event is not None and event.metadata)
