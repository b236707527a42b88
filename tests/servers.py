"""Real processes that tests start, ask and end."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")


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
