"""Only the gate, between two assets that a project has already."""

from typing import Any

import dagster as dg
import numpy as np
import pytest
from scenario import bad, good, rows

from synthmix_dagster import SynthMixError, build_synthmix_checks

MINIMAL: dict[str, Any] = {
    "synthetic": "warehouse/made",
    "real": "warehouse/labelled",
    "threshold": 0.5,
    "permutations": 9,
    "directions": 20,
}


def project(frame: Any, *, real: Any = None, **options: Any) -> dg.Definitions:
    @dg.asset(key_prefix="warehouse")
    def labelled() -> Any:
        return rows(100, seed=0) if real is None else real

    @dg.asset(key_prefix="warehouse")
    def made() -> Any:
        return frame

    @dg.asset(deps=[made])
    def model() -> None:
        """What must not be trained on bad rows."""

    return dg.Definitions(
        assets=[labelled, made, model],
        asset_checks=build_synthmix_checks(**{**MINIMAL, **options}),
    )


def run(defs: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_good_asset_passes_and_a_bad_one_stops_what_follows_it(
    instance: dg.DagsterInstance,
) -> None:
    passed = run(project(good(200)), instance)
    assert passed.success
    found = {check.check_name: check for check in passed.get_asset_check_evaluations()}
    assert {name: check.passed for name, check in found.items()} == {
        "wasserstein_gap": True,
        "schema_matches": True,
    }
    assert found["wasserstein_gap"].asset_key == dg.AssetKey(["warehouse", "made"])
    assert "synthmix/gap" in found["wasserstein_gap"].metadata

    failed = run(project(bad(200)), instance)
    assert not failed.success
    done = {event.asset_key.path[-1] for event in failed.get_asset_materialization_events()}
    assert done == {"labelled", "made"}


def test_it_may_warn_only(instance: dg.DagsterInstance) -> None:
    checks = {"wasserstein_gap": {"severity": "WARN"}}
    assert run(project(bad(200), checks=checks), instance).success


def test_labels_and_a_contract_have_gates_too(instance: dg.DagsterInstance) -> None:
    wrong = rows(300, seed=1, shuffled_target=True).assign(kind="z")
    result = run(
        project(
            wrong,
            target="y",
            task="regression",
            conditional_threshold=0.3,
            threshold=9.0,
            contract={"columns": {"kind": {"type": "text", "levels": ["a", "b", "c"]}}},
        ),
        instance,
    )
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert found["wasserstein_gap"].passed
    assert not found["conditional_gap"].passed
    assert not found["schema_matches"].passed
    assert "'kind' (levels): 'z' is new" in (found["schema_matches"].description or "")


@pytest.mark.slow
def test_an_absent_class_warns_and_stops_where_that_is_configured(
    instance: dg.DagsterInstance,
) -> None:
    # Classes that are numbers, and one of them never generated.
    made = good(400).assign(y=1)
    options = {"target": "y", "task": "classification", "threshold": 9.0}
    strict = {"contract": {"columns": {}, "every_level": True}}
    for more, severity in (({}, "WARN"), (strict, "ERROR")):
        result = run(
            project(
                made, real=rows(100, seed=0).assign(y=np.arange(100) % 4 // 3), **options, **more
            ),
            instance,
        )
        found = {check.check_name: check for check in result.get_asset_check_evaluations()}
        assert not found["schema_matches"].passed
        assert found["schema_matches"].severity.value == severity
        assert "'y' (absent): '0' (75.0% of the real rows) is absent" in (
            found["schema_matches"].description or ""
        )


def test_partitions_are_compared_one_by_one(instance: dg.DagsterInstance) -> None:
    keys = dg.StaticPartitionsDefinition(["a", "b"])

    @dg.asset(key_prefix="warehouse")
    def labelled() -> Any:
        return rows(100, seed=0)

    @dg.asset(key_prefix="warehouse", partitions_def=keys)
    def made(context: dg.AssetExecutionContext) -> Any:
        return bad(200) if context.partition_key == "b" else good(200)

    with pytest.warns(dg.PreviewWarning):
        checks = build_synthmix_checks(**MINIMAL, partitions_def=keys)
    defs = dg.Definitions(assets=[labelled, made], asset_checks=checks)
    dg.materialize([labelled], instance=instance)
    job = defs.resolve_implicit_global_asset_job_def()
    succeeded = [
        job.execute_in_process(
            instance=instance,
            partition_key=key,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(["warehouse", "made"])],
        ).success
        for key in ("a", "b")
    ]
    assert succeeded == [True, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"synthetic": {"path": "x.parquet"}}, "'synthetic' is not an asset"),
        ({"threshold": "auto"}, "needs a recommended ratio"),
        ({"conditional_threshold": 0.1}, "Set 'target' as well"),
        ({"thresold": 1}, "Did you mean 'threshold'"),
        ({"checks": {"wasserstein": {}}}, "Did you mean 'wasserstein_gap'"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SynthMixError, match=words):
        build_synthmix_checks(**{**MINIMAL, **change})
