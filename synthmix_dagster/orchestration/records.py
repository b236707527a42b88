"""Small JSON records below the output directory, by which one asset passes its result to the next.

Not Dagster I/O managers, because a project's default one may store frames only, and because a
record must be there for a separate run, a month later and on another machine.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthmix_dagster.data.store import Store, write_json
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of

_DIGEST = "digest"
#: Records that the generators of a mix have in common.
SHARED = frozenset({"real", "evaluation", "optimal_ratio", "training_data"})


@dataclass(frozen=True)
class Records:
    """Records of one mix.

    Attributes
    ----------
    output : Store
        Folder that holds ``releases`` and ``latest``.
    mix : str
        Name of the mix; several mixes may publish to one output.
    generator : str, optional
        Name of the generator that these records are of, where there are several. What all of them
        share has one record.
    """

    output: Store
    mix: str
    generator: str | None = None

    def write(self, name: str, record: Mapping[str, Any]) -> str:
        """Write a record with its digest; an older one is replaced as a whole.

        Returns
        -------
        str
            The digest, by which later records name this one.
        """
        digest = digest_of(record)
        try:
            write_json(self._folder, self._file(name), {**record, _DIGEST: digest})
        except OSError as error:
            raise ReleaseError(
                f"the record '{name}' cannot be written ({error})",
                path=self.output.uri,
                fix="Check disk space and permissions",
            ) from cause_of(error)
        return digest

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a record, or None where there is none.

        Raises
        ------
        ReleaseError
            It cannot be read, or was altered after it was written. That is found by its digest,
            which is not a signature: whoever may write here can write a digest as well.
        """
        folder = self._folder
        try:
            record = json.loads(folder.read(self._file(name)).decode("utf-8"))
            if not isinstance(record, dict):
                raise ValueError("not a JSON object")
            stated = record.pop(_DIGEST, None)
            if stated not in (None, digest_of(record)):
                raise ValueError("it was altered after it was written")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ReleaseError(
                f"the record '{folder.uri}/{self._file(name)}' cannot be read ({error})",
                path=self.output.uri,
                fix=f"Materialise '{name}' again",
            ) from cause_of(error)
        return record

    def digest(self, name: str) -> str:
        """Digest of a stored record; empty where there is none."""
        record = self.read(name)
        return "" if record is None else digest_of(record)

    def _file(self, name: str) -> str:
        own = self.generator is not None and name not in SHARED
        return f"{name}.{self.generator}.json" if own else f"{name}.json"

    @property
    def _folder(self) -> Store:
        return self.output.below("records", self.mix)


def digest_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record, as JSON has it.

    Numbers count to nine digits: their last ones depend on the machine that computed them.
    """
    canonical = json.dumps(_rounded(record), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode(errors="surrogateescape")).hexdigest()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, Mapping):
        return {str(name): _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
