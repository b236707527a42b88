"""Texts without the secrets that an address may carry.

Whoever reads a password in a URI puts it into a log, the event log of Dagster or a ticket. User
info, query and fragment are therefore removed from every text of this package that quotes an
address, whoever wrote the text: other libraries quote addresses too.
"""

import re
import traceback
from urllib.parse import unquote

_SCHEME = r"[a-zA-Z][a-zA-Z0-9+.-]+"
#: A URI in a text, also a chain such as ``simplecache::http://...``; pathlib leaves one slash.
_URI = re.compile(rf"(?:{_SCHEME}::)*{_SCHEME}:/+[^\s'\"<>`]*")
#: Where one link of a chain ends. An IPv6 host has two colons as well.
_LINK = re.compile(rf"::(?={_SCHEME}(?:::|:/))")
_REMOVED = "***"
#: Shorter secrets are removed only where they are words of their own.
_MIN_LENGTH = 8


def without_secrets(text: str, *addresses: str) -> str:
    """A text in which no URI has user info, a query or a fragment.

    Parameters
    ----------
    text : str
        A URI, or any text that may quote some.
    *addresses : str
        URIs that the text is about: their secrets are removed where they stand alone, too.

    Examples
    --------
    >>> without_secrets("s3://key:secret@bucket/data?token=1"), without_secrets("data/a@b.csv")
    ('s3://bucket/data', 'data/a@b.csv')
    >>> without_secrets("abfss://container@account.dfs.core.windows.net/data?sig=1")
    'abfss://container@account.dfs.core.windows.net/data'
    >>> without_secrets("sc://host:15002/;token=secret")
    'sc://host:15002/'
    >>> without_secrets("no access for 'secret'", "s3://key:secret@bucket/data")
    "no access for '***'"
    """
    for address in sorted({a for a in addresses if _URI.match(a)}, key=len, reverse=True):
        # As it was written: it may hold a quote or a blank, where a URI in a text ends.
        text = text.replace(address, _stripped(address))
    text = _URI.sub(lambda match: _stripped(match[0]), text)
    secrets = {secret for address in addresses for secret in _secrets_of(address)}
    for secret in sorted(secrets, key=len, reverse=True):
        exact = re.escape(secret)
        if len(secret) < _MIN_LENGTH:
            exact = rf"(?<!\w){exact}(?!\w)"
        text = re.sub(exact, _REMOVED, text)
    return text


def cause_of(error: BaseException, *addresses: str) -> BaseException | None:
    """The error as the cause of another, or None where its traceback would show a secret."""
    shown = "".join(traceback.format_exception(error)) + repr(error)
    return error if without_secrets(shown, *addresses) == shown else None


def _stripped(uri: str) -> str:
    """A URI, or a chain of them, without its secrets."""
    return "::".join(_parts(link)[0] for link in _LINK.split(uri))


def _secrets_of(uri: str) -> set[str]:
    """User names, passwords, queries with their values and fragments, as written and decoded."""
    secrets: set[str] = set()
    if not _URI.match(uri):
        return secrets
    for link in _LINK.split(uri):
        _, user_info, rest = _parts(link)
        secrets |= {user_info, *user_info.partition(":")[::2]}
        for part in re.split(r"[?#]", rest):
            secrets |= {part, *(value.partition("=")[2] for value in re.split("[&;]", part))}
    secrets |= {unquote(secret) for secret in secrets}
    return {secret for secret in secrets if secret.strip()}


def _parts(link: str) -> tuple[str, str, str]:
    """What may be shown of one URI, its user info, and its query with its fragment."""
    scheme = re.match(rf"{_SCHEME}:/+", link)
    if scheme is None:
        return link, "", ""
    body = link[scheme.end() :]
    # A password that was not encoded may hold a slash, a question mark, or another "@".
    before, at, after = body.rpartition("@")
    user_info = ""
    if at and _is_user_info(before):
        has_password = ":" in body.partition("@")[0]
        user_info, _, body = (before, at, after) if has_password else body.partition("@")
    # The address of a Spark Connect server has its token behind a semicolon.
    ends = ";?#" if scheme[0].lower() == "sc://" else "?#"
    parts = re.fullmatch(f"([^{ends}]*)([{ends}]?)(.*)", body, re.DOTALL)
    place, mark, rest = parts.groups()  # type: ignore[union-attr]
    if scheme[0].lower().startswith("abfs") and user_info and ":" not in user_info:
        # There the container stands before the host, and without it nothing is found.
        return f"{scheme[0]}{user_info}@{place}", "", rest if mark else ""
    host, colon, port = place.partition("/")[0].partition(":")
    if colon and not host.startswith("[") and not port.isdigit():
        user_info, place = user_info or f"{host}:{port}", host + place[len(host + colon + port) :]
    return scheme[0] + place, user_info, rest if mark else ""


def _is_user_info(before: str) -> bool:
    """Whether what stands before the last "@" begins with user info, not with a host."""
    authority = re.split(r"[/?#]", before, maxsplit=1)[0]
    if "@" in authority or authority == before:
        return True
    _, colon, port = authority.rpartition(":")
    return bool(colon) and not authority.startswith("[") and not port.isdigit()
