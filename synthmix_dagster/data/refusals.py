"""What the client of an object store raises, in terms of this package.

A store says why it refuses by a code in the body of its answer, such as ``AccessDenied``, or by a
status alone. Both are looked for where an answer has them: an address may hold any word.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from synthmix_dagster.errors import ReleaseError, StoreError

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore

Value = TypeVar("Value")

#: Seconds between tries of a request: the first, and the most.
_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: In the answer itself, and as the client quotes it of one of several objects.
_CODE = re.compile(r"(?:<Code>|\(code: )(\w+)")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_STATUS = re.compile(r"status code: (\d{3})")
_ADDRESS = re.compile(r"https?://\S+|(?:for path|at location) \S+")
_LONGEST = 500


class Refusal(NamedTuple):
    """Codes, statuses and words of an answer, what they mean, what to do, and whether to go on."""

    codes: str
    statuses: tuple[int, ...]
    words: str
    problem: str
    fix: str
    transient: bool


_NO_BUCKET = Refusal(
    "NoSuchBucket|ContainerNotFound|FilesystemNotFound",
    (),
    "specified bucket does not exist|container does not exist",
    "the bucket does not exist",
    "Create it, or correct its name",
    False,
)
_NO_CREDENTIALS = Refusal(
    "",
    (),
    "",
    "no credentials were found",
    "Set them in the environment, or in the resource named by 'storage'",
    False,
)
#: Where clients look last: at the machine, which is none of a cloud.
_LAST_PLACE = re.compile(
    r"token request|/latest/(?:api/token|meta-data)|/computeMetadata/|/metadata/identity"
)
_REFUSALS = (
    _NO_BUCKET,
    Refusal(
        "ExpiredToken(Exception)?|TokenRefreshRequired|RequestExpired",
        (),
        "token (has|is) expired|expired token",
        "the credentials have expired",
        "Renew them, and let the run get new ones",
        False,
    ),
    Refusal(
        "RequestTimeTooSkewed",
        (),
        "",
        "the clock of this machine differs from that of the store",
        "Set the clock of this machine",
        False,
    ),
    Refusal(
        "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AuthenticationFailed|InvalidSecurity"
        "|InvalidClientTokenId",
        (401,),
        "lacks valid authentication|Unauthenticated|invalid_grant",
        "the credentials are not valid",
        "Check the keys in the environment or in the resource named by 'storage'",
        False,
    ),
    Refusal(
        "PermanentRedirect|TemporaryRedirect|AuthorizationHeaderMalformed|AuthorizationQueryParametersError"
        "|IllegalLocationConstraintException",
        (301, 302, 307, 308),
        "incorrectly configured region|missing region",
        "the region or endpoint is not that of the bucket",
        "Set the region and the endpoint of the bucket",
        False,
    ),
    Refusal(
        "NotImplemented|NotSupported|UnsupportedHeader",
        (501,),
        "Operation not (yet )?implemented|NotSupportedError",
        "the store does not support conditional writes",
        "Use a store that writes under a condition: without it two runs could publish over each "
        "other",
        False,
    ),
    Refusal(
        "AccessDenied|AllAccessDisabled|AuthorizationPermissionMismatch|AuthorizationFailure"
        "|InsufficientAccountPermissions",
        (403,),
        "PermissionDeniedError",
        "permission to {verb} is denied",
        "Grant the credentials the permission to {verb} objects below it",
        False,
    ),
    Refusal(
        "",
        (),
        "failed to lookup address|dns error|tcp connect|error sending request|instance metadata",
        "the store does not answer",
        "Check the endpoint, the network and that credentials are set",
        True,
    ),
)
_UNKNOWN = Refusal("", (), "", "the store failed", "Run again", True)
_REFUSED = Refusal(
    "",
    (),
    "",
    "the store refuses the request",
    "Check the address, and whether the store is one of those that this package supports",
    False,
)
#: Of the answers that blame the request, those that a later try may not get.
_LATER_CODES = "RequestTimeout|SlowDown|TooManyRequests|OperationAborted|ServerBusy"
_LATER_STATUSES = (408, 409, 425, 429)


def again(seconds: float, ask: Callable[[], Value]) -> Value:
    """Ask for something until it is answered, refused for good, or the time is over.

    Clients try again by themselves only what they know to be harmless, and only a few times.

    Parameters
    ----------
    seconds : float
        After which no further try begins.
    ask : callable
        What may be done twice.
    """
    until, pause = time.monotonic() + seconds, _PAUSE
    while True:
        try:
            return ask()
        except StoreError as error:
            if not error.transient or time.monotonic() + pause > until:
                raise
        # Of several that were refused at the same time not all come back at the same time.
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def refusals(store: "ObjectStore", verb: str, name: str) -> Iterator[None]:
    """Turn what a client raises into a `StoreError`; a missing object stays `FileNotFoundError`."""
    started = time.monotonic()
    try:
        yield
        return
    except (StoreError, ReleaseError):
        raise
    except Exception as error:
        text = f"{type(error).__name__} {error}"
        missing = isinstance(error, FileNotFoundError) and _refusal_of(text) is not _NO_BUCKET
    where = f"{store.uri}/{name}".rstrip("/")
    if missing:
        raise FileNotFoundError(f"there is no object '{where}'")
    meant = _refusal_of(text)
    said = store.access.without_secrets(_said(text))
    what = f"to {verb} '{name or '.'}', after {time.monotonic() - started:.0f} s"
    raise StoreError(
        f"{meant.problem.format(verb=verb)} ({what}: {said})",
        store=store.uri,
        # Without the permission to list, S3 says of an object that is not there that it may not be
        # read.
        fix=meant.fix.format(verb="read and list" if verb == "read" else verb),
        transient=meant.transient,
    )


def _refusal_of(text: str) -> Refusal:
    """What an answer means; its code says more than its status, and that more than its words."""
    if _LAST_PLACE.search(text):
        return _NO_CREDENTIALS
    plain = _ADDRESS.sub("", text)
    codes, statuses = _CODE.findall(text), [int(found) for found in _STATUS.findall(plain)]
    for code in codes:
        for each in _REFUSALS:
            if each.codes and re.fullmatch(each.codes, code):
                return each
    for each in _REFUSALS:
        if set(statuses) & set(each.statuses) or _has(each.words, plain):
            return each
    later = any(re.fullmatch(_LATER_CODES, code) for code in codes)
    blamed = [status for status in statuses if 400 <= status < 500]
    refused = blamed and not later and not set(blamed) & set(_LATER_STATUSES)
    return _REFUSED if refused else _UNKNOWN


def _has(words: str, text: str) -> bool:
    return bool(words) and re.search(words, text, re.IGNORECASE) is not None


def _said(text: str) -> str:
    """Code and message of an answer, or else the beginning of the text.

    The rest of an answer may quote keys, tokens and what was signed.
    """
    code, message = _CODE.search(text), _MESSAGE.search(text)
    if code is None:
        return first_line(text)
    return first_line(f"{code[1]}: {message[1]}").rstrip(":") if message else code[1]


def first_line(error: Any) -> str:
    """What an error says, without the picture of its structure that follows."""
    text = str(error).partition("Debug source")[0]
    return " ".join(text.split()).rstrip(".")[:_LONGEST]
