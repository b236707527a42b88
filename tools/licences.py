"""Licences of everything that an installation needs: `python tools/licences.py [EXTRA ...]`.

Follows the requirements of the package as installed here, extras on request. Exit code 1 where a
package states no licence, or one that is not in the list of those that allow any use.
"""

import re
import sys
from importlib import metadata

from packaging.requirements import Requirement

#: Parts of the names of licences under which whoever uses this package may do anything with it.
PERMISSIVE = ("mit", "bsd", "apache", "isc", "psf", "python software", "hpnd", "mpl", "mozilla",
              "unlicense", "public domain", "zlib", "0bsd", "cc0", "matplotlib")  # fmt: skip


def needed(name: str, extras: tuple[str, ...] = ()) -> set[str]:
    """Names of all packages that one needs, itself not among them."""
    found: set[str] = set()
    waiting = [(name, extras)]
    seen = set()
    while waiting:
        package, wanted = waiting.pop()
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        for line in metadata.requires(package) or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": each}) for each in ("", *wanted)):
                continue
            found.add(_plain(requirement.name))
            waiting.append((requirement.name, tuple(sorted(requirement.extras))))
    return found - {_plain(name)}


def licence_of(name: str) -> str:
    """What a package says of its licence, in one line."""
    stated = metadata.metadata(name)
    classifiers = [
        each for each in stated.get_all("Classifier") or () if each.startswith("License")
    ]
    said = [stated.get("License-Expression"), *(each.split(" :: ")[-1] for each in classifiers)]
    text = " or ".join(dict.fromkeys(each for each in said if each and each != "OSI Approved"))
    return text or (stated.get("License") or "").strip().split("\n")[0][:60]


def is_permissive(licence: str) -> bool:
    """Whether a licence, and every one of several that go together, allows any use."""
    parts = re.split(r"\band\b", licence.lower())
    return all(any(re.search(rf"\b{each}", part) for each in PERMISSIVE) for part in parts)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(extras: tuple[str, ...]) -> int:
    """Print a line a package."""
    others = 0
    for name in sorted(needed("synthmix-dagster", extras)):
        licence = licence_of(name)
        known = is_permissive(licence)
        others += not known
        print(f"{name:28} {metadata.version(name):14} {licence}{'' if known else '   <- look'}")
    return 1 if others else 0


if __name__ == "__main__":
    raise SystemExit(main(tuple(sys.argv[1:])))
