"""How much synthetic data to add, whether it is safe to release, and since when it drifts.

The public names load on first use: Dagster imports this package in every ``dg`` command, so the
import itself stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthmix_dagster.data.dataset import open_dataset
    from synthmix_dagster.data.splitting import split_evaluation
    from synthmix_dagster.distance.report import DistanceReport
    from synthmix_dagster.drift.report import DriftReport
    from synthmix_dagster.errors import SynthMixError
    from synthmix_dagster.orchestration.component import SynthMixComponent
    from synthmix_dagster.orchestration.definitions import build_synthmix_defs
    from synthmix_dagster.orchestration.drift_watch.monitor import build_drift_monitor, drift_report
    from synthmix_dagster.orchestration.sensors import NewRelease, build_release_sensor
    from synthmix_dagster.orchestration.standalone_checks import build_synthmix_checks
    from synthmix_dagster.ratio.recommendation import Recommendation
    from synthmix_dagster.release.handle import Release, load_release
    from synthmix_dagster.verbs.core import measure_distance, mix, recommend_ratio
    from synthmix_dagster.verbs.variants import (
        recommend_for_domain,
        recommend_generators,
        recommend_per_class,
        recommend_without_target,
    )

__version__ = "0.1.0"

_HOME = {
    "DistanceReport": "synthmix_dagster.distance.report",
    "NewRelease": "synthmix_dagster.orchestration.sensors",
    "build_release_sensor": "synthmix_dagster.orchestration.sensors",
    "build_synthmix_checks": "synthmix_dagster.orchestration.standalone_checks",
    "DriftReport": "synthmix_dagster.drift.report",
    "Recommendation": "synthmix_dagster.ratio.recommendation",
    "Release": "synthmix_dagster.release.handle",
    "SynthMixComponent": "synthmix_dagster.orchestration.component",
    "SynthMixError": "synthmix_dagster.errors",
    "build_drift_monitor": "synthmix_dagster.orchestration.drift_watch.monitor",
    "build_synthmix_defs": "synthmix_dagster.orchestration.definitions",
    "drift_report": "synthmix_dagster.orchestration.drift_watch.monitor",
    "load_release": "synthmix_dagster.release.handle",
    "measure_distance": "synthmix_dagster.verbs.core",
    "mix": "synthmix_dagster.verbs.core",
    "open_dataset": "synthmix_dagster.data.dataset",
    "recommend_for_domain": "synthmix_dagster.verbs.variants",
    "recommend_generators": "synthmix_dagster.verbs.variants",
    "recommend_per_class": "synthmix_dagster.verbs.variants",
    "recommend_ratio": "synthmix_dagster.verbs.core",
    "recommend_without_target": "synthmix_dagster.verbs.variants",
    "split_evaluation": "synthmix_dagster.data.splitting",
    "verify_release": "synthmix_dagster.release.verification",
}

__all__ = [
    "DistanceReport",
    "DriftReport",
    "NewRelease",
    "Recommendation",
    "Release",
    "SynthMixComponent",
    "SynthMixError",
    "build_drift_monitor",
    "build_release_sensor",
    "build_synthmix_checks",
    "build_synthmix_defs",
    "drift_report",
    "load_release",
    "measure_distance",
    "mix",
    "open_dataset",
    "recommend_for_domain",
    "recommend_generators",
    "recommend_per_class",
    "recommend_ratio",
    "recommend_without_target",
    "split_evaluation",
    "verify_release",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
