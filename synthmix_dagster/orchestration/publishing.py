"""What happens to a release after it was published: it is sent to other places."""

from collections.abc import Mapping
from typing import Any

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.metadata_keys import PublishedMetadata
from synthmix_dagster.orchestration.storage import reached
from synthmix_dagster.release.delta_target import append_to_delta
from synthmix_dagster.release.handle import Release


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
