"""What this package relies on in Dagster: an upgrade that changes it fails here."""

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.metadata.metadata_set import (
    NamespacedMetadataSet,
    TableMetadataSet,
    UriMetadataSet,
)
from dagster._core.definitions.tags.tag_set import NamespacedTagSet
from dagster.components.core.package_entry import get_package_objects_in_module

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


class Pipeline:
    """An asset, a check of it that fails, and an asset downstream."""

    def __init__(self, *, blocking: bool = True, severity: dg.AssetCheckSeverity = ERROR) -> None:
        self.tries = 0

        @dg.asset
        def distance() -> None: ...

        @dg.multi_asset_check(
            specs=[dg.AssetCheckSpec("gap", asset="distance", blocking=blocking)],
            retry_policy=dg.RetryPolicy(max_retries=2),
        )
        def gap() -> Iterator[dg.AssetCheckResult]:
            self.tries += 1
            yield dg.AssetCheckResult(passed=False, severity=severity)

        @dg.asset(deps=[distance])
        def release() -> None: ...

        self.assets: Sequence[Any] = [distance, gap, release]

    def run(self, **options: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(self.assets, raise_on_error=False, **options)


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        event.asset_key.path[-1]
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def test_a_failed_blocking_check_fails_its_run_and_is_not_tried_again() -> None:
    pipeline = Pipeline()
    result = pipeline.run()
    assert not result.success
    assert materialised(result) == {"distance"}  # the checked asset's materialisation stays
    assert pipeline.tries == 1


def test_a_check_blocks_within_its_run_only() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        pipeline = Pipeline()
        assert not pipeline.run(instance=instance).success
        later = pipeline.run(instance=instance, selection=["release"])
        assert later.success
        assert materialised(later) == {"release"}


@pytest.mark.parametrize(("blocking", "severity"), [(False, ERROR), (True, WARN), (False, WARN)])
def test_what_does_not_block_lets_the_run_succeed(
    blocking: bool, severity: dg.AssetCheckSeverity
) -> None:
    result = Pipeline(blocking=blocking, severity=severity).run()
    assert result.success
    assert materialised(result) == {"distance", "release"}
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.severity) == (False, severity)


def test_a_failure_without_retries_ends_a_step_whatever_its_policy() -> None:
    tries = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    def refused() -> None:
        tries.append(1)
        raise dg.Failure("refused", allow_retries=False)

    result = dg.materialize([refused], raise_on_error=False)
    assert not result.success
    assert len(tries) == 1
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data is not None
    assert failure.step_failure_data.user_failure_data.description == "refused"


class OneStep:
    """An asset and two checks of it in one step, and an asset downstream."""

    def __init__(self, *, severity: dg.AssetCheckSeverity = ERROR, blocking: bool = True) -> None:
        self.runs: list[dict[str, Any]] = []
        self.recorded: list[int] = []
        key = dg.AssetKey("distance")

        @dg.multi_asset(
            specs=[dg.AssetSpec("distance")],
            check_specs=[
                dg.AssetCheckSpec("gap", asset="distance", blocking=blocking),
                dg.AssetCheckSpec("schema", asset="distance"),
            ],
            can_subset=True,
            config_schema={"threshold": dg.Field(float, is_required=False)},
            retry_policy=dg.RetryPolicy(max_retries=2),
        )
        def distance(context: dg.AssetExecutionContext) -> Iterator[Any]:
            checks = {key.name for key in context.selected_asset_check_keys}
            self.runs.append(
                {
                    "assets": {key.to_user_string() for key in context.selected_asset_keys},
                    "checks": checks,
                    **context.op_execution_context.op_config,
                }
            )
            if context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key)
            self.recorded.append(len(context.instance.fetch_materializations(key, 9).records))
            for name in sorted(checks):
                yield dg.AssetCheckResult(
                    passed=name != "gap", check_name=name, asset_key=key, severity=severity
                )

        @dg.asset(deps=["distance"])
        def release() -> None: ...

        self.assets: Sequence[Any] = [distance, release]

    def run(self, **options: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(self.assets, raise_on_error=False, **options)


def evaluated(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def test_a_check_in_the_step_of_its_asset_blocks_what_is_downstream() -> None:
    pipeline = OneStep()
    result = pipeline.run()
    assert not result.success
    # The step fails after all it yielded was recorded, and no policy has it tried again.
    assert materialised(result) == {"distance"}
    assert evaluated(result) == {"gap": False, "schema": True}
    assert len(pipeline.runs) == 1
    assert pipeline.recorded == [1]  # what is yielded is in the instance before the step goes on
    (failure,) = result.get_step_failure_events()
    assert failure.step_key == "distance"
    assert "1 blocking asset check failed with ERROR severity" in str(
        failure.step_failure_data.error
    )


@pytest.mark.parametrize(("blocking", "severity"), [(False, ERROR), (True, WARN)])
def test_a_check_in_the_step_of_its_asset_that_does_not_block_lets_the_run_succeed(
    blocking: bool, severity: dg.AssetCheckSeverity
) -> None:
    result = OneStep(blocking=blocking, severity=severity).run()
    assert result.success
    assert materialised(result) == {"distance", "release"}


def test_checks_selected_alone_run_their_step_without_its_asset() -> None:
    pipeline = OneStep()
    gap = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("distance"), "gap"))
    config = {"ops": {"distance": {"config": {"threshold": 2.0}}}}
    result = pipeline.run(selection=gap, run_config=config)
    assert not result.success
    assert materialised(result) == set()
    assert evaluated(result) == {"gap": False}
    assert pipeline.runs == [{"assets": set(), "checks": {"gap"}, "threshold": 2.0}]
    # An asset that is selected without its checks is materialised, and nothing judges it.
    alone = dg.AssetSelection.assets("distance").without_checks()
    assert pipeline.run(selection=alone).success
    assert pipeline.runs[1:] == [{"assets": {"distance"}, "checks": set()}]


