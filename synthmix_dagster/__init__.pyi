# The public names and where they live, each once: type checkers read this file, and so does
# `__init__.py`, which imports a name when it is first used.
from synthmix_dagster.data.dataset import open_dataset as open_dataset
from synthmix_dagster.data.splitting import split_evaluation as split_evaluation
from synthmix_dagster.data.store import StoreAccess as StoreAccess
from synthmix_dagster.distance.report import DistanceReport as DistanceReport
from synthmix_dagster.drift.report import DriftReport as DriftReport
from synthmix_dagster.errors import SynthMixError as SynthMixError
from synthmix_dagster.orchestration.cluster import SynthMixSpark as SynthMixSpark
from synthmix_dagster.orchestration.component import SynthMixComponent as SynthMixComponent
from synthmix_dagster.orchestration.connection import SynthMixConnection as SynthMixConnection
from synthmix_dagster.orchestration.definitions import build_synthmix_defs as build_synthmix_defs
from synthmix_dagster.orchestration.drift_watch.monitor import (
    build_drift_monitor as build_drift_monitor,
)
from synthmix_dagster.orchestration.drift_watch.monitor import drift_report as drift_report
from synthmix_dagster.orchestration.io_manager import SynthMixIOManager as SynthMixIOManager
from synthmix_dagster.orchestration.sensors import NewRelease as NewRelease
from synthmix_dagster.orchestration.sensors import build_release_sensor as build_release_sensor
from synthmix_dagster.orchestration.standalone_checks import (
    build_synthmix_checks as build_synthmix_checks,
)
from synthmix_dagster.orchestration.storage import SynthMixStorage as SynthMixStorage
from synthmix_dagster.ratio.recommendation import Recommendation as Recommendation
from synthmix_dagster.release.handle import Release as Release
from synthmix_dagster.release.handle import load_release as load_release
from synthmix_dagster.release.history import History as History
from synthmix_dagster.release.history import history as history
from synthmix_dagster.release.verification import verify_release as verify_release
from synthmix_dagster.spark.session import SparkAccess as SparkAccess
from synthmix_dagster.verbs.core import measure_distance as measure_distance
from synthmix_dagster.verbs.core import recommend_ratio as recommend_ratio
from synthmix_dagster.verbs.learning import learn_from_pairs as learn_from_pairs
from synthmix_dagster.verbs.mixing import mix as mix
from synthmix_dagster.verbs.variants import recommend_for_domain as recommend_for_domain
from synthmix_dagster.verbs.variants import recommend_generators as recommend_generators
from synthmix_dagster.verbs.variants import recommend_per_class as recommend_per_class
from synthmix_dagster.verbs.variants import recommend_without_target as recommend_without_target

__version__: str
__all__: list[str]
