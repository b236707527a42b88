"""Directories of mixes and monitors, none of which may lie in another.

A mix below another would write into what that one publishes, and verification would find files
that nobody listed.
"""

from collections.abc import Iterator
from pathlib import Path

from synthmix_dagster.data.store import Store, is_uri
from synthmix_dagster.errors import ConfigError, ReleaseError
from synthmix_dagster.orchestration.config.base import RESERVED
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.monitor import MonitorConfig
from synthmix_dagster.redaction import without_secrets

#: By which an output is known even where its own folder is the root.
LOCK = ".writer.lock"
#: Folders by which a directory is known to be that of a mix or a monitor.
_MARKS = ("releases", "records", "references", "partitions")

#: Directory of every mix and monitor that this process defined, by its name with its key prefix:
#: a name stands for the same assets, so that a definition built again takes the place of the first.
#: Text that ends in a slash: every mix of a project is compared with every other as it loads.
_defined: dict[str, str] = {}
#: Directories that were looked at in this process, and the roots that they lie below. Of two mixes
#: one in the other, the one that begins later is refused, in whatever process it runs.
_apart: set[tuple[str, str]] = set()


def claim(config: MixConfig | MonitorConfig) -> None:
    """Note the directory of a mix or monitor as a project loads.

    Several may share one directory on purpose, and one may be defined again.

    Raises
    ------
    ConfigError
        It lies in the directory of another, or another in it.
    """
    output = config.output or config.qualified_name
    own, own_name = f"{_place(config.output_root, output)}/", config.qualified_name
    for name, root in _defined.items():
        if name == own_name or own == root or not (own.startswith(root) or root.startswith(own)):
            continue
        inner, outer = (own_name, name) if own.startswith(root) else (name, own_name)
        raise ConfigError(
            f"the directory of '{inner}' lies inside that of '{outer}' "
            f"('{own[:-1]}' and '{root[:-1]}')",
            option="name" if config.output is None else "output",
            fix="Give each mix and monitor a directory of its own, by 'output' or 'key_prefix'",
        )
    _defined[own_name] = own


def _place(output_root: str, output: str) -> str:
    """Where a directory lies, to be compared with others; links cannot be followed in a store."""
    if is_uri(output_root):
        return f"{without_secrets(output_root).rstrip('/')}/{Path(output).as_posix()}"
    return (Path(output_root).expanduser() / output).resolve().as_posix()


def require_apart_on_disk(output_root: Store, relative: str) -> None:
    """Refuse a directory that lies in that of another mix, or that holds one.

    Parameters
    ----------
    output_root : Store
        Folder below which everything is written.
    relative : str
        Folder of the mix or monitor below it.

    Raises
    ------
    ReleaseError
    """
    place = (output_root.resolved().uri, relative)
    if place in _apart:
        return
    root, parts = output_root.below(relative), Path(relative).parts
    above = [output_root.below(*parts[:n]) for n in range(1, len(parts))]
    # Elsewhere folders of these names may be anybody's; a lock is ours.
    if parts and output_root.exists(LOCK):
        above.insert(0, output_root)
    for folder in above:
        if _is_marked(folder):
            raise ReleaseError(
                f"it lies inside the directory of another mix, '{folder.uri}'",
                path=root.uri,
                fix="Set 'output' to a directory of its own",
            )
    inner = next(_marked_below(root), None)
    if inner is not None:
        raise ReleaseError(
            f"the directory of another mix lies inside it, '{inner.uri}'",
            path=root.uri,
            fix="Set 'output' to a directory of its own",
        )
    _apart.add(place)


def _marked_below(folder: Store) -> Iterator[Store]:
    for name in folder.folders():
        if name.casefold() not in RESERVED and not name.startswith("."):
            if _is_marked(folder.below(name)):
                yield folder.below(name)
            yield from _marked_below(folder.below(name))


def _is_marked(folder: Store) -> bool:
    return not set(_MARKS).isdisjoint(folder.folders())
