"""Signatures of releases: by a callable over the digest of the manifest, kept beside it.

The digest of a manifest covers everything in a release, so whoever signs it signs every file. Keys
belong to whoever calls: nothing of them is stored, and errors of theirs are not quoted.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from synthmix_dagster.data.store import Store
from synthmix_dagster.errors import ConfigError, ReleaseError

#: From the digest of a manifest, 32 bytes, to a signature.
Sign = Callable[[bytes], bytes]
#: Whether a signature is that of a digest. Only True accepts it; an error refuses it as well.
Verifier = Callable[[bytes, bytes], bool]

#: Name of the file in a release.
SIGNATURE = "manifest.json.sig"
#: More is no signature.
_MAX_BYTES = 2**16


@dataclass(frozen=True)
class HmacKey:
    """A secret that both sides know: signs by HMAC-SHA256, and verifies.

    Attributes
    ----------
    key : bytes
        Of 16 bytes or more. It is not shown.

    Examples
    --------
    >>> secret = HmacKey(b"sixteen bytes or more")
    >>> secret.verify(b"digest", secret.sign(b"digest")), secret
    (True, HmacKey())
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < 16:
            raise ConfigError(
                f"it has {len(self.key)} bytes", option="key", fix="Use 16 random bytes or more"
            )

    @classmethod
    def from_environment(cls, name: str) -> "HmacKey":
        """Read the key from an environment variable, as its bytes.

        Raises
        ------
        ConfigError
            The variable is not set, or too short for a key.
        """
        if name not in os.environ:
            raise ConfigError(
                f"the environment variable '{name}' is not set",
                option="key",
                fix="Set it to a secret of 16 characters or more",
            )
        return cls(os.environ[name].encode(errors="surrogateescape"))

    def sign(self, digest: bytes) -> bytes:
        """The signature of a digest."""
        return hmac.digest(self.key, digest, "sha256")

    def verify(self, digest: bytes, signature: bytes) -> bool:
        """Whether a signature was made with this key."""
        return hmac.compare_digest(self.sign(digest), signature)


def signature_of(digest: str, sign: Sign, path: str) -> bytes:
    """The content of a signature file, for the digest of a manifest.

    Raises
    ------
    ReleaseError
        The callable failed, or returned something else than bytes.
    """
    fix = "Check the callable given as 'sign'. Existing releases are unchanged"
    try:
        signature = sign(bytes.fromhex(digest))
    except Exception as error:
        # What it says may quote a key.
        raise ReleaseError(
            f"it could not be signed ({type(error).__name__})", path=path, fix=fix
        ) from None
    if not isinstance(signature, bytes) or not 0 < len(signature) <= _MAX_BYTES:
        raise ReleaseError(
            f"'sign' returned {type(signature).__name__}, not the bytes of a signature",
            path=path,
            fix=fix,
        )
    return base64.b64encode(signature) + b"\n"


def require_signed(folder: Store, digest: str, verifier: Verifier) -> None:
    """Refuse a release that is not signed, or not with the key of a verifier.

    Parameters
    ----------
    folder : Store
        Folder of the release.
    digest : str
        Of its manifest, computed again.
    verifier : callable

    Raises
    ------
    ReleaseError
    """
    fix = "Find out who published it, or publish it again with 'sign'"
    if not folder.exists(SIGNATURE):
        raise ReleaseError("it is not signed", path=folder.uri, fix=fix)
    try:
        with folder.open(SIGNATURE) as stored:
            signature = base64.b64decode(stored.read(2 * _MAX_BYTES).strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise ReleaseError(
            f"its signature cannot be read ({type(error).__name__})", path=folder.uri, fix=fix
        ) from None
    try:
        accepted = verifier(bytes.fromhex(digest), signature) is True
    except Exception:
        accepted = False
    if not accepted:
        raise ReleaseError("its signature does not fit its manifest", path=folder.uri, fix=fix)
