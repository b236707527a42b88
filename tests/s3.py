"""A real S3 server in a process of its own, and a proxy before it that fails now and then."""

import importlib.util
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from servers import unavailable

from synthmix_dagster.data.store import StoreAccess

BUCKET = "bucket"
KEY, SECRET = "AKIAPLANTEDKEY", "planted-secret/of+the=server"

SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def s3_server() -> Iterator[str]:
    """Address of a server with one bucket."""
    if importlib.util.find_spec("moto") is None:
        unavailable("moto is not installed")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        while not line.strip().isdigit():
            line = server.stdout.readline()
        endpoint = f"http://127.0.0.1:{line.strip()}"
        try:
            make_bucket(endpoint)
            yield endpoint
        finally:
            server.kill()


def make_bucket(endpoint: str, name: str = BUCKET) -> None:
    import boto3

    boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    ).create_bucket(Bucket=name)


def access(endpoint: str, **options: object) -> StoreAccess:
    """How to reach a server; with a lease that a test can wait for."""
    given = {"lease_seconds": 3.0, "timeout_seconds": 10.0, "retry_seconds": 20.0, **options}
    return StoreAccess(
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=KEY,
        secret_access_key=SECRET,
        **given,  # type: ignore[arg-type]
    )


class Faults:
    """Which requests fail, and how: the same ones for the same seed."""

    KINDS = ("500", "503", "reset", "silence")

    def __init__(self, seed: int, share: float, silence: float) -> None:
        self.random, self.share, self.silence = random.Random(seed), share, silence
        self.lock, self.seen = threading.Lock(), dict.fromkeys((*self.KINDS, ""), 0)

    def next(self) -> str:
        with self.lock:
            failed = self.random.random() < self.share
            kind = self.random.choice(self.KINDS) if failed else ""
            self.seen[kind] += 1
            return kind


@contextmanager
def failing(endpoint: str, seed: int, share: float = 0.1, silence: float = 3.0) -> Iterator[tuple]:
    """A proxy before a server: its address, and what it did to how many requests.

    A request that fails has reached the server in every second case: then only its answer is lost.
    """
    faults = Faults(seed, share, silence)
    upstream = int(endpoint.rpartition(":")[2])
    with relayed(lambda client: _relay(client, upstream, faults)) as address:
        yield address, faults


@contextmanager
def relayed(relay: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listening address, each of whose connections is given to a function in a thread."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=relay, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()


def _relay(client: socket.socket, upstream: int, faults: Faults) -> None:
    """One request for each connection, so that each has a fate of its own."""
    with client:
        request = _whole(client)
        if request is None:
            return
        kind = faults.next()
        if kind and faults.random.random() < 0.5:
            _asked(request, upstream)
        if kind in ("500", "503"):
            client.sendall(
                f"HTTP/1.1 {kind} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
        elif kind == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif kind == "silence":
            time.sleep(faults.silence)
        else:
            client.sendall(_asked(request, upstream))


def _whole(client: socket.socket) -> bytes | None:
    """A request with its body, asking for no further one on the same connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    length = next(
        (int(x.split(b":")[1]) for x in lines if x.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        more = client.recv(65536)
        if not more:
            return None
        body += more
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body


def _asked(request: bytes, upstream: int) -> bytes:
    with socket.create_connection(("127.0.0.1", upstream)) as server:
        server.sendall(request)
        answer = b""
        while more := server.recv(65536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body
