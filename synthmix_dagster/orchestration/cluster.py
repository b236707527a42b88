"""Spark clusters as resources of a Dagster project: one of ours, and sessions that it has."""

from typing import Any

import dagster as dg
from pydantic import Field

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.config.mix_datasets import MixDatasets
from synthmix_dagster.spark.session import TIMEOUT, SparkAccess, close_session


class SynthMixSpark(dg.ConfigurableResource[Any]):
    """How to reach a Spark cluster: set `master`, or `remote` for Spark Connect.

    A mix with ``engine: spark`` names it by its key, ``spark: cluster``, or finds it at the key
    ``spark``. Give secrets as ``dg.EnvVar("NAME")``: Dagster shows plain values in its UI. A
    project that has a session already names the resource of that one: a ``SparkSession``, or an
    object whose attribute ``spark_session`` is one.

    Examples
    --------
    >>> cluster = SynthMixSpark(
    ...     master="spark://host:7077", options={"spark.executor.memory": "8g"}
    ... )
    >>> cluster.access().place
    'spark://host:7077'
    """

    master: str | None = Field(
        default=None,
        description="Master of a classic driver, which runs in the process of the step: "
        "spark://host:7077, yarn, k8s://… or, on one machine, local[4].",
    )
    remote: str | None = Field(
        default=None, description="Address of a Spark Connect server, such as sc://host:15002."
    )
    options: dict[str, str] = Field(
        default={}, description="Options of the session, such as spark.executor.memory."
    )
    timeout_seconds: float = Field(
        default=TIMEOUT,
        description="Seconds within which the cluster has to answer, a first executor included.",
    )

    def access(self) -> SparkAccess:
        """The same as the functions of the package take it."""
        return SparkAccess(
            master=self.master,
            remote=self.remote,
            options=dict(self.options),
            timeout_seconds=self.timeout_seconds,
        )

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the session that the steps of this run opened."""
        close_session(self.access())


def cluster_of(config: MixDatasets) -> SparkAccess | None:
    """How the running step reaches the cluster of a mix; None where its engine needs none."""
    if config.cluster is None:
        return None
    return cluster_at(
        getattr(dg.OpExecutionContext.get().resources, config.cluster), config.cluster
    )


def cluster_at(resource: Any, key: str) -> SparkAccess:
    """How a resource reaches a cluster.

    Raises
    ------
    ConfigError
        The resource gives no session.
    """
    if isinstance(resource, SynthMixSpark):
        return resource.access()
    session = getattr(resource, "spark_session", resource)
    if not all(hasattr(session, name) for name in ("sql", "table", "range", "conf")):
        raise ConfigError(
            f"the resource '{key}' is a {type(resource).__name__}, which has no session of Spark",
            option="spark",
            fix="Name a SynthMixSpark, a SparkSession, or a resource whose 'spark_session' is one",
        )
    return SparkAccess(session=session)
