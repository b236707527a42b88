"""Real processes that tests start, ask and end."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

Found = TypeVar("Found")


def unavailable(why: str) -> NoReturn:
    """Skip what this machine cannot run; in CI, where nothing may be skipped unseen, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def until(found: Callable[[], Found | None], what: str, seconds: float) -> Found:
    """Ask again and again for something that another process does, for so long at most."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value is not None:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        # Another process: only the clock can be waited on.
        time.sleep(0.3)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> str:
    """Wait until a webserver answers."""

    def answers() -> str | None:
        assert process.poll() is None, "the webserver ended"
        try:
            urllib.request.urlopen(f"{url}/server_info", timeout=5).close()
        except (urllib.error.URLError, OSError):
            return None
        return url

    return until(answers, "the webserver answers", 90)


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """Ask a webserver by GraphQL."""
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    assert "errors" not in found, found
    data: dict[str, Any] = found["data"]
    return data


@contextmanager
def running(
    words: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server with all that it starts; at the end all of it is ended."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, how)
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                break


#: Runs a job of `project.py` as its instance and its executor say.
_RUN = """
import sys
import dagster as dg
import project

keys = [dg.AssetKey(key.split("/")) for key in sys.argv[1:] if "=" not in key]
tags = dict(word.split("=") for word in sys.argv[1:] if "=" in word)
with dg.DagsterInstance.get() as instance, dg.execute_job(
    dg.reconstructable(project.job), instance, asset_selection=keys or None, tags=tags
) as result:
    print("succeeded" if result.success else "failed")
"""


def execute(project: str, folder: Path, home: Path, *selection: str) -> tuple[bool, str]:
    """Run a project's job in a process of its own, and say whether it succeeded and what it said.

    Parameters
    ----------
    project : str
        Source of a module whose function `job` returns the job.
    folder : Path
        Where the module lies.
    home : Path
        Of the Dagster instance.
    *selection : str
        Keys of assets, all by default, and tags of the run as ``name=value``.
    """
    (folder / "project.py").write_text(project)
    places = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *selection],
        cwd=folder,
        env={
            **os.environ,
            "DAGSTER_HOME": str(home),
            "PYTHONPATH": os.pathsep.join(places),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().endswith("succeeded"), done.stderr


#: ODBC driver of MariaDB, where Debian's package puts it.
MARIADB_DRIVER = next(Path("/usr/lib").glob("*/odbc/libmaodbc.so"), Path("libmaodbc.so"))


@contextmanager
def mariadb() -> Iterator[int]:
    """A MariaDB server of a test's own on a free port, with a database 'shop'."""
    place = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if place is None or install is None or not MARIADB_DRIVER.exists():
        unavailable(
            "MariaDB or its driver is not installed; with apt they are 'mariadb-server' and "
            "'odbc-mariadb'"
        )
    folder = Path(tempfile.mkdtemp(prefix="synthmix-mariadb-"))
    data, socket_path, port = folder / "data", folder / "s", free_port()
    root = os.geteuid() == 0
    common = ["--no-defaults", f"--datadir={data}", *(["--user=mysql"] if root else [])]
    script = folder / "init.sql"
    script.write_text(
        "create database shop;\ncreate user dagster@'%';\ngrant all on *.* to dagster@'%';\n"
    )
    if root:
        shutil.chown(folder, "mysql")
    try:
        made = subprocess.run(
            [install, *common, "--skip-test-db", "--auth-root-authentication-method=normal"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        words = [
            place,
            *common,
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={socket_path}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={script}",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        log = folder / "server.log"
        with running(words, log, cwd=folder, env=os.environ) as process:

            def answers() -> int | None:
                assert process.poll() is None, log.read_text()
                return port if "ready for connections" in log.read_text() else None

            yield until(answers, "MariaDB answers", 120)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def programs() -> Path | None:
    """Where the server's programs are, the newest release of those that are installed."""
    found = shutil.which("initdb")
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found is None and not places:
        return None
    return Path(found).parent if found else places[-1].parent


@contextmanager
def postgres() -> Iterator[int]:
    """A PostgreSQL server of a test's own on a free port, which is gone afterwards."""
    place = programs()
    if place is None:
        unavailable("PostgreSQL is not installed; with apt it is 'postgresql'")
    folder = Path(tempfile.mkdtemp(prefix="synthmix-postgres-"))
    # It refuses to run as root.
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, *pwd.getpwnam("postgres")[2:4])
        as_user = ["runuser", "-u", "postgres", "--"]
    free = free_port()
    settings = (
        f"-c listen_addresses=127.0.0.1 -c port={free} -c unix_socket_directories={folder} "
        "-c fsync=off -c max_connections=50"
    )

    def call(program: str, *words: str) -> None:
        # What it starts keeps its output open, so that it goes into a file and not into a pipe.
        log = folder / "commands.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [*as_user, str(place / program), *words],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
            )
        assert done.returncode == 0, log.read_text()

    data = str(folder / "data")
    try:
        call("initdb", "-D", data, "-U", "dagster", "-A", "trust", "-E", "UTF8", "--no-sync")
        call("pg_ctl", "-D", data, "-o", settings, "-l", str(folder / "server.log"), "-w", "start")
        try:
            yield free
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
