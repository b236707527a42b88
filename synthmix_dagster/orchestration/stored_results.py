"""Results that one step stores for another: the links of the evidence that a release rests on.

Each record holds the rows, settings and code that its result was computed from, what was set for
that run only, and the digest of the record it builds on. The release step follows these links back:
what is stale, altered or belongs to something else is refused, never reused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import GateError
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.inputs import Opened
from synthmix_dagster.orchestration.metadata_keys import StoredResult
from synthmix_dagster.orchestration.outcome import CODE_VERSION
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.records import digest_of
from synthmix_dagster.ratio.answers import Answer, read_answer
from synthmix_dagster.ratio.experience import Experience

DISTANCE, RATIO, TRAINING_DATA = "distribution_distance", "optimal_ratio", "training_data"


@dataclass(frozen=True)
class Stored:
    """A stored result and what it was computed on.

    Attributes
    ----------
    result : mapping
    overrides : mapping of str to object
        Options of the run that stored it which differ from the configured ones.
    digest : str
        Of the record.
    """

    result: Mapping[str, Any]
    overrides: Mapping[str, Any]
    digest: str

    @property
    def distance(self) -> DistanceReport:
        """The result of `distribution_distance`."""
        return DistanceReport.from_dict(self.result)

    @property
    def recommendation(self) -> Answer:
        """The result of `optimal_ratio`."""
        return read_answer(self.result)


def overridden(config: MixConfig, overrides: Mapping[str, Any]) -> MixConfig:
    """The settings with those of a run in their place."""
    return config.model_copy(update=dict(overrides)) if overrides else config


def store(
    config: MixConfig,
    opened: Mapping[str, Opened],
    role: str,
    overrides: Mapping[str, Any],
    result: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Record the result of a step with everything it was computed from.

    Parameters
    ----------
    config : MixConfig
    opened : mapping of str to Opened
        The datasets for each generator that it was computed from, by its name.
    role : str
    overrides : mapping
        Options of this run.
    result : mapping

    Returns
    -------
    mapping
        Metadata by which the I/O manager finds the record.
    """
    records = MixPaths.of(config).records
    record = {
        **_origin(config, opened, role),
        "overrides": dict(overrides),
        "result": dict(result),
    }
    before = _before(config, role)
    if before:
        record["builds_on"] = before
    of_generator = {} if records.generator is None else {"generator": records.generator}
    place = {
        "role": role,
        "output": records.output.uri,
        "mix": records.mix,
        **of_generator,
        "digest": records.write(role, record),
    }
    return dict(StoredResult(stored_result=dg.MetadataValue.json(place)))


def stored(config: MixConfig, opened: Mapping[str, Opened], role: str) -> Stored:
    """A stored result of these rows, and what was set for its run only.

    A result of other options than the configured ones is returned as well: it is good for looking.
    Whether it is good for releasing is for `release_gates` to say.

    Parameters
    ----------
    config : MixConfig
    opened : mapping of str to Opened
        The datasets for each generator that it should be of, by its name.
    role : str
        ``distribution_distance`` or ``optimal_ratio``.

    Raises
    ------
    GateError
        There is none, or it belongs to other rows, settings, code or an earlier result.
    """
    records = MixPaths.of(config).records
    record = records.read(role)
    problem = _problem(config, opened, role, record)
    before = _before(config, role)
    if not problem and record is not None:
        held = record.get("builds_on", {})
        other = [name for name, digest in before.items() if held.get(name) != digest]
        if other:
            problem = (
                f"'{role}' was computed from another result of '{other[0]}' than the stored one"
            )
    if problem or record is None:
        raise GateError(
            problem,
            mix=config.name,
            fix=f"Materialise '{config.asset_key(role).to_user_string()}' and everything "
            "downstream",
        )
    own = {
        name: value for name, value in record["overrides"].items() if value != getattr(config, name)
    }
    return Stored(record["result"], own, digest_of(record))


def _before(config: MixConfig, role: str) -> dict[str, str]:
    """Digests of the records that one builds on, by what they are called."""
    if role == RATIO:
        return {
            view.qualified_role(DISTANCE): MixPaths.of(view).records.digest(DISTANCE)
            for view in config.views.values()
        }
    return {RATIO: MixPaths.of(config).records.digest(RATIO)} if role == TRAINING_DATA else {}


def _problem(
    config: MixConfig, opened: Mapping[str, Opened], role: str, record: Mapping[str, Any] | None
) -> str:
    """Why a record is not of these rows and settings; empty where it is."""
    if record is None:
        return f"'{role}' was never materialised"
    if record.get("code_version") != CODE_VERSION:
        return f"'{role}' was computed by another version of synthmix-dagster"
    origin = _origin(overridden(config, record["overrides"]), opened, role)
    if record["inputs"] != origin["inputs"]:
        both = {*record["inputs"], *origin["inputs"]}
        changed = [n for n in sorted(both) if record["inputs"].get(n) != origin["inputs"].get(n)]
        return f"'{role}' was computed from different rows ({', '.join(changed)})"
    if record["settings"] != origin["settings"]:
        return f"'{role}' was computed with different settings"
    return ""


def _origin(config: MixConfig, opened: Mapping[str, Opened], role: str) -> dict[str, Any]:
    """What a result belongs to: these rows, these settings, this code."""
    measured = role == DISTANCE
    inputs = {}
    for name, of_one in opened.items():
        real, synthetic = of_one.sides
        # Of one generator the name is its dataset's.
        inputs[name or synthetic.name] = synthetic.fingerprint
        inputs[real.name] = real.fingerprint
        if not measured and of_one.evaluation is not None:
            inputs[of_one.evaluation.name] = of_one.evaluation.fingerprint
    if not measured and config.experience is not None:
        # A file that was learned again is another input.
        inputs["experience"] = Experience.read(config.experience).digest
    return {
        "code_version": CODE_VERSION,
        "inputs": inputs,
        "settings": config.measure_options() if measured else config.recommend_options(),
    }
