"""What happens to a release after it was published: it is sent to other places.

A table of a warehouse is an asset of its own, so that dbt and dashboards can depend on it.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.metadata.metadata_set import TableMetadataSet

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import GateError
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.connection import warehouse_of
from synthmix_dagster.orchestration.metadata_keys import PublishedMetadata, TableMetadata
from synthmix_dagster.orchestration.outcome import Inputs, Outcome
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.storage import reached
from synthmix_dagster.release.delta_target import append_to_delta
from synthmix_dagster.release.handle import Release
from synthmix_dagster.release.table_target import write_table
from synthmix_dagster.release.verification import verify_release


def send(config: MixConfig, release: Release) -> Mapping[str, Any]:
    """Send a release wherever `publish` says, and describe where it is now.

    A step that is tried again sends it again: every target knows what it has.
    """
    publish = config.publish
    if publish is None or publish.delta is None:
        return {}
    table = open_store(publish.delta, reached(publish.storage or config.storage))
    added = append_to_delta(release, table)
    return dict(PublishedMetadata(delta_table=added.uri, delta_version=added.version))


def publish_table(config: MixConfig, inputs: Inputs) -> Outcome:
    """Write the release that passed its gates to a table, whole or not at all.

    Raises
    ------
    GateError
        There is no release, or it is not the one that was published.
    QueryError
        The table cannot be written; it is what it was before.
    """
    publish = config.publish
    assert publish is not None
    assert publish.table is not None
    key = str(publish.connection)
    release = _released(config)
    columns = write_table(
        release,
        warehouse_of(inputs.resources[key], key),
        publish.table,
        append=publish.mode == "append",
        partition=config.partition,
        seconds=publish.time_limit,
    )
    result = {"id": release.release_id, "manifest": release.details.digest, **table_of(config)}
    MixPaths.of(config).records.write("published_table", {"result": result})
    described = TableMetadataSet(
        table_name=publish.table,
        row_count=release.details.realised.rows,
        column_schema=dg.TableSchema(
            [dg.TableColumn(each.name, str(each.type)) for each in columns]
        ),
    )
    found = TableMetadata(release_id=release.release_id, connection=key, mode=publish.mode)
    return Outcome({**described, **found}, release.release_id)


def table_of(config: MixConfig) -> dict[str, str]:
    """Table, connection and mode, where a release is published as a table."""
    publish = config.publish
    if publish is None or publish.table is None:
        return {}
    return {
        "table": publish.table,
        "connection": str(publish.connection),
        "mode": publish.mode,
    }


def _released(config: MixConfig) -> Release:
    """The release of the last run that passed its gates, read again from its files."""
    paths = MixPaths.of(config)
    result = (paths.records.read("training_data") or {}).get("result")
    fix = f"Materialise '{config.asset_key('training_data').to_user_string()}' first"
    if result is None:
        raise GateError("there is no release to publish as a table", mix=config.name, fix=fix)
    release = verify_release(paths.output.below("releases", str(result["id"])))
    if release.details.digest != result["manifest"]:
        raise GateError(
            f"the manifest of release {release.release_id} is not the one that was published",
            mix=config.name,
            fix=fix.replace(" first", " again"),
        )
    return release
