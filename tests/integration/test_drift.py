"""Drift seen through a real Dagster instance: the mix, the monitor alone, and every odd history."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from scenario import bad, rows, write_inputs

from synthmix_dagster import SynthMixError, build_drift_monitor, build_synthmix_defs, drift_report

KEY = dg.AssetKey(["watch", "distribution_distance"])
DAYS = dg.StaticPartitionsDefinition([f"2026-11-{day:02d}" for day in range(1, 31)])


def frame(seed: int, *, shift: float = 0.0, n: int = 256) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.normal(shift, 1, n), "z": rng.normal(0, 1, n)})


def day_of(partition: str) -> int:
    return int(partition[-2:])


class Monitor:
    """A monitor of one dataset over partitions, whose rows a test decides."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, **options: Any) -> None:
        self.frames: dict[str, pd.DataFrame] = {}
        self.instance = instance
        self.options = {
            "name": "watch",
            "synthetic": "made",
            "generator_version": "v1",
            "history": 3,
            "reference": 1,
            "directions": 4,
            "output_root": str(root / "monitors"),
            **options,
        }

    def run(self, partition: str, rows: pd.DataFrame, **options: Any) -> dg.AssetCheckEvaluation:
        self.frames[partition] = rows

        @dg.asset(key="made", partitions_def=DAYS)
        def made(context: dg.AssetExecutionContext) -> pd.DataFrame:
            return self.frames[context.partition_key]

        defs = dg.Definitions.merge(
            build_drift_monitor(partitions_def=DAYS, **{**self.options, **options}),
            dg.Definitions(assets=[made]),
        )
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, partition_key=partition, raise_on_error=False
        )
        self.success = result.success
        (evaluation,) = result.get_asset_check_evaluations()
        return evaluation

    def day(self, day: int, *, seed: int | None = None, **options: Any) -> dg.AssetCheckEvaluation:
        return self.run(f"2026-11-{day:02d}", frame(day if seed is None else seed, **options))


@pytest.fixture
def monitor(tmp_path: Path, instance: dg.DagsterInstance) -> Monitor:
    return Monitor(tmp_path, instance)


def test_an_unchanged_generator_passes_and_a_changed_one_is_named_with_its_day_and_column(
    monitor: Monitor,
) -> None:
    said = [monitor.day(day) for day in range(1, 9)]
    assert [one.passed for one in said] == [True] * 8
    assert "history of generator is short: 0 comparable batches" in str(said[0].description)
    assert "Nothing moved: generator over 7 batches" in str(said[-1].description)
    said += [monitor.day(day, shift=0.6) for day in (9, 10)]
    assert said[-1].severity is dg.AssetCheckSeverity.ERROR
    assert not said[-1].passed
    words = str(said[-1].description)
    assert "The generator moved away from its reference since batch 2026-11-09 (2 batches)" in words
    assert "columns: x (" in words
    assert "at most 0.01" in words
    assert said[-1].metadata["synthmix/generator_log_capital"].value > np.log(100)
    assert "data:image/png;base64," in said[-1].metadata["synthmix/drift_plot"].value
    assert monitor.success  # not blocking unless asked
