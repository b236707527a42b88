"""The asset checks of a mix as Dagster sees them. What each of them judges is in `check_steps`.

They are steps of their own, so that a gate can be judged again from the Dagster UI, for example
with another threshold, without measuring anything again.
"""

import dagster as dg

from synthmix_dagster.orchestration.assets import Mix
from synthmix_dagster.orchestration.config.run import GateRun
from synthmix_dagster.orchestration.drift_watch.check import build_drift_check, watch_of
from synthmix_dagster.orchestration.op_options import config_schema_of, op_options

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


def build_checks(mix: Mix) -> list[dg.AssetChecksDefinition]:
    """Build the checks of one mix."""
    gates = [
        # A gate that needs the recommendation is judged after it.
        _check(
            mix,
            gate.name,
            "optimal_ratio" if gate.threshold.kind == "auto" else "distribution_distance",
            threshold=str(gate.threshold),
        )
        for gate in mix.gates
    ]
    drift = [build_drift_check(watch_of(mix, mix.drift))] if mix.drift else []
    of_schema = "synthetic" if mix.from_files else "distribution_distance"
    return [
        *gates,
        *drift,
        _check(mix, "schema_matches", of_schema),
        _check(mix, "memorisation", "optimal_ratio"),
        _check(mix, "recommendation_usable", "optimal_ratio"),
        _check(mix, "mix_as_recommended", "training_data"),
    ]


def _check(
    mix: Mix, name: str, role: str, *, threshold: str | None = None
) -> dg.AssetChecksDefinition:
    """Build one check of the asset of a role; only one with a threshold takes run configuration."""
    schema = None if threshold is None else GateRun

    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from synthmix_dagster.orchestration.check_steps import judge_check

        return judge_check(mix, name, role, context.op_execution_context, schema)

    key = mix.asset_key(role)
    _, blocking = mix.acts(name)
    spec = dg.AssetCheckSpec(
        name,
        asset=key,
        description=_DESCRIPTIONS[name].format(threshold=threshold),
        blocking=blocking,
    )
    return dg.multi_asset_check(
        name="__".join([*key.path, name]),
        specs=[spec],
        config_schema=config_schema_of(schema),
        **op_options(mix.op),
    )(check)
