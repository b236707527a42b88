"""What S3 answers when it refuses, word for word, given by a proxy to whatever a rule names.

The bodies are those that the service documents and sends; a `HEAD` has none, as on the service.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from s3 import _asked, _whole, relayed


class Request(NamedTuple):
    """Method, path with query, and headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]


class Answer(NamedTuple):
    """A refusal of the service."""

    status: str
    code: str
    message: str
    more: str = ""
    headers: str = ""
    within: str = ""

    def sent(self, method: str) -> bytes:
        body = f"<Error><Code>{self.code}</Code><Message>{self.message}</Message>{self.more}"
        if self.within:
            body = f"<{self.within}>{body}</Error></{self.within}>"
        else:
            body += "<RequestId>4442587FB7D0A2F9</RequestId><HostId>nnRIjqDyXw</HostId></Error>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
        head = (
            f"HTTP/1.1 {self.status}\r\nContent-Type: application/xml\r\n{self.headers}"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return (head if method == "HEAD" else head + body).encode()


DENIED = Answer(
    "403 Forbidden",
    "AccessDenied",
    "User: arn:aws:iam::123456789012:user/loader is not authorized to perform: s3:PutObject on "
    'resource: "arn:aws:s3:::bucket/x" because no identity-based policy allows the action',
)
NOT_DELETED = Answer(
    "200 OK",
    "AccessDenied",
    "Access Denied",
    "<Key>403/NotImplemented/metadata-of-redirects/x</Key>",
    within="DeleteResult",
)
EXPIRED = Answer(
    "400 Bad Request", "ExpiredToken", "The provided token has expired.", "<Token-0>FQoG</Token-0>"
)
ELSEWHERE = Answer(
    "301 Moved Permanently",
    "PermanentRedirect",
    "The bucket you are attempting to access must be addressed using the specified endpoint. "
    "Please send all future requests to this endpoint.",
    "<Endpoint>bucket.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>bucket</Bucket>",
    "x-amz-bucket-region: eu-central-1\r\n",
)
OTHER_REGION = Answer(
    "400 Bad Request",
    "AuthorizationHeaderMalformed",
    "The authorization header is malformed; the region 'us-east-1' is wrong; expecting "
    "'eu-central-1'",
    "<Region>eu-central-1</Region>",
    "x-amz-bucket-region: eu-central-1\r\n",
)
UNCONDITIONAL = Answer(
    "501 Not Implemented",
    "NotImplemented",
    "A header you provided implies functionality that is not implemented",
    "<Header>If-None-Match</Header>",
)
NO_BUCKET = Answer(
    "404 Not Found",
    "NoSuchBucket",
    "The specified bucket does not exist",
    "<BucketName>bucket</BucketName>",
)
UNKNOWN_KEY = Answer(
    "403 Forbidden",
    "InvalidAccessKeyId",
    "The AWS Access Key Id you provided does not exist in our records.",
)
BUSY = Answer(
    "400 Bad Request",
    "RequestTimeout",
    "Your socket connection to the server was not read from or written to within the timeout "
    "period. Idle connections will be closed.",
)
SKEWED = Answer(
    "403 Forbidden",
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
)

#: From a request to the answer, or to the request as it is passed on to the server.
Rule = Callable[[Request], Answer | Request]


@contextmanager
def answering(endpoint: str, rule: Rule) -> Iterator[str]:
    """A proxy before a server that answers what a rule answers: its address."""
    upstream = int(endpoint.rpartition(":")[2])
    with relayed(lambda client: _relay(client, upstream, rule)) as address:
        yield address


def _relay(client: socket.socket, upstream: int, rule: Rule) -> None:
    with client:
        whole = _whole(client)
        if whole is None:
            return
        head, _, body = whole.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split()
        pairs = (line.split(": ", 1) for line in lines if ": " in line)
        found = rule(Request(method, path, {name.lower(): value for name, value in pairs}))
        if isinstance(found, Answer):
            client.sendall(found.sent(method))
            return
        kept = "".join(f"{name}: {value}\r\n" for name, value in found.headers.items())
        passed = f"{method} {path} HTTP/1.1\r\n{kept}Connection: close\r\n\r\n"
        client.sendall(_asked(passed.encode() + body, upstream))
