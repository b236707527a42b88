"""One local session for all tests of this room; executors are threads, Python workers processes."""

import importlib.util
import os
import shutil
import sys

import pytest
from servers import unavailable


@pytest.fixture(scope="session")
def session():
    if importlib.util.find_spec("pyspark") is None:
        unavailable("pyspark is not installed")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        unavailable("Java is not installed")
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

    # Three shuffle partitions, so that parts of a dataset are merged; a task may fail once.
    made = (
        SparkSession.builder.master("local[2,2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "3")
        .config("spark.sql.session.timeZone", "America/New_York")
        .getOrCreate()
    )
    made.sparkContext.setLogLevel("ERROR")
    yield made
    made.stop()
