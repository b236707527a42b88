"""Prepare an environment with other versions than those of constraints.txt, and print its folder.

    python tools/versions.py lowest-3.10    the lowest versions that pyproject.toml allows
    python tools/versions.py newest-3.13    whatever is newest today
    python tools/versions.py pinned-3.12    those of constraints.txt, on another Python

``make test-versions`` tests in them. An environment of the newest versions is always made again,
the others where something that they were made from has changed.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lowest import lowest_versions

ROOT = Path(__file__).parents[1]
STAMP = ".installed"


def main(wanted: str) -> None:
    """Make the environment unless it is there, and print where."""
    if (named := re.fullmatch(r"(lowest|newest|pinned)-(3\.\d+)", wanted)) is None:
        raise SystemExit(f"'{wanted}' is unknown. Name versions and a Python, such as lowest-3.10")
    versions, python = named.groups()
    folder = ROOT / f".venv-{wanted}"
    constraints = "\n".join(constraints_of(versions))
    made_from = f"{constraints}\n{(ROOT / 'pyproject.toml').read_text(encoding='utf-8')}"
    stamp = folder / STAMP
    if versions == "newest" or not stamp.exists() or stamp.read_text("utf-8") != made_from:
        install(folder, interpreter(python), constraints)
        stamp.write_text(made_from, encoding="utf-8")
    # `make` installs its own versions where the stamp is older than pyproject.toml.
    stamp.touch()
    print(folder.name)


def constraints_of(versions: str) -> list[str]:
    """Constraints for pip, one a line."""
    if versions == "lowest":
        return lowest_versions()
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return pinned if versions == "pinned" else []


def install(folder: Path, python: str, constraints: str) -> None:
    """Make an environment with everything that the tests need."""
    shutil.rmtree(folder, ignore_errors=True)
    say = {"stdout": sys.stderr, "check": True}
    subprocess.run([python, "-m", "venv", str(folder)], **say)
    bounds = folder / "constraints.txt"
    bounds.write_text(constraints, encoding="utf-8")
    # pip looks for versions that go together for half an hour, uv for seconds.
    there = str(folder / "bin" / "python")
    subprocess.run([there, "-m", "pip", "install", "--quiet", "uv"], **say)
    uv = [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--python", there]
    subprocess.run([*uv, "--constraint", str(bounds), "--editable", f"{ROOT}[dev]"], **say)


def interpreter(python: str) -> str:
    """A Python of that version: on the path, or one of pyenv's."""
    for candidate in candidates(python):
        asked = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(asked, capture_output=True, text=True)
        if answer.stdout.strip() == python:
            return candidate
    raise SystemExit(f"there is no Python {python} here. Install it, or name another version")


def candidates(python: str) -> Iterator[str]:
    """Programs that may be one."""
    for name in (f"python{python}", "python3", "python"):
        if found := shutil.which(name):
            yield found
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
        yield from map(str, sorted(Path(root).glob(f"versions/{python}.*/bin/python")))


if __name__ == "__main__":
    main(*sys.argv[1:])
