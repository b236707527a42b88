"""The one way past a gate: a person releases anyway and states a reason, which is kept for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from getpass import getuser

from synthmix_dagster.errors import GateError


@dataclass(frozen=True)
class Waiver:
    """Why a release was published although something forbade it.

    Attributes
    ----------
    reason : str
        What the person stated.
    objections : tuple of str
        What forbade the release, one sentence each.
    by : str
        Who released it, as far as the machine knows.
    at : str
        When, in UTC.
    run : str
        Run that published it; empty outside of Dagster.
    """

    reason: str
    objections: tuple[str, ...]
    by: str
    at: str
    run: str = ""


def require_no_objection(
    objections: Sequence[str], reason: str | None, *, mix: str, run: str = "", by: str = ""
) -> Waiver | None:
    """Refuse a release that something forbids, unless there is a reason to publish it anyway.

    Every way past a gate ends here: a failed check, a standing alarm, a threshold that was loosened
    for the run, a result that was computed on other terms than the configured ones.

    Parameters
    ----------
    objections : sequence of str
        What forbids the release, one sentence each.
    reason : str, optional
        What a person states for releasing it anyway.
    mix : str
        Name of the mix.
    run, by : str
        Run and person; by default the user of this process.

    Returns
    -------
    Waiver or None
        None where nothing forbids the release.

    Raises
    ------
    GateError
        Something forbids the release, and no reason was given.

    Examples
    --------
    >>> require_no_objection([], None, mix="flights") is None
    True
    >>> require_no_objection(["the gap is 2."], "ticket 418", mix="flights", by="ann").reason
    'ticket 418'
    """
    if not objections:
        return None
    if not (reason and reason.strip()):
        more = f" (and {len(objections) - 1} more)" if len(objections) > 1 else ""
        raise GateError(
            f"release refused, {objections[0]}{more}",
            mix=mix,
            fix="Existing releases are unchanged. To publish nevertheless, set "
            "'release_anyway' in the run config to the reason",
        )
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Waiver(reason.strip(), tuple(objections), by or _user(), now, run)


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
