"""A session on a Spark cluster: opened by an address, or one that a project already has.

Whatever is wrong is said before a job is started: PySpark or Java that is not installed, an address
that nobody answers at, a cluster without a free executor.
"""

import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from synthmix_dagster.errors import ClusterError, ConfigError, SynthMixError
from synthmix_dagster.redaction import cause_of, without_secrets

Answer = TypeVar("Answer")

#: Seconds within which a cluster has to answer, a first executor included.
TIMEOUT = 120.0
#: Option and variable that name the Python of the executors.
_PYTHON, _PYTHON_VARIABLE = "spark.pyspark.python", "PYSPARK_PYTHON"
_MASTER = re.compile(r"local(\[.*\])?|spark://.+|yarn|k8s://.+")
#: Words in the names of options whose values no message may show.
_SECRET = ("password", "secret", "token", "key", "credential", "sas")
_HOW = "Set one of 'master', 'remote' and 'session'"


@dataclass(frozen=True)
class SparkAccess:
    """How to reach a Spark cluster: set one of `master`, `remote` and `session`.

    Attributes
    ----------
    master : str, optional
        Of the classic driver: ``spark://host:7077``, ``yarn``, ``k8s://…``, or ``local[4]`` for
        this machine alone.
    remote : str, optional
        Address of a Spark Connect server, such as ``sc://host:15002``.
    session : SparkSession, optional
        A session that is there already, such as one of Databricks Connect; it is left open.
    options : mapping of str to str
        Options of the session by their names, such as ``spark.executor.memory``.
    timeout_seconds : float
        How long the cluster may take to answer, a first executor included.

    Examples
    --------
    >>> SparkAccess(remote="sc://host:15002/;token=secret").place
    'sc://host:15002/'
    """

    master: str | None = None
    remote: str | None = field(default=None, repr=False)
    session: Any = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = TIMEOUT

    def __post_init__(self) -> None:
        given = [name for name in ("master", "remote", "session") if getattr(self, name)]
        if len(given) != 1:
            found = "none of them is set" if not given else f"{' and '.join(given)} are set"
            raise ConfigError(found, option="spark", fix=_HOW)
        if self.master is not None and not _MASTER.fullmatch(self.master):
            raise ConfigError(
                f"'{without_secrets(self.master)}' is not the address of a master",
                option="master",
                fix="Set it to 'spark://host:7077', 'yarn', 'k8s://…' or 'local[4]'",
            )
        if self.remote is not None and not self.remote.startswith("sc://"):
            # It is not shown: a token may be anywhere in what is no address.
            raise ConfigError(
                "its value is not the address of a Spark Connect server",
                option="remote",
                fix="Set it to 'sc://host:15002'",
            )
        if not self.timeout_seconds > 0:
            raise ConfigError(
                f"it is {self.timeout_seconds}",
                option="timeout_seconds",
                fix="Set it to a number of seconds above 0",
            )

    @property
    def place(self) -> str:
        """The cluster as messages name it."""
        if self.session is not None:
            return "the given session"
        return without_secrets(self.master or self.remote or "")

    def without_secrets(self, text: str) -> str:
        """A text without the token of the address and without secret values of options."""
        for name, value in self.options.items():
            if value and any(word in name.lower() for word in _SECRET):
                text = text.replace(value, "***")
        return without_secrets(text, *([] if self.remote is None else [self.remote]))


#: Classic sessions that were opened here, by what they were opened with.
_opened: dict[tuple[str | None, tuple[tuple[str, str], ...]], Any] = {}


def close_session(access: SparkAccess) -> None:
    """Stop a classic session that was opened here; one that was there before stays open."""
    session = _opened.pop((access.master, tuple(sorted(access.options.items()))), None)
    if session is not None:
        session.stop()


def open_session(access: SparkAccess) -> Any:
    """Open a session, or return the one that the project has or that is open at the same address.

    Raises
    ------
    ConfigError
        PySpark or Java is missing, or a session on another cluster is open in this process.
    ClusterError
        Nobody answers in time.
    """
    if access.session is not None:
        return access.session
    _require_pyspark()
    with _explained(access):
        if access.remote is not None:
            return _connected(access)
        _require_java()
        _require_master(access)
        return _classic(access)


def is_remote(session: Any) -> bool:
    """Whether a session speaks with its driver over Spark Connect."""
    return ".connect." in type(session).__module__


