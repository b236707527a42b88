"""The asset checks of a mix as Dagster sees them. What each of them judges is in `check_steps`.

A check is judged in the step of its asset: a step costs a process, and a pod on Kubernetes.
"""

from collections.abc import Mapping

import dagster as dg

from synthmix_dagster.gates.threshold import GATES
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.drift_watch.check import drift_spec, watch_of

_DESCRIPTIONS = {
    "wasserstein_gap": "Fails when the gap exceeds {threshold} real standard deviations, and then "
    "blocks the release of training data.",
    "conditional_gap": "Fails when similar rows carry different labels in the synthetic data than "
    "in the real data, by more than {threshold} standard deviations, and then blocks the release "
    "of training data.",
    "class_gap": "Fails when rows that look like one class carry different labels in the synthetic "
    "data than in the real data, by more than {threshold} in the worst class, and then blocks the "
    "release of training data.",
    "classifier_accuracy": "Fails when a classifier tells synthetic rows from real ones with a "
    "balanced accuracy above {threshold}, and then blocks the release of training data.",
    "distinct_rows": "Fails when synthetic rows are repeated so often that they count as less than "
    "a share of {threshold} distinct ones, and then blocks the release of training data.",
    "schema_matches": "Checks for missing, extra and retyped columns, missing values and "
    "unexpected levels.",
    "memorisation": "Fails when synthetic rows appear to be derived from the evaluation rows.",
    "recommendation_usable": "Warns when the recommendation is not informative: a flat curve, or "
    "an optimum at the end of the available range.",
    "mix_as_recommended": "Recounts the released shards and compares them with the recommendation.",
}


def check_specs(config: MixConfig, role: str) -> list[dg.AssetCheckSpec]:
    """The checks of the asset of a role, in the order in which its step judges them.

    Parameters
    ----------
    config : MixConfig
    role : str
    """
    thresholds = {gate.name: str(gate.threshold) for gate in config.gates}
    specs = []
    for name, asset in _roles(config).items():
        if asset != role:
            continue
        if name == "drift" and config.drift is not None:
            specs.append(drift_spec(watch_of(config, config.drift)))
            continue
        _, blocking = config.acts(name)
        description = _DESCRIPTIONS[name].format(threshold=thresholds.get(name))
        specs.append(
            dg.AssetCheckSpec(
                name, asset=config.asset_key(role), description=description, blocking=blocking
            )
        )
    return specs


def thresholds_of(config: MixConfig, role: str) -> tuple[str, ...]:
    """Options of a run that replace a threshold in the step of a role."""
    return tuple(
        GATES[name] for name, asset in _roles(config).items() if asset == role and name in GATES
    )


def _roles(config: MixConfig) -> Mapping[str, str]:
    """The asset of each check."""
    roles: dict[str, str] = {}
    if not config.is_whole:
        roles = {
            # A gate that needs the recommendation is judged after it.
            gate.name: "optimal_ratio" if gate.threshold.kind == "auto" else "distribution_distance"
            for gate in config.gates
        }
        if config.drift is not None:
            roles["drift"] = "distribution_distance"
        roles["schema_matches"] = "synthetic" if config.from_files else "distribution_distance"
    if config.generator is not None:
        # What is asked of all generators together is asked once.
        return roles
    return {
        **roles,
        "memorisation": "optimal_ratio",
        "recommendation_usable": "optimal_ratio",
        "mix_as_recommended": "training_data",
    }
