"""Refusals in Dagster, kept for the history of a mix with the numbers stored so far."""

import dagster as dg

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.ratio.answers import Answer, read_answer
from synthmix_dagster.release.events import refusal
from synthmix_dagster.release.recording import record


def record_refusal(config: MixConfig, reason: str) -> None:
    """Add a refusal of this run to the history of a mix, or of its partition.

    Parameters
    ----------
    config : MixConfig
    reason : str
    """
    paths = MixPaths.of(config)
    reports, answer = _stored(config, paths)
    event = refusal(
        reports,
        config.gates,
        answer=answer,
        mix=config.qualified_name,
        run=dg.AssetExecutionContext.get().run.run_id,
        reason=reason,
    )
    record(paths.output, event)


def _stored(config: MixConfig, paths: MixPaths) -> tuple[dict[str, DistanceReport], Answer | None]:
    """What is stored of this mix, as far as it can be read."""
    try:
        found = {
            name: paths.records.read(view.qualified_role("distribution_distance"))
            for name, view in config.views.items()
        }
        measured = {name: each for name, each in found.items() if each is not None}
        reports = {
            name: DistanceReport.from_dict(each["result"]) for name, each in measured.items()
        }
        advised = paths.records.read("optimal_ratio")
        if advised is None:
            return reports, None
        # A recommendation of an earlier batch says nothing of this one.
        known = set(advised["inputs"].values())
        same = all(known.issuperset(each["inputs"].values()) for each in measured.values())
        return reports, read_answer(advised["result"]) if same else None
    except (SynthMixError, KeyError, TypeError, ValueError, AttributeError):
        return {}, None