def test_a_step_that_fails_between_its_asset_and_its_checks_keeps_the_asset() -> None:
    tries = []

    @dg.multi_asset(
        specs=[dg.AssetSpec("distance")],
        check_specs=[dg.AssetCheckSpec("gap", asset="distance")],
        can_subset=True,
    )
    def distance() -> Iterator[Any]:
        tries.append(1)
        yield dg.MaterializeResult(asset_key="distance")
        raise OSError("the disk is gone")

    @dg.asset(deps=["distance"])
    def release() -> None: ...

    result = dg.materialize([distance, release], raise_on_error=False)
    assert not result.success
    assert materialised(result) == {"distance"}
    assert len(tries) == 1


def test_checks_of_a_step_see_the_partitions_of_a_backfill_in_one_run() -> None:
    two = dg.StaticPartitionsDefinition(["a", "b"])
    seen = []

    @dg.multi_asset(
        specs=[dg.AssetSpec("distance", partitions_def=two)],
        check_specs=[dg.AssetCheckSpec("gap", asset="distance", blocking=True)],
        can_subset=True,
        partitions_def=two,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def distance(context: dg.AssetExecutionContext) -> Iterator[Any]:
        if context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key="distance")
        # A run of checks alone has no partition, as they have none.
        seen.append(list(context.partition_keys) if context.has_partition_key_range else None)
        yield dg.AssetCheckResult(passed=True, check_name="gap", asset_key="distance")

    tags = {
        "dagster/asset_partition_range_start": "a",
        "dagster/asset_partition_range_end": "b",
    }
    assert dg.materialize([distance], tags=tags).success
    alone = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("distance"), "gap"))
    assert dg.materialize([distance], selection=alone).success
    assert seen == [["a", "b"], None]


