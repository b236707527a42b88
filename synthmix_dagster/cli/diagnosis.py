"""What is installed and what can be reached: a problem for each thing, or an empty text."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.redaction import without_secrets


@dataclass(frozen=True)
class Package:
    """What is there of a package, and what is wrong with it.

    Attributes
    ----------
    version : str
        Empty where it is not installed.
    problem : str
        Empty where nothing is wrong.
    """

    version: str
    problem: str


def packages(extra: str | None) -> dict[str, Package]:
    """Packages that are needed, or those of an extra.

    Parameters
    ----------
    extra : str, optional

    Examples
    --------
    >>> packages(None)["pydantic"].problem
    ''
    """
    from packaging.requirements import Requirement

    found = {}
    for line in requires("synthmix-dagster") or []:
        needed = Requirement(line)
        marker = needed.marker
        always = marker is None or marker.evaluate({"extra": ""})
        of_extra = extra is not None and marker is not None and marker.evaluate({"extra": extra})
        if always if extra is None else of_extra and not always:
            found[needed.name] = _package(needed.name, str(needed.specifier))
    return found


def reached(uri: str) -> str:
    """Why the folder behind a URI cannot be listed."""
    try:
        open_store(uri).folders()
    except (SynthMixError, OSError) as error:
        return without_secrets(str(error), uri)
    return ""


def _package(name: str, allowed: str) -> Package:
    from packaging.specifiers import SpecifierSet

    try:
        there = version(name)
    except PackageNotFoundError:
        return Package("", f"missing, needs {allowed}" if allowed else "missing")
    fits = SpecifierSet(allowed).contains(there, prereleases=True)
    return Package(there, "" if fits else f"needs {allowed}")