def in_time(call: Callable[[], Answer], access: SparkAccess, stop: Callable[[], Any]) -> Answer:
    """What a call to a cluster returns; if it takes too long it is stopped.

    Raises
    ------
    ClusterError
        It took longer than the cluster may take.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        with suppress(Exception):
            stop()

    timer = threading.Timer(access.timeout_seconds, end)
    timer.daemon = True
    timer.start()
    try:
        return call()
    except Exception as error:
        if late.is_set():
            raise ClusterError(
                f"no executor answered within {access.timeout_seconds:g} s",
                cluster=access.place,
                fix="Check that the cluster has workers with free cores and as much memory as "
                "'spark.executor.memory' says, or raise 'timeout_seconds'",
                transient=True,
            ) from None
        raise error
    finally:
        timer.cancel()


def _require_pyspark() -> None:
    try:
        import pyspark
    except ImportError as error:
        raise ConfigError(
            f"the engine 'spark' needs a package that is not installed ({error.name})",
            option="engine",
            fix="Install it with: pip install 'synthmix-dagster[spark]'",
        ) from error
    if int(pyspark.__version__.partition(".")[0]) < 4:
        raise ConfigError(
            f"the engine 'spark' needs PySpark 4 or newer, and {pyspark.__version__} is installed",
            option="engine",
            fix="Install it with: pip install 'synthmix-dagster[spark]'",
        )


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and (Path(home) / "bin" / "java").exists()):
        raise ConfigError(
            "there is no Java, which the driver of Spark runs on",
            option="master",
            fix="Install Java 17 or newer, such as 'openjdk-17-jre-headless', and set JAVA_HOME if "
            "it is not on the path; or set 'remote', which needs none here",
        )


def _require_master(access: SparkAccess) -> None:
    """Refuse a master that nobody answers at, which Spark itself would ask for a minute."""
    master = access.master or ""
    if not master.startswith("spark://"):
        return
    addresses = master.removeprefix("spark://").split(",")
    problems = []
    for address in addresses:
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), access.timeout_seconds).close()
            return
        except (OSError, ValueError) as error:
            problems.append(f"{address}: {getattr(error, 'strerror', None) or error}")
    raise ClusterError(
        f"the master cannot be reached ({'; '.join(problems)})",
        cluster=access.place,
        fix="Check the address and that the master is running",
        transient=True,
    )


def _classic(access: SparkAccess) -> Any:
    from pyspark.sql import SparkSession

    there = SparkSession.getActiveSession()
    if there is not None and there.sparkContext.master != access.master:
        raise ConfigError(
            f"a session on '{there.sparkContext.master}' is open in this process already",
            option="master",
            fix="Pass it as 'session', or close it first: a process has one Spark driver",
        )
    options = {"spark.app.name": "synthmix", **access.options}
    builder = SparkSession.builder.master(access.master or "")
    for name, value in options.items():
        builder = builder.config(name, value)
    with _python_of_executors(access):
        session = builder.getOrCreate()
    if there is None:
        _opened[access.master, tuple(sorted(access.options.items()))] = session
    return session


@contextmanager
def _python_of_executors(access: SparkAccess) -> Iterator[None]:
    """Say which Python runs on the executors: a driver reads it once, from its environment."""
    before = os.environ.get(_PYTHON_VARIABLE)
    python = access.options.get(_PYTHON, before)
    if python is None and (access.master or "").startswith("local"):
        python = sys.executable
    if python is not None:
        os.environ[_PYTHON_VARIABLE] = python
    try:
        yield
    finally:
        if before is not None:
            os.environ[_PYTHON_VARIABLE] = before
        else:
            os.environ.pop(_PYTHON_VARIABLE, None)


def _connected(access: SparkAccess) -> Any:
    import grpc
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client import DefaultChannelBuilder

    remote = access.remote or ""
    # The client itself would try for ten minutes.
    channel = DefaultChannelBuilder(remote).toChannel()
    try:
        grpc.channel_ready_future(channel).result(timeout=access.timeout_seconds)
    except grpc.FutureTimeoutError:
        raise ClusterError(
            f"no Spark Connect server answered within {access.timeout_seconds:g} s",
            cluster=access.place,
            fix="Check the address and that the server is running (sbin/start-connect-server.sh)",
            transient=True,
        ) from None
    finally:
        channel.close()
    builder = SparkSession.builder.remote(remote)
    for name, value in access.options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    in_time(lambda: session.version, access, session.stop)
    return session


@contextmanager
def _explained(access: SparkAccess) -> Iterator[None]:
    """What Spark says while a session opens, in one error without secrets."""
    try:
        yield
    except SynthMixError:
        raise
    except Exception as error:
        said = access.without_secrets(" ".join(str(error).split()))[:400]
        fix = "Check the address, the options and the log of the driver"
        if "JAVA_GATEWAY_EXITED" in said or "Java gateway process exited" in said:
            fix = "Check that Java is 17 or newer ('java -version'), and the options of the driver"
        shown = cause_of(error, *([] if access.remote is None else [access.remote]))
        clean = shown is not None and access.without_secrets(str(error)) == str(error)
        raise ClusterError(
            f"no session can be opened ({said})", cluster=access.place, fix=fix
        ) from (shown if clean else None)