def test_a_backfill_in_one_run_has_all_keys_and_loads_a_mapping_of_frames() -> None:
    days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
    seen: dict[str, Any] = {}

    class Stored(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None: ...

        def load_input(self, context: dg.InputContext) -> Mapping[str, str]:
            return {key: f"rows of {key}" for key in context.asset_partition_keys}

    @dg.multi_asset(
        specs=[dg.AssetSpec("distance", deps=["warehouse_rows"], partitions_def=days)],
        ins={"rows": dg.AssetIn("warehouse_rows")},
        backfill_policy=dg.BackfillPolicy.single_run(),
        partitions_def=days,
    )
    def distance(context: dg.AssetExecutionContext, rows: Any) -> Iterator[Any]:
        seen.update(range=context.has_partition_key_range, one=context.has_partition_key, rows=rows)
        seen["keys"] = list(context.partition_keys)
        for key in context.partition_keys:
            context.add_asset_metadata({"key": key}, asset_key="distance", partition_key=key)
        yield dg.MaterializeResult(asset_key="distance")

    rows = dg.AssetSpec("warehouse_rows", partitions_def=days).with_io_manager_key("stored")
    result = dg.materialize(
        [rows, distance],
        resources={"stored": Stored()},
        tags={
            "dagster/asset_partition_range_start": "2026-01-01",
            "dagster/asset_partition_range_end": "2026-01-02",
        },
    )
    keys = ["2026-01-01", "2026-01-02"]
    assert (seen["range"], seen["one"], seen["keys"]) == (True, False, keys)
    assert seen["rows"] == {key: f"rows of {key}" for key in keys}
    recorded = {
        event.partition: event.materialization.metadata["key"].value
        for event in result.get_asset_materialization_events()
    }
    assert recorded == {key: key for key in keys}


def test_what_was_never_materialised_cannot_be_loaded() -> None:
    @dg.asset
    def rows() -> int:
        return 1

    @dg.multi_asset(
        specs=[dg.AssetSpec("distance", deps=["rows"])], ins={"rows": dg.AssetIn("rows")}
    )
    def distance(rows: Any) -> Iterator[dg.MaterializeResult]:
        yield dg.MaterializeResult(asset_key="distance")

    result = dg.materialize([rows, distance], selection=["distance"], raise_on_error=False)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert failure.step_key == "distance"


@pytest.mark.parametrize("one_step", [False, True])
def test_automation_waits_for_blocking_checks(one_step: bool) -> None:
    waits = dg.AutomationCondition.all_deps_blocking_checks_passed()
    checked = OneStep().assets[:1] if one_step else Pipeline().assets[:2]

    @dg.asset(deps=["distance"], automation_condition=dg.AutomationCondition.eager() & waits)
    def gated() -> None: ...

    @dg.asset(deps=["distance"], automation_condition=dg.AutomationCondition.eager())
    def eager() -> None: ...

    definitions = dg.Definitions([*checked, gated, eager])
    with dg.DagsterInstance.ephemeral() as instance:
        begun = dg.evaluate_automation_conditions(definitions, instance)
        dg.materialize(checked, instance=instance, raise_on_error=False)
        result = dg.evaluate_automation_conditions(definitions, instance, cursor=begun.cursor)
        assert result.get_num_requested(dg.AssetKey("eager")) == 1
        assert result.get_num_requested(dg.AssetKey("gated")) == 0


def test_metadata_keys_that_the_ui_knows() -> None:
    assert set(TableMetadataSet.model_fields) == {
        "column_schema",
        "column_lineage",
        "row_count",
        "partition_row_count",
        "table_name",
        "storage_kind",
    }
    assert set(UriMetadataSet.model_fields) == {"uri"}
    assert dict(TableMetadataSet(row_count=3)) == {"dagster/row_count": 3}
    assert dict(UriMetadataSet(uri="s3://bucket")) == {"dagster/uri": "s3://bucket"}


def test_a_metadata_set_leaves_out_what_is_none_and_reads_its_own_keys_back() -> None:
    class Keys(NamespacedMetadataSet):
        gap: float | None = None
        notes: dg.JsonMetadataValue | None = None

        @classmethod
        def namespace(cls) -> str:
            return "ours"

    assert dict(Keys(gap=0.5)) == {"ours/gap": 0.5}
    recorded = {"ours/gap": dg.MetadataValue.float(0.5), "theirs/gap": dg.MetadataValue.int(1)}
    assert Keys.extract(recorded) == Keys(gap=0.5)
    with pytest.raises(ValueError, match="misspelt"):
        Keys(misspelt=1)


def test_a_tag_set_takes_text() -> None:
    class Tags(NamespacedTagSet):
        release_id: str | None = None

        @classmethod
        def namespace(cls) -> str:
            return "ours"

    assert dict(Tags(release_id="a")) == {"ours/release_id": "a"}


def test_a_component_type_says_what_it_produces() -> None:
    spec = dg.ComponentTypeSpec(description="d", tags=["t"], produces=["asset", "job"])
    assert list(spec.produces or []) == ["asset", "job"]


def test_dagster_finds_components_by_walking_the_names_of_a_module() -> None:
    class Found(dg.Component):
        def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
            return dg.Definitions()

    walked: list[str] = []

    class Module(ModuleType):
        def __dir__(self) -> list[str]:
            return ["Found", "helper"]

        def __getattr__(self, name: str) -> Any:
            walked.append(name)
            return Found if name == "Found" else object()

    assert dict(get_package_objects_in_module(Module("module"))) == {"Found": Found}
    assert walked == ["Found", "helper"]


def test_the_history_of_an_asset_is_read_newest_first_or_after_a_place() -> None:
    key = dg.AssetKey("distance")
    with dg.DagsterInstance.ephemeral() as instance:
        for number in range(3):
            event = dg.AssetMaterialization(key, metadata={"number": number})
            instance.report_runless_asset_event(event)
        records = instance.fetch_materializations(key, limit=10).records
        numbers = [r.asset_materialization.metadata["number"].value for r in records]
        assert numbers == [2, 1, 0]
        after = dg.AssetRecordsFilter(asset_key=key, after_storage_id=records[-1].storage_id)
        later = instance.fetch_materializations(after, limit=10, ascending=True).records
        numbers = [r.asset_materialization.metadata["number"].value for r in later]
        assert numbers == [1, 2]
        assert instance.is_ephemeral
