"""A Spark cluster on this machine: a master, workers and a Connect server as processes of tests.

Tests share one for a session. Whatever was started is ended with the session, also after a failure.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from servers import free_port, running, unavailable, until

#: Seconds that a process may take on a machine where others compute as well.
PATIENCE = 300.0
_DAEMON = "org.apache.spark.deploy"
#: What sessions of tests say: no web pages, and no address but that of this machine.
OPTIONS: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "1g",
    # Two executors of one core each, so that the sessions of several drivers fit on the cluster.
    "spark.executor.cores": "1",
    "spark.cores.max": "2",
    "spark.pyspark.python": sys.executable,
    "spark.sql.shuffle.partitions": "4",
    # Two cores: a task that waits for data where it lies would wait for the other one's work.
    "spark.locality.wait": "0s",
}


def require_spark() -> Path:
    """Folder of PySpark; where it or Java is missing, the test is skipped, in CI it fails."""
    if find_spec("pyspark") is None:
        unavailable("PySpark is not installed: pip install 'synthmix-dagster[spark]'")
    if shutil.which("java") is None:
        unavailable("Java is not installed; with apt it is 'openjdk-17-jre-headless'")
    import pyspark

    return Path(pyspark.__file__).parent


@dataclass
class Cluster:
    """A standalone cluster.

    Attributes
    ----------
    master : str
        Its address.
    folder : Path
        Where its logs are.
    home : Path
        Folder of PySpark.
    workers : dict of str to Popen
        Processes by the names of their logs.
    """

    master: str
    folder: Path
    home: Path
    workers: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def options(self) -> dict[str, str]:
        """Options of a session."""
        return dict(OPTIONS)

    def start_worker(self) -> str:
        """Start one more worker, and return its name."""
        name = f"worker-{len(list(self.folder.glob('worker-*.log')))}"
        words = ["-c", "4", "-m", "4g", "--host", "127.0.0.1", "--webui-port", "0"]
        words += ["-d", str(self.folder / name), self.master]
        process = self.stack.enter_context(
            _program(self.home, self.folder, name, f"{_DAEMON}.worker.Worker", *words)
        )
        _until_said(self.folder, name, process, "Successfully registered with master")
        self.workers[name] = process
        return name

    def kill_worker(self) -> str:
        """End a worker that lives, with its executors, as a machine that loses power does."""
        name = next(name for name, each in self.workers.items() if each.poll() is None)
        process = self.workers.pop(name)
        # Executors are processes of the group that the worker leads.
        os.killpg(process.pid, 9)
        process.wait()
        return name


@contextmanager
def spark_cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A master and workers, each with room for an executor of four sessions."""
    home = require_spark()
    port = free_port()
    words = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    with ExitStack() as stack:
        master = stack.enter_context(
            _program(home, folder, "master", f"{_DAEMON}.master.Master", *words)
        )
        _until_said(folder, "master", master, "New state: ALIVE")
        cluster = Cluster(f"spark://127.0.0.1:{port}", folder, home, stack=stack)
        for _ in range(workers):
            cluster.start_worker()
        yield cluster


@contextmanager
def connect_server(cluster: Cluster) -> Iterator[str]:
    """A Spark Connect server whose tasks run on a cluster: its address."""
    port = free_port()
    options = {
        **OPTIONS,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    words = ["org.apache.spark.deploy.SparkSubmit", "--master", cluster.master]
    words += [word for name, value in options.items() for word in ("--conf", f"{name}={value}")]
    words += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    with _program(cluster.home, cluster.folder, "connect", *words, "spark-internal") as process:
        _until_said(cluster.folder, "connect", process, "Spark Connect server started")
        yield f"sc://127.0.0.1:{port}"


def _program(home: Path, folder: Path, name: str, *words: str):  # type: ignore[no-untyped-def]
    env = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        # Without a REST server of a fixed port.
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_DAEMON_MEMORY": "512m",
    }
    program = [str(home / "bin" / "spark-class"), *words]
    return running(program, folder / f"{name}.log", cwd=folder, env=env)


def _until_said(folder: Path, name: str, process: "subprocess.Popen[bytes]", words: str) -> None:
    """Wait until a log has some words."""
    log = folder / f"{name}.log"

    def said() -> bool | None:
        text = log.read_text(errors="replace")
        assert process.poll() is None, text[-3000:]
        return True if re.search(words, text) else None

    until(said, f"{name}: {words}", PATIENCE)
