"""What the client of an object store raises, in terms of this package."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from synthmix_dagster.errors import ReleaseError, StoreError

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore


class Refusal(NamedTuple):
    """What an answer holds, what that means, what to do, and whether a later try may succeed."""

    pattern: str
    problem: str
    fix: str
    transient: bool


_REFUSALS = (
    Refusal(
        r"NoSuchBucket|ContainerNotFound|bucket does not exist",
        "the bucket does not exist",
        "Create it, or correct its name",
        False,
    ),
    Refusal(
        r"ExpiredToken|token has expired|TokenRefreshRequired|RequestExpired",
        "the credentials have expired",
        "Renew them, and let the run get new ones",
        False,
    ),
    Refusal(
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AuthenticationFailed"
        r"|InvalidSecurity",
        "the credentials are not valid",
        "Check the keys in the environment or in the resource named by 'storage'",
        False,
    ),
    Refusal(
        r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|wrong region"
        r"|missing region|redirect",
        "the region or endpoint is not that of the bucket",
        "Set the region and the endpoint of the bucket",
        False,
    ),
    Refusal(
        r"NotImplemented|501 |Operation not (yet )?implemented|NotSupported",
        "the store does not support conditional writes",
        "Use a store that writes under a condition: without it two runs could publish over each "
        "other",
        False,
    ),
    Refusal(
        r"AccessDenied|403|PermissionDenied|lacks valid authentication|401|Unauthenticated",
        "permission to {verb} is denied",
        "Grant the credentials the permission to {verb} objects below it",
        False,
    ),
    Refusal(
        r"resolve|dns error|tcp connect|error sending request|metadata",
        "the store does not answer",
        "Check the endpoint, the network and that credentials are set",
        True,
    ),
)

_UNKNOWN = Refusal("", "the store failed", "Run again", True)


@contextmanager
def refusals(store: "ObjectStore", verb: str, name: str) -> Iterator[None]:
    """Turn what a client raises into a `StoreError`; a missing object stays `FileNotFoundError`."""
    started = time.monotonic()
    try:
        yield
        return
    except (StoreError, ReleaseError):
        raise
    except FileNotFoundError as error:
        text = str(error)
        missing = not re.search(_REFUSALS[0][0], text)
    except Exception as error:
        text, missing = f"{type(error).__name__} {error}", False
    where = f"{store.uri}/{name}".rstrip("/")
    if missing:
        raise FileNotFoundError(f"there is no object '{where}'")
    fits = (each for each in _REFUSALS if re.search(each.pattern, text, re.IGNORECASE))
    meant = next(fits, _UNKNOWN)
    said = store.access.without_secrets(first_line(text))
    what = f"to {verb} '{name or '.'}', after {time.monotonic() - started:.0f} s"
    raise StoreError(
        f"{meant.problem.format(verb=verb)} ({what}: {said})",
        store=store.uri,
        fix=meant.fix.format(verb=verb),
        transient=meant.transient,
    )


def first_line(error: Any) -> str:
    """What an error says, without the picture of its structure that follows."""
    text = str(error).partition("Debug source")[0]
    return " ".join(text.split()).rstrip(".")[:500]
