"""The part of Google Cloud Storage that `obstore` writes by: its XML interface, in memory.

No package imitates it: their servers know the JSON interface only. Names and answers are those of
Google's reference of the XML API: generations, preconditions on them, uploads in parts. It runs in
a process of its own, as every store of the tests does.
"""

import hashlib
import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

CHANGED = "Tue, 02 Jan 2024 03:04:05 GMT"
STAMP = "2024-01-02T03:04:05.000Z"


class Google(BaseHTTPRequestHandler):
    """Objects by ``bucket/key``, each with its generation."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, tuple[bytes, int]] = {}  # noqa: RUF012 - one store for all requests
    uploads: dict[str, dict[int, bytes]] = {}  # noqa: RUF012
    numbers = itertools.count(1)
    lock = threading.Lock()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _address(self) -> tuple[str, dict[str, str]]:
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        return unquote(url.path).strip("/"), {name: values[0] for name, values in query.items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def _store(self, name: str, content: bytes) -> None:
        """Write an object if its generation is the one that is asked for."""
        wanted = self.headers.get("x-goog-if-generation-match")
        with self.lock:
            held = self.objects.get(name)
            if wanted is not None and int(wanted) != (0 if held is None else held[1]):
                return self._refused(412, "PreconditionFailed")
            generation = next(self.numbers)
            self.objects[name] = content, generation
        return self._answer(200, **_described(content, generation))

    def do_PUT(self) -> None:
        name, query = self._address()
        body = self._body()
        if "uploadId" in query:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return self._answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')
        return self._store(name, body)

    def do_POST(self) -> None:
        name, query = self._address()
        body = self._body()
        if "uploads" in query:
            number = f"upload-{next(self.numbers)}"
            self.uploads[number] = {}
            found = f"<UploadId>{number}</UploadId>"
            answer = f"<InitiateMultipartUploadResult>{found}</InitiateMultipartUploadResult>"
            return self._answer(200, answer.encode())
        parts = self.uploads.pop(query["uploadId"])
        listed = [
            int(each.text or 0)
            for each in ElementTree.fromstring(body).iter()
            if each.tag.endswith("PartNumber")
        ]
        with self.lock:
            generation = next(self.numbers)
            content = b"".join(parts[number] for number in listed)
            self.objects[name] = content, generation
        tag = _described(content, generation)["ETag"]
        answer = (
            f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        )
        return self._answer(200, answer.encode(), **_described(content, generation))

    def do_DELETE(self) -> None:
        name, query = self._address()
        if "uploadId" in query:
            self.uploads.pop(query["uploadId"], None)
            return self._answer(204)
        with self.lock:
            held = self.objects.pop(name, None)
        return self._refused(404, "NoSuchKey") if held is None else self._answer(204)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name, query = self._address()
        if "/" not in name or "list-type" in query:
            return self._answer(200, self._listing(name, query))
        held = self.objects.get(name)
        if held is None:
            return self._refused(404, "NoSuchKey")
        content, described = held[0], _described(*held)
        wanted = self.headers.get("Range", "")
        if self.command == "HEAD" or not wanted:
            return self._answer(200, content, length=str(len(content)), **described)
        start, _, stop = wanted.removeprefix("bytes=").partition("-")
        first, last = int(start), min(int(stop or len(content)), len(content) - 1)
        span = f"bytes {first}-{last}/{len(content)}"
        return self._answer(206, content[first : last + 1], Content_Range=span, **described)

    def _listing(self, bucket: str, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        found, folders = [], set()
        for path, (content, generation) in sorted(self.objects.items()):
            name = path.removeprefix(f"{bucket}/")
            if name == path or not name.startswith(prefix):
                continue
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
                continue
            tag = _described(content, generation)["ETag"]
            found.append(
                f"<Contents><Key>{escape(name)}</Key><Size>{len(content)}</Size>"
                f"<ETag>{escape(tag)}</ETag><LastModified>{STAMP}</LastModified></Contents>"
            )
        found += [
            f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in sorted(folders)
        ]
        count = f"<KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>"
        return f"<ListBucketResult>{count}{''.join(found)}</ListBucketResult>".encode()


def _described(content: bytes, generation: int) -> dict[str, str]:
    return {
        "ETag": f'"{hashlib.md5(content).hexdigest()}"',
        "x_goog_generation": str(generation),
        "Last_Modified": CHANGED,
    }


@contextmanager
def google_server() -> Iterator[str]:
    """The endpoint of a server that runs meanwhile."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


if __name__ == "__main__":
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Google)
    print(serving.server_port, flush=True)
    serving.serve_forever()
