"""Paths that stay below a root, and files that are written whole or not at all."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

from synthmix_dagster.errors import ReleaseError

#: Prefix of names that readers ignore.
HIDDEN = ".writing-"


def inside(root: Path, relative: str) -> Path:
    """Join a path and refuse to leave the root, by ``..``, absolute names or links.

    Examples
    --------
    >>> inside(Path("out"), "../secret")
    Traceback (most recent call last):
    ...
    synthmix_dagster.errors.ReleaseError: release at 'out': '../secret' lies outside it. ...
    """
    joined = root / relative
    if not joined.resolve().is_relative_to(root.resolve()):
        raise ReleaseError(
            f"'{relative}' lies outside it",
            path=root,
            fix="Use a relative path below the output directory, without '..' and outward links",
        )
    return joined


def hidden_beside(path: Path) -> Path:
    """A new path next to another, with a name that readers ignore."""
    return path.with_name(f"{HIDDEN}{uuid.uuid4().hex}")


def write_json(path: Path, values: Any) -> None:
    """Write JSON in one stable form, whole or not at all."""
    write_text(path, json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = hidden_beside(path)
    hidden.write_text(text, encoding="utf-8")
    flush(hidden)
    hidden.replace(path)


def flush(path: Path) -> None:
    """Bring a file, or the names in a directory, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
