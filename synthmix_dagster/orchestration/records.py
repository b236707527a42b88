"""Small JSON records below the output directory, by which one asset passes its result to the next.

Not Dagster I/O managers, because a project's default one may store frames only, and because a
record must be there for a separate run, a month later and on another machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.release.atomic_files import inside, write_json


@dataclass(frozen=True)
class Records:
    """Records of one mix.

    Attributes
    ----------
    output : Path
        Directory that holds ``releases`` and ``latest``.
    mix : str
        Name of the mix; several mixes may publish to one output.
    """

    output: Path
    mix: str

    def write(self, name: str, record: Mapping[str, Any]) -> None:
        """Write a record; an older one is replaced as a whole."""
        try:
            write_json(self._path(name), record)
        except OSError as error:
            raise ReleaseError(
                f"the record '{name}' cannot be written ({error})",
                path=self.output,
                fix="Check disk space and permissions",
            ) from error

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a record, or None where there is none."""
        path = self._path(name)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(record, dict):
                raise ValueError("not a JSON object")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ReleaseError(
                f"the record '{path}' cannot be read ({error})",
                path=self.output,
                fix=f"Materialise '{name}' again",
            ) from error
        return record

    def _path(self, name: str) -> Path:
        folder = inside(inside(self.output, "records"), self.mix)
        return inside(folder, f"{name}.json")
