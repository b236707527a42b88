"""Where files lie: a path, a folder, a glob or a URI becomes a list of files in a fixed order.

Object stores are reached through pyarrow's own filesystems, and through fsspec for what those do
not know, so that everything behind this module opens one kind of file. Credentials are whatever
those libraries find in the environment.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pa_fs

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import Store, is_store
from synthmix_dagster.data.store_filesystem import StoreHandler
from synthmix_dagster.errors import DataError
from synthmix_dagster.redaction import cause_of, without_secrets

#: Formats by the ending of a file's name.
FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".orc": "orc",
    **{
        f"{ending}{packed}": kind
        for ending, kind in (
            (".csv", "csv"),
            (".tsv", "csv"),
            (".jsonl", "json lines"),
            (".ndjson", "json lines"),
            (".json", "json lines"),
        )
        for packed in ("", ".gz", ".bz2", ".zst")
    },
}

#: What fsspec needs for a protocol, where that is one package.
_PACKAGES = {
    "abfs": "adlfs",
    "abfss": "adlfs",
    "adl": "adlfs",
    "az": "adlfs",
    "gcs": "gcsfs",
    "gs": "gcsfs",
    "hf": "huggingface_hub",
    "http": "aiohttp",
    "https": "aiohttp",
    "s3": "s3fs",
    "s3a": "s3fs",
    "sftp": "paramiko",
    "ssh": "paramiko",
}

#: What Hive writes in the place of a missing value.
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_URI = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]+::)*[a-zA-Z][a-zA-Z0-9+.-]+://")
_WILDCARD = re.compile(r"[*?]")


@dataclass(frozen=True)
class Location:
    """One file of a filesystem.

    Attributes
    ----------
    filesystem : pyarrow.fs.FileSystem
    path : str
        As the filesystem spells it.
    name : str
        Relative to the dataset's folder, with forward slashes; part of the identity of its rows.
    shown : str
        As messages spell it, without anything secret.
    address : str
        Path or URI of the dataset, as it was given: what is secret in it shall not be quoted.
    forced : str
        Format that a user or a table states, whatever the name ends in.
    values : mapping of str to str, optional
        Columns that a table states of the file, in the place of those that its path spells.
    """

    filesystem: pa_fs.FileSystem = field(compare=False, repr=False)
    path: str = field(repr=False)
    name: str
    shown: str
    address: str = field(default="", compare=False, repr=False)
    forced: str = field(default="", compare=False)
    values: Mapping[str, str | None] | None = field(default=None, compare=False, repr=False)

    @property
    def format(self) -> str:
        """The format that is stated, or the one that the name ends in, or nothing."""
        return self.forced or format_of(self.name)

    @property
    def partition(self) -> Mapping[str, str | None]:
        """Columns that a Hive-partitioned folder spells in its path, or that a table states."""
        if self.values is not None:
            return self.values
        parts = [part.partition("=") for part in self.name.split("/")[:-1] if "=" in part]
        return {
            unquote(column): None if value == _HIVE_NULL else unquote(value)
            for column, _, value in parts
        }

    def open(self) -> pa.NativeFile:
        """Open for reading in any order."""
        return self.filesystem.open_input_file(self.path)

    def stream(self, compression: str | None = None) -> pa.NativeFile:
        """Open for reading from the beginning to the end; packed only where it is asked for."""
        return self.filesystem.open_input_stream(self.path, compression=compression)

    def state(self) -> tuple[Any, ...]:
        """What differs after the file was written again."""
        if is_local(self.filesystem):
            found = Path(self.path).stat()
            # Sizes and times of writing can be put back; that of the last change cannot.
            return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
        (info,) = self.filesystem.get_file_info([self.path])
        if info.type != pa_fs.FileType.File:
            raise FileNotFoundError(f"object '{self.shown}' not found")
        handler, tag = getattr(self.filesystem, "handler", None), None
        if isinstance(handler, pa_fs.FSSpecHandler):
            tag = handler.fs.checksum(self.path)
        elif isinstance(handler, StoreHandler):
            tag = handler.version(self.path)
        return info.size, info.mtime_ns, tag


def format_of(path: str) -> str:
    """Format by the ending of a file's name, or nothing.

    Examples
    --------
    >>> format_of("in/ROWS.CSV.GZ")
    'csv'
    """
    lowered = path.lower()
    return next((kind for ending, kind in FORMATS.items() if lowered.endswith(ending)), "")


def find_files(source: str | Path | Store, dataset: str, forced: str = "") -> list[Location]:
    """List the files of a dataset, sorted by name.

    Parameters
    ----------
    source : path, str or Store
        A file, a folder, or a glob (``*``, ``?``, ``**``); local, or a URI such as
        ``s3://bucket/folder``.
    dataset : str
        What messages call it.
    forced : str
        Format of the files, whatever their names end in.

    Raises
    ------
    DataError
        No file is found, or files of several formats are.
    """
    filesystem, path, prefix = resolve(source, dataset)
    address = source.uri if is_store(source) else str(source)
    shown = _shown(prefix, path)
    try:
        found = _listed(filesystem, path, prefix, address, forced)
    except Exception as error:
        # Clients of object stores have exceptions of their own.
        if is_local(filesystem) and not isinstance(error, OSError | pa.ArrowException):
            raise
        raise DataError(
            f"'{shown}' cannot be listed ({without_secrets(str(error), address)})",
            dataset=dataset,
            fix="Check the address, the network and the credentials in the environment",
        ) from cause_of(error, address)
    if found is None:
        raise DataError(
            f"there is no file or folder '{shown}'",
            dataset=dataset,
            fix="Check the path, or run the process that writes it first",
        )
    if not found:
        raise DataError(
            f"'{shown}' contains no file ending in {', '.join(FORMATS)}",
            dataset=dataset,
            fix="Check the path, or run the process that writes it first",
        )
    _require_one_format(found, shown, dataset)
    return found


def resolve(source: str | Path | Store, dataset: str) -> tuple[pa_fs.FileSystem, str, str]:
    """Filesystem, path there, and what stands before the path when it is shown."""
    if is_store(source):
        return source.filesystem()
    text = str(source)
    if not (isinstance(source, str) and _URI.match(text)):
        return pa_fs.LocalFileSystem(), text, ""
    scheme = text.split("://")[0].rpartition("::")[2].lower()
    if scheme == "file":
        return pa_fs.LocalFileSystem(), unquote(urlsplit(text).path), ""
    if scheme == "memory":
        # The one that outputs lie in; fsspec has another of this name.
        return open_store(text).filesystem()
    try:
        # A wildcard would be taken for the name of a bucket's object, which is just right.
        filesystem, path = pa_fs.FileSystem.from_uri(text)
        return filesystem, path.rstrip("/") or path, f"{scheme}://"
    except (ValueError, NotImplementedError) as error:
        refusal = str(error)
    # Outside of the handler, or a refusal with the password in it would be the context of errors.
    filesystem, path = _through_fsspec(text, scheme, dataset, refusal)
    return filesystem, path.rstrip("/") or path, f"{scheme}://"


def is_local(filesystem: pa_fs.FileSystem) -> bool:
    """Whether files lie on this machine."""
    return isinstance(filesystem, pa_fs.LocalFileSystem)


def _through_fsspec(
    uri: str, scheme: str, dataset: str, refusal: str
) -> tuple[pa_fs.FileSystem, str]:
    """Filesystem and path by fsspec, for what pyarrow refused to open."""
    # Some refusals quote the address, in which there may be a password.
    said = without_secrets(refusal, uri).rstrip(".")
    reason = "" if "://" in refusal else f" (pyarrow: {said})"
    package = _PACKAGES.get(scheme)
    try:
        from fsspec.core import url_to_fs

        filesystem, path = url_to_fs(uri)
    except ImportError as error:
        itself = (error.name or "").partition(".")[0] == "fsspec"
        lacking = [*(["fsspec"] if itself else []), *([package] if package else [])]
        problem = f"'{scheme}://' needs a package that is not installed{reason}"
        said = without_secrets(str(error), uri)
        fix = f"Install {' and '.join(lacking)}" if lacking else f"Install it ({said})"
    except Exception as error:
        # Every filesystem of fsspec has exceptions of its own.
        problem = f"'{scheme}://' cannot be opened ({without_secrets(str(error), uri)}){reason}"
        fix = "Check the address"
    else:
        return pa_fs.PyFileSystem(pa_fs.FSSpecHandler(filesystem)), path
    raise DataError(problem, dataset=dataset, fix=fix)


def _shown(prefix: str, path: str) -> str:
    """A path as messages spell it; some filesystems keep the whole URI, with its secrets."""
    return without_secrets(path if "://" in path else prefix + path)


def _listed(
    filesystem: pa_fs.FileSystem, path: str, prefix: str, address: str, forced: str
) -> list[Location] | None:
    """Files at a path; None if nothing exists there."""
    (info,) = filesystem.get_file_info([path])
    if info.type == pa_fs.FileType.File:
        # Of an address with a token the name is what stands before it, today and tomorrow.
        name = without_secrets(path).rsplit("/", 1)[-1]
        return [Location(filesystem, path, name, _shown(prefix, path), address, forced)]
    pattern, folder = None, path
    if info.type == pa_fs.FileType.NotFound:
        if not _WILDCARD.search(path):
            return None
        folder = path[: _WILDCARD.search(path).start()].rpartition("/")[0]  # type: ignore[union-attr]
        pattern = _glob(path)
    folder = folder.rstrip("/") or ("/" if path.startswith("/") else ".")
    if filesystem.get_file_info([folder])[0].type != pa_fs.FileType.Directory:
        return None
    files = []
    for entry in filesystem.get_file_info(pa_fs.FileSelector(folder, recursive=True)):
        name = _below(folder, entry.path)
        visible = not any(part[0] in "._" for part in name.split("/"))
        wanted = pattern is None or pattern.fullmatch(f"{folder}/{name}".removeprefix("./"))
        if entry.is_file and visible and wanted and (forced or format_of(name)):
            shown = _shown(prefix, entry.path)
            files.append(Location(filesystem, entry.path, name, shown, address, forced))
    # Beside rows in another format, JSON is about them: a schema, a manifest.
    rows = [file for file in files if ".json" not in Path(file.name).suffixes]
    return sorted(files if forced else rows or files, key=lambda file: file.name)


def _below(folder: str, path: str) -> str:
    """The part of a path below a folder; some filesystems add a leading slash, some take it."""
    return path.lstrip("/").removeprefix(folder.lstrip("/")).lstrip("/").removeprefix("./")


def _glob(path: str) -> re.Pattern[str]:
    """The pattern of a glob: ``*`` and ``?`` stay within a folder, ``**`` does not."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", path.removeprefix("./"))
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meanings.get(piece) or re.escape(piece) for piece in pieces))


def _require_one_format(found: Sequence[Location], shown: str, dataset: str) -> None:
    kinds = sorted({file.format for file in found})
    if kinds == [""]:
        raise DataError(
            f"the file '{shown}' has an unknown extension",
            dataset=dataset,
            fix=f"Use one of {', '.join(FORMATS)}, or set 'format', such as csv",
        )
    if len(kinds) > 1:
        raise DataError(
            f"'{shown}' contains files of more than one format ({', '.join(kinds)})",
            dataset=dataset,
            fix="Keep one format per folder, or select one with a glob such as '*.parquet'",
        )
