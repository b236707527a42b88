"""From an address to a store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from synthmix_dagster.data.local_store import LocalStore
from synthmix_dagster.data.store import Store, StoreAccess, is_store, is_uri


def open_store(address: str | Path | Store, access: StoreAccess | None = None) -> Store:
    """Open a local directory or a prefix of an object store.

    Parameters
    ----------
    address : path, URI or Store
        ``s3://``, ``gs://``, ``abfs://``, ``az://``, ``memory://``, or a local directory.
    access : StoreAccess, optional
        Endpoint, region and credentials; by default those of the environment.

    Raises
    ------
    StoreError
        The scheme is unknown, or its package is missing.
    """
    if is_store(address):
        return address
    text = str(address)
    if not is_uri(address):
        return LocalStore(Path(text).expanduser())
    if text.lower().startswith("file://"):
        return LocalStore(Path(unquote(urlsplit(text).path)))
    from synthmix_dagster.data.object_store import open_object_store

    return open_object_store(text, access)


def read_file(path: str | Path) -> bytes:
    """Read a file by its path or its URI; `FileNotFoundError` where there is none."""
    if not is_uri(path):
        return Path(path).read_bytes()
    place = open_store(path)
    return place.up().read(place.name)


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file by its path or its URI."""
    if is_uri(path):
        place = open_store(path)
        place.up().put(place.name, content)
    else:
        Path(path).write_bytes(content)
