"""The engine of a cluster: executors move the rows, the driver sees samples and counts."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SparkEngine:
    """Does on a Spark cluster what `ArrowEngine` does on one machine, with the same rows.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
        Classic or Connect.
    memory_mb : int
        Memory budget of one task on an executor in MB.
    """

    session: Any = field(repr=False)
    memory_mb: int = 1_000
