"""Where the datasets of a mix come from when a step needs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.schema_contract import Violation, contract_of, violations
from synthmix_dagster.data.splitting import split_by_column, split_by_share
from synthmix_dagster.errors import GateError
from synthmix_dagster.orchestration.cluster import cluster_of
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.pair import PairConfig
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.snapshots import unloaded

Frames = Mapping[str, Any]
Sides = tuple[Dataset, Dataset]


@dataclass(frozen=True)
class Opened:
    """The datasets of a mix, as a step needs them.

    Attributes
    ----------
    sides : pair of Dataset
        The rows that are measured and mixed: real and synthetic.
    evaluation : Dataset, optional
        Real rows that judge, and take part in nothing else.
    """

    sides: Sides
    evaluation: Dataset | None = None


def open_inputs(config: MixConfig, frames: Frames) -> Opened:
    """Open the rows that are measured and mixed, and the evaluation rows that this step is given.

    Raises
    ------
    GateError
        The files changed since they were ingested.
    """
    (opened,) = open_each({"": config}, frames).values()
    return opened


def open_each(views: Mapping[str, MixConfig], frames: Frames) -> dict[str, Opened]:
    """The same for each of several generators; the real rows are opened once.

    Parameters
    ----------
    views : mapping of str to MixConfig
        The settings for each generator, by its name; one of no name is the only one.
    frames : mapping of str to frame
        Rows of a generator by its name.

    Raises
    ------
    GateError
        The files changed since they were ingested.
    """
    first = next(iter(views.values()))
    real, evaluation = put_aside(first, _open_ingested(first, frames, "real"))
    source = first.evaluation
    if source is not None and (source.asset is None or "evaluation" in frames):
        evaluation = open_side(first, frames, "evaluation")
    opened = {}
    for name, view in views.items():
        own = {"synthetic": frames[name]} if name in frames else frames
        synthetic = _open_ingested(view, own, "synthetic")
        opened[name] = Opened((real, synthetic), evaluation)
    return opened


def _open_ingested(config: MixConfig, frames: Frames, side: str) -> Dataset:
    dataset = open_side(config, frames, side, as_ingested=True)
    if config.dataset(side).asset is None:
        _require_ingested(config, dataset)
    return dataset


def open_side(
    config: MixConfig, frames: Frames, side: str, *, as_ingested: bool = False
) -> Dataset:
    """Open one dataset, whole.

    Parameters
    ----------
    config : MixConfig
    frames : mapping of str to frame
    side : str
    as_ingested : bool
        Whether a table is opened at the version that was ingested: it may have moved on since.
    """
    source = config.dataset(side)
    if config.is_unloaded(source):
        return unloaded(config, side)
    if as_ingested and source.path is not None:
        ingested = (MixPaths.of(config).records.read(side) or {}).get("table", {})
        # Another version in the settings is another dataset, which has to be ingested first.
        if ingested and ingested["requested"] == source.version:
            source = source.model_copy(update={"version": ingested["version"]})
    place = source.path if source.generator is None else MixPaths.of(config).generated
    rows = place if source.asset is None else frames[side]
    # Evaluation rows judge here, whatever the engine of the mix.
    cluster = None if side == "evaluation" else cluster_of(config)
    return source.open(rows, side, config.columns.key, cluster)


def put_aside(config: MixConfig, real: Dataset) -> tuple[Dataset, Dataset | None]:
    """Split the real rows into those that are used and the evaluation rows."""
    if config.evaluation_column is not None:
        return split_by_column(real, config.evaluation_column)
    if config.evaluation_share is not None:
        return split_by_share(real, config.evaluation_share, key=config.key)
    return real, None


def schema_violations(config: MixConfig | PairConfig, sides: Sides) -> list[Violation]:
    """How the columns differ from the stated contract, or else from that of the real rows."""
    real, synthetic = sides
    optional = [*config.ignore, *config.key]
    inferred = []
    if config.contract is None or config.contract.every_level:
        classes = [config.target] if config.task == "classification" and config.target else []
        contract = contract_of(real, [*config.categorical, *classes], free=config.embed)
        inferred = violations(synthetic, contract, optional=optional)
    if config.contract is None:
        return inferred
    held, extra = config.contract.by_column, config.contract.extra
    return [
        *violations(real, held, extra=extra),
        *violations(synthetic, held, optional=optional, extra=extra),
        *(violation for violation in inferred if violation.rule == "absent"),
    ]


def _require_ingested(config: MixConfig, dataset: Dataset) -> None:
    side = dataset.name
    record = MixPaths.of(config).records.read(side)
    if record is None or record["fingerprint"] != dataset.fingerprint:
        problem = "was never ingested" if record is None else "changed since it was ingested"
        source = config.dataset(side)
        asset = config.asset_key(side).to_user_string()
        place = source.place or MixPaths.of(config).generated.uri
        raise GateError(
            f"the {side} dataset at '{place}' {problem}",
            mix=config.name,
            fix=f"Materialise '{asset}' and everything downstream",
        )
