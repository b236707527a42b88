"""Local imitations of object stores: as much of each as reading files takes.

Each runs in a process of its own: a client that holds the interpreter while it waits for an answer
would otherwise wait forever.
"""

import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from urllib.request import Request, urlopen
from xml.sax.saxutils import escape

CHANGED = "Tue, 02 Jan 2024 03:04:05 GMT"
STAMP = "2024-01-02T03:04:05.000Z"


class Store(BaseHTTPRequestHandler):
    """Objects by ``bucket/key``."""

    objects: dict[str, bytes]

    def log_message(self, *_):
        pass

    def do_PUT(self):
        """What a test puts there; no store is written to in its own language."""
        size = int(self.headers["Content-Length"])
        self.objects[unquote(self.path).lstrip("/")] = self.rfile.read(size)
        self.send(201)

    def do_HEAD(self):
        self.answer(urlsplit(self.path))

    def do_GET(self):
        self.answer(urlsplit(self.path))

    def listed(self, bucket, query):
        """Objects and folders of a bucket below a prefix."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        found, folders = {}, set()
        for path, content in sorted(self.objects.items()):
            name = path.removeprefix(f"{bucket}/")
            if name == path or not name.startswith(prefix):
                continue
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                found[name] = content
        return found, sorted(folders)

    def send(self, status, body=b"", size=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_object(self, content, **headers):
        """The object, or the part of it that is asked for."""
        if self.command == "HEAD":
            return self.send(200, size=len(content), Last_Modified=CHANGED, **headers)
        wanted = self.headers.get("Range") or self.headers.get("x-ms-range")
        if not wanted:
            return self.send(200, content, Last_Modified=CHANGED, **headers)
        start, _, stop = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(start), min(int(stop or len(content)) + 1, len(content))
        headers["Content_Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        return self.send(206, content[start:stop], Last_Modified=CHANGED, **headers)


def query_of(url):
    return {name: values[0] for name, values in parse_qs(url.query).items()}


class S3(Store):
    scheme = "s3"

    def answer(self, url):
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if not key:
            return self.send(200, self._listing(bucket, query_of(url)))
        content = self.objects.get(f"{bucket}/{key}")
        return self.send(404) if content is None else self.send_object(content)

    def _listing(self, bucket, query):
        found, folders = self.listed(bucket, query)
        entries = [
            f"<Contents><Key>{escape(name)}</Key><Size>{len(content)}</Size>"
            f"<LastModified>{STAMP}</LastModified></Contents>"
            for name, content in found.items()
        ]
        entries += [f"<CommonPrefixes><Prefix>{f}</Prefix></CommonPrefixes>" for f in folders]
        body = f"<IsTruncated>false</IsTruncated><KeyCount>{len(entries)}</KeyCount>"
        return f"<ListBucketResult>{body}{''.join(entries)}</ListBucketResult>".encode()

    @staticmethod
    def uri(path, port):
        options = f"scheme=http&region=us-east-1&endpoint_override=127.0.0.1:{port}"
        return f"s3://key:secret@{quote(path, safe='/*')}?{options}"


class Google(Store):
    def answer(self, url):
        parts = url.path.split("/")
        if parts[1] != "storage":
            content = self.objects.get(unquote(url.path).lstrip("/"))
            return self.send(404) if content is None else self.send_object(content)
        bucket, key = unquote(parts[4]), unquote(parts[6]) if len(parts) > 6 else ""
        if not key:
            found, folders = self.listed(bucket, query_of(url))
            items = [self._described(bucket, *item) for item in found.items()]
            return self.send(200, json.dumps({"items": items, "prefixes": folders}).encode())
        content = self.objects.get(f"{bucket}/{key}")
        if content is None:
            return self.send(404)
        if query_of(url).get("alt") == "media":
            return self.send_object(content)
        return self.send(200, json.dumps(self._described(bucket, key, content)).encode())

    def _described(self, bucket, name, content):
        size = str(len(content))
        return {"bucket": bucket, "name": name, "size": size, "updated": STAMP, "generation": size}

    @staticmethod
    def uri(path, port):
        options = f"scheme=http&endpoint_override=127.0.0.1:{port}&retry_limit_seconds=5"
        return f"gs://anonymous@{quote(path, safe='/*')}?{options}"


class Azure(Store):
    def answer(self, url):
        _, bucket, *key = unquote(url.path).strip("/").split("/", 2)
        if "action" in query_of(url):
            # No hierarchical namespace: folders are parts of names.
            return self.send(400, x_ms_error_code="HierarchicalNamespaceNotEnabled")
        if query_of(url).get("comp") == "list":
            return self.send(200, self._listing(bucket, query_of(url)), Content_Type="text/xml")
        content = self.objects.get("/".join((bucket, *key)))
        if content is None:
            return self.send(404, x_ms_error_code="BlobNotFound")
        about = {"x_ms_blob_type": "BlockBlob", "x_ms_server_encrypted": "true"}
        self.send_object(content, ETag=f'"{len(content)}"', x_ms_creation_time=CHANGED, **about)

    def _listing(self, bucket, query):
        found, folders = self.listed(bucket, query)
        blobs = [
            f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{CHANGED}"
            f"</Last-Modified><Etag>{len(content)}</Etag><Content-Length>{len(content)}"
            "</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name, content in found.items()
        ]
        blobs += [f"<BlobPrefix><Name>{folder}</Name></BlobPrefix>" for folder in folders]
        return (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="" '
            f'ContainerName="{bucket}"><Blobs>{"".join(blobs)}</Blobs><NextMarker/>'
            "</EnumerationResults>"
        ).encode()

    @staticmethod
    def uri(path, port):
        options = "enable_tls=false&credential_kind=anonymous"
        return f"abfs://account@127.0.0.1:{port}/{quote(path, safe='/*')}?{options}"


@contextmanager
def serving(kind):
    """A function that puts an object there, and one from a path to its URI."""
    command = [sys.executable, __file__, kind.__name__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline())

        def put(path, content):
            address = f"http://127.0.0.1:{port}/{quote(path)}"
            with urlopen(Request(address, data=content, method="PUT")):
                pass

        try:
            yield put, lambda path: kind.uri(path, port)
        finally:
            server.terminate()


if __name__ == "__main__":
    handler = type("Handler", (globals()[sys.argv[1]],), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(server.server_port, flush=True)
    server.serve_forever()
