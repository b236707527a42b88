"""Directories of mixes and monitors, none of which may lie in another.

A mix below another would write into what that one publishes, and verification would find files
that nobody listed.
"""

import os
from pathlib import Path

from synthmix_dagster.errors import ConfigError, ReleaseError
from synthmix_dagster.orchestration.config.base import RESERVED
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.monitor import MonitorConfig

#: Folders by which a directory is known to be that of a mix or a monitor.
_MARKS = ("releases", "records", "references", "partitions")

#: Directory of every mix and monitor that this process defined, by its name with its key prefix:
#: a name stands for the same assets, so that a definition built again takes the place of the first.
_defined: dict[str, Path] = {}


def claim(config: MixConfig | MonitorConfig) -> None:
    """Note the directory of a mix or monitor as a project loads.

    Several may share one directory on purpose, and one may be defined again.

    Raises
    ------
    ConfigError
        It lies in the directory of another, or another in it.
    """
    output = config.output or config.qualified_name
    own, own_name = (
        (Path(config.output_root).expanduser() / output).resolve(),
        config.qualified_name,
    )
    for name, root in _defined.items():
        if name == own_name or not (root in own.parents or own in root.parents):
            continue
        inner, outer = (own_name, name) if root in own.parents else (name, own_name)
        raise ConfigError(
            f"the directory of '{inner}' lies inside that of '{outer}' ('{own}' and '{root}')",
            option="name" if config.output is None else "output",
            fix="Give each mix and monitor a directory of its own, by 'output' or 'key_prefix'",
        )
    _defined[own_name] = own


def require_apart_on_disk(output_root: Path, root: Path) -> None:
    """Refuse a directory that lies in that of another mix, or that holds one.

    Parameters
    ----------
    output_root : Path
        Directory below which everything is written.
    root : Path
        Directory of the mix or monitor.

    Raises
    ------
    ReleaseError
    """
    between = root.relative_to(output_root).parts[:-1]
    above = [output_root.joinpath(*between[:n]) for n in range(1, len(between) + 1)]
    # Elsewhere folders of these names may be anybody's; a lock is ours.
    if root != output_root and (output_root / ".writer.lock").exists():
        above.insert(0, output_root)
    for folder in above:
        if _is_marked(folder):
            raise ReleaseError(
                f"it lies inside the directory of another mix, '{folder}'",
                path=root,
                fix="Set 'output' to a directory of its own",
            )
    for place, names, _ in os.walk(root):
        names[:] = [name for name in names if name.casefold() not in RESERVED and name[0] != "."]
        if Path(place) != root and _is_marked(Path(place)):
            raise ReleaseError(
                f"the directory of another mix lies inside it, '{place}'",
                path=root,
                fix="Set 'output' to a directory of its own",
            )


def _is_marked(folder: Path) -> bool:
    return any((folder / mark).is_dir() for mark in _MARKS)
