"""One session for all tests of this room, on the cluster that all tests share."""

from collections.abc import Iterator
from typing import Any

import pytest
from spark_cluster import Cluster


@pytest.fixture(scope="session")
def session(cluster: Cluster) -> Iterator[Any]:
    from synthmix_dagster.spark.session import SparkAccess, open_session

    options = {**cluster.options, "spark.sql.session.timeZone": "America/New_York"}
    made = open_session(SparkAccess(master=cluster.master, options=options))
    made.sparkContext.setLogLevel("ERROR")
    yield made
    made.stop()
