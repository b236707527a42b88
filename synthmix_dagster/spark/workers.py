"""What the executors have to have is looked at once, by one tiny task for each of their cores.

Without it a mix fails in the middle, with the traceback of a process on another machine.
"""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import requires
from typing import Any
from weakref import WeakSet

from synthmix_dagster.errors import ClusterError, SynthMixError
from synthmix_dagster.spark.session import SparkAccess, in_time, is_remote, open_session

#: What the code that travels to the executors imports.
PACKAGES = ("numpy", "pyarrow", "pandas")
_TAG = "synthmix-workers"
#: Sessions whose executors were looked at.
_ready: "WeakSet[Any]" = WeakSet()


@dataclass(frozen=True)
class Worker:
    """The Python of an executor.

    Attributes
    ----------
    host : str
    python : str
        Version of Python.
    executable : str
    versions : dict of str to str
        Versions of packages by their names; empty where one is not installed.
    """

    host: str
    python: str
    executable: str
    versions: dict[str, str]


def ready_session(access: SparkAccess) -> Any:
    """Open a session, or take the one that is given, and look at its executors.

    Raises
    ------
    ConfigError, ClusterError
        See `open_session` and `require_workers`.
    """
    session = open_session(access)
    if session not in _ready:
        require_workers(session, access)
        _ready.add(session)
    return session


def workers_of(session: Any, access: SparkAccess, packages: Iterable[str]) -> list[Worker]:
    """The different Pythons that tasks run in.

    Raises
    ------
    ClusterError
        No executor answers in time, or Python cannot be started there.
    """
    if is_remote(session):
        from pyspark.sql.connect.functions import udf
    else:
        from pyspark.sql.functions import udf
    # Plain, since what is looked for is what Arrow needs. By default a range has a part for every
    # core that is there.
    probe = udf(_probe(tuple(packages)), "string", useArrow=False)
    frame = session.range(1000).select(probe("id").alias("worker")).distinct()
    if is_remote(session):
        tag, stop, untag = session.addTag, session.interruptTag, session.removeTag
    else:
        # Tags of a classic session do not reach jobs of another thread.
        context = session.sparkContext
        tag, stop, untag = context.addJobTag, context.cancelJobsWithTag, context.removeJobTag
    tag(_TAG)
    try:
        rows = in_time(frame.collect, access, lambda: stop(_TAG))
    except SynthMixError:
        raise
    except Exception as error:
        raise _python_failed(error, access) from None
    finally:
        untag(_TAG)
    return [Worker(**json.loads(row.worker)) for row in rows]


def require_workers(session: Any, access: SparkAccess) -> None:
    """Refuse executors whose Python is another one, or lacks packages.

    Raises
    ------
    ClusterError
        It says what to install where.
    """
    problems: list[str] = []
    for worker in workers_of(session, access, PACKAGES):
        lacking = problems_of(worker)
        if lacking:
            problems.append(f"{worker.executable} on {worker.host} has {', '.join(lacking)}")
    if problems:
        needed = ", ".join(f"'{name}{bound}'" for name, bound in _bounds().items())
        raise ClusterError(
            "the executors cannot run the tasks of a mix: " + "; ".join(problems),
            cluster=access.place,
            fix=f"Install {needed} for Python {_minor(sys.version)} on every worker, ship an "
            "environment with 'spark.archives', or name another one with 'spark.pyspark.python'",
        )


def problems_of(worker: Worker) -> list[str]:
    """What is wrong with the Python of an executor, in words.

    Examples
    --------
    >>> problems_of(Worker("host", "2.7.18", "/usr/bin/python", {"numpy": "", "pyarrow": "1.0"}))
    ['Python 2.7', 'no numpy', 'pyarrow 1.0']
    """
    from packaging.specifiers import SpecifierSet

    found = []
    if _minor(worker.python) != _minor(sys.version):
        found.append(f"Python {_minor(worker.python)}")
    bounds = _bounds()
    for name, version in worker.versions.items():
        if not version:
            found.append(f"no {name}")
        elif not SpecifierSet(bounds[name]).contains(version, prereleases=True):
            found.append(f"{name} {version}")
    return found


def _bounds() -> dict[str, str]:
    """Versions that this package needs, by the names of packages."""
    from packaging.requirements import Requirement

    needed = [Requirement(line) for line in requires("synthmix-dagster") or []]
    return {each.name: str(each.specifier) for each in needed if each.name in PACKAGES}


def _minor(version: str) -> str:
    return ".".join(version.split()[0].split(".")[:2])


def _probe(packages: tuple[str, ...]) -> Callable[[Any], str]:
    """A function that travels by its text: executors need not have this package."""

    def probe(_: Any) -> str:
        import json
        import platform
        import sys
        from importlib.metadata import PackageNotFoundError, version

        versions = {}
        for name in packages:
            try:
                versions[name] = version(name)
            except PackageNotFoundError:
                versions[name] = ""
        python = {"python": platform.python_version(), "executable": sys.executable}
        return json.dumps({"host": platform.node(), **python, "versions": versions})

    return probe


def _python_failed(error: Exception, access: SparkAccess) -> ClusterError:
    """An error of Spark's about the Python of executors, as one of this family."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "PYTHON_VERSION_MISMATCH" in line or "No module" in line]
    telling += [line for line in lines if "Cannot run program" in line]
    first = (telling or lines or [type(error).__name__])[0]
    said = access.without_secrets(first.lstrip(": "))[:400]
    return ClusterError(
        f"Python cannot be run on the executors ({said})",
        cluster=access.place,
        fix=f"Install Python {_minor(sys.version)} with numpy and pyarrow on every worker, and "
        "name it with the option 'spark.pyspark.python'",
    )
