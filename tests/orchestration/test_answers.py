"""More than one ratio, through Dagster: generators, classes, another domain, no target."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from scenario import MINIMAL, bad, good, rows, write_inputs

from synthmix_dagster import Release, build_synthmix_defs, verify_release
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.ratio.embedding import EmbeddingOptimum
from synthmix_dagster.ratio.sources import SourceMixture
from synthmix_dagster.ratio.strata import ClassRatios


def several(folder: Path, **frames: pd.DataFrame) -> dict[str, Any]:
    """The options of a mix over generators by their names."""
    options = write_inputs(folder)
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")
    return options | {"synthetic": {name: file(folder, name) for name in frames}}


def file(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    return {"path": str(folder / f"{name}.parquet"), **more}


def run(
    options: dict[str, Any],
    instance: dg.DagsterInstance,
    *selection: str,
    more: dg.Definitions | None = None,
    ops: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    defs = dg.Definitions.merge(build_synthmix_defs(**options), more or dg.Definitions())
    keys = [dg.AssetKey(["demo", *name.split("/")]) for name in selection]
    return defs.resolve_job_def("demo_job").execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=keys or None,
        run_config={"ops": {name: {"config": given} for name, given in (ops or {}).items()}},
    )


def said(result: dg.ExecuteInProcessResult) -> str:
    events = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    return "\n".join(
        str(event.step_failure_data.user_failure_data.description)
        for event in events
        if event.step_failure_data.user_failure_data
    )


def latest(folder: Path) -> Release:
    return verify_release(folder / "mixes" / "demo")


def made(release: Release) -> dict[str, int]:
    counted = release.to_pandas().synthmix_generator.value_counts()
    return {str(name): int(count) for name, count in counted.items()}


def answer_of(release: Release) -> Any:
    evidence = Evidence.from_dict(release.manifest["evidence"])
    assert not evidence.unread
    return evidence.recommendation


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, module_instance: dg.DagsterInstance
) -> tuple[Path, dg.ExecuteInProcessResult]:
    """Two honest generators, with drift, released once."""
    folder = tmp_path_factory.mktemp("two")
    options = several(folder, copula=good(300), gan=rows(200, seed=3))
    options["synthetic"]["gan"]["threshold"] = 0.9
    with pytest.MonkeyPatch.context() as patch:
        # What its pictures show is tested elsewhere.
        patch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)
        result = run(options | {"drift": {}}, module_instance)
    assert result.success, said(result)
    return folder, result


Two = tuple[Path, dg.ExecuteInProcessResult]


def test_every_generator_has_assets_and_checks_of_its_own(two: Two) -> None:
    _, result = two
    keys = {
        "/".join(event.asset_key.path[1:]) for event in result.get_asset_materialization_events()
    }
    assert keys == {
        "real",
        "synthetic/copula",
        "synthetic/gan",
        "distribution_distance/copula",
        "distribution_distance/gan",
        "optimal_ratio",
        "training_data",
    }
    checks = {
        ("/".join(each.asset_key.path[1:]), each.check_name)
        for each in result.get_asset_check_evaluations()
    }
    for name in ("copula", "gan"):
        assert (f"distribution_distance/{name}", "wasserstein_gap") in checks
        assert (f"distribution_distance/{name}", "drift") in checks
        assert (f"synthetic/{name}", "schema_matches") in checks
    assert ("optimal_ratio", "recommendation_usable") in checks
    limits = {
        each.asset_key.path[-1]: each.metadata["synthmix/threshold"].value
        for each in result.get_asset_check_evaluations()
        if each.check_name == "wasserstein_gap"
    }
    assert limits == {"copula": 0.5, "gan": 0.9}


def test_the_release_has_the_recommended_rows_of_each_and_says_whose_each_row_is(two: Two) -> None:
    folder, _ = two
    answer = answer_of(latest(folder))
    assert isinstance(answer, SourceMixture)
    release = latest(folder)
    due = {name: round(ratio * 100) for name, ratio in answer.ratios.items() if ratio}
    assert made(release) == due
    assert sum(due.values()) > 0
    assert release.details.mix.generators["gan"].rows == due.get("gan", 0)
    page = (release.path / "report.html").read_text()
    assert "Recommended rows of every generator" in page
    assert "<h3>copula</h3>" in page
    assert "<h3>gan</h3>" in page


def test_the_evidence_has_the_distance_and_the_verdicts_of_each(two: Two) -> None:
    folder, _ = two
    evidence = Evidence.from_dict(latest(folder).manifest["evidence"])
    assert not evidence.unread
    assert sorted(evidence.distances) == ["copula", "gan"]
    assert isinstance(evidence.recommendation, SourceMixture)
    assert set(evidence.checks) >= {
        "wasserstein_gap of copula",
        "wasserstein_gap of gan",
        "released_rows of copula",
        "released_rows of gan",
    }
    assert evidence.thresholds == {"wasserstein_gap of copula": 0.5, "wasserstein_gap of gan": 0.9}
    assert sorted(evidence.chain) == [
        "distribution_distance/copula",
        "distribution_distance/gan",
        "optimal_ratio",
    ]


def test_downstream_assets_load_the_answer_and_each_distance(
    two: Two, module_instance: dg.DagsterInstance
) -> None:
    folder, _ = two
    options = several(folder, copula=good(300), gan=rows(200, seed=3))
    options["synthetic"]["gan"]["threshold"] = 0.9

    @dg.asset(
        ins={
            "answer": dg.AssetIn(["demo", "optimal_ratio"]),
            "gap": dg.AssetIn(["demo", "distribution_distance", "gan"]),
        }
    )
    def told(answer: SourceMixture, gap: Any) -> str:
        return f"{sorted(answer.ratios)} {gap.n_synthetic}"

    defs = dg.Definitions.merge(
        build_synthmix_defs(**options, drift={}), dg.Definitions(assets=[told])
    )
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=module_instance, asset_selection=[dg.AssetKey("told")])
    assert result.output_for_node("told") == "['copula', 'gan'] 200"


def test_one_generator_over_its_own_threshold_stops_the_release(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = several(tmp_path, copula=good(200), gan=bad(200))
    assert not run(options, instance).success
    # Alone, later, the release judges each again.
    assert run(options, instance, "optimal_ratio").success
    result = run(options, instance, "training_data")
    assert not result.success
    assert "the check 'wasserstein_gap of gan' failed" in said(result)
    assert not (tmp_path / "mixes" / "demo" / "latest").exists()
    # A threshold of its own, and the same generator passes.
    options["synthetic"]["gan"]["threshold"] = 9.0
    result = run(options, instance, "training_data")
    assert result.success, said(result)


def test_a_generator_is_left_out_where_that_was_said(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = several(tmp_path, copula=good(200), gan=bad(200))
    options["synthetic"]["gan"]["if_refused"] = "leave_out"
    result = run(options, instance)
    assert result.success, said(result)
    release = latest(tmp_path)
    assert set(made(release)) == {"copula"}
    evidence = Evidence.from_dict(release.manifest["evidence"])
    failed = evidence.checks["wasserstein_gap of gan"]
    assert (failed.passed, failed.severity) == (False, "WARN")
    assert "'gan' is left out." in failed.sentence
    answer = evidence.recommendation
    assert isinstance(answer, SourceMixture)
    assert "gan" in answer.left_out


def test_rows_of_a_generator_that_changed_since_are_not_released(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = several(tmp_path, copula=good(200), gan=rows(200, seed=3))
    assert run(options, instance).success
    rows(200, seed=4).to_parquet(tmp_path / "gan.parquet")
    result = run(options, instance, "training_data")
    assert not result.success
    assert "'demo/synthetic/gan'" in said(result)
    assert run(options, instance, "synthetic/gan").success
    assert "'distribution_distance' was computed from different rows" in said(
        run(options, instance, "training_data")
    )


def test_a_generator_that_saw_the_real_rows_gives_none(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    copied = pd.concat([rows(100, seed=0)] * 2, ignore_index=True)
    copied["x"] += np.random.default_rng(0).normal(0, 0.01, 200)
    options = several(tmp_path, copula=good(200), copies=copied)
    result = run(options, instance)
    assert result.success, said(result)
    assert "copies" not in made(latest(tmp_path))
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert not checks["memorisation"].passed
    assert "'copies'" in str(checks["memorisation"].description)


def test_one_number_for_several_generators_is_refused(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = several(tmp_path, copula=good(200), gan=rows(200, seed=3))
    result = run(options, instance, ops={"demo__training_data": {"ratio": 1.0}})
    assert not result.success
    assert "a ratio for each of copula, gan" in said(result)


def test_generators_may_be_assets_and_resources(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    class Redraws:
        def fit(self, frame: pd.DataFrame) -> None:
            self.frame = frame

        def sample(self, count: int) -> pd.DataFrame:
            return rows(count, seed=7)

    @dg.asset
    def made_elsewhere() -> pd.DataFrame:
        return rows(150, seed=3)

    options = write_inputs(tmp_path) | {
        "synthetic": {
            "elsewhere": {"asset": "made_elsewhere"},
            "redrawn": {"generator": "redraws", "generator_rows": 120},
        }
    }
    more = dg.Definitions(assets=[made_elsewhere], resources={"redraws": Redraws()})
    defs = dg.Definitions.merge(build_synthmix_defs(**options), more)
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, raise_on_error=False
    )
    assert result.success, said(result)
    assert set(made(latest(tmp_path))) <= {"elsewhere", "redrawn"}
    assert (tmp_path / "mixes/demo/generated/demo/generated/redrawn/rows.parquet").exists()


def labelled(n: int, seed: int, rare: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = np.where(rng.random(n) < rare, "rare", "usual")
    x, z = rng.normal(size=(2, n)) + 1.5 * (label == "rare")
    return pd.DataFrame({"x": x, "z": z, "y": label})


def test_every_class_may_have_a_ratio_of_its_own(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=labelled(600, 1, 0.9))
    labelled(40, 2, 0.3).to_parquet(tmp_path / "real.parquet")
    options |= {"task": "classification", "per_class": True, "threshold": 9.0}
    result = run(options, instance)
    assert result.success, said(result)
    answer = answer_of(latest(tmp_path))
    assert isinstance(answer, ClassRatios)
    assert answer.better
    release = latest(tmp_path)
    frame = release.to_pandas()
    held = frame[frame.synthmix_source == "synthetic"].y.value_counts()
    due = {of.name: of.recommended for of in answer.classes if of.recommended}
    assert held.to_dict() == due
    assert "Recommended rows of every class" in (release.path / "report.html").read_text()
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert checks["mix_as_recommended"].passed


def test_real_rows_of_another_domain_are_judged_and_named(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    rows(300, seed=9).to_parquet(tmp_path / "abroad.parquet")
    options = write_inputs(tmp_path) | {"other": file(tmp_path, "abroad")}
    rows(40, seed=0).to_parquet(tmp_path / "real.parquet")
    result = run(options, instance)
    assert result.success, said(result)
    answer = answer_of(latest(tmp_path))
    assert sorted(answer.ratios) == ["other", "synthetic"]
    release = latest(tmp_path)
    frame = release.to_pandas()
    assert set(frame[frame.synthmix_source == "other"].synthmix_generator) <= {"other"}
    assert release.details.mix.domains == ("other",)
    keys = {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
    assert "other" in keys
    # Another domain that is too far away is refused like a generator.
    rows(300, seed=9, shift=4.0).to_parquet(tmp_path / "abroad.parquet")
    result = run(options, instance)
    assert not result.success


def test_without_a_target_the_mix_says_what_it_cannot_see(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=good(200)) | {"target": None}
    del options["task"]
    result = run(options, instance)
    assert result.success, said(result)
    answer = answer_of(latest(tmp_path))
    assert isinstance(answer, EmbeddingOptimum)
    release = latest(tmp_path)
    assert made(release) == {"synthetic": round(answer.ratio * 100)}
    assert "wrong labels are invisible" in (release.path / "report.html").read_text()


def test_a_generator_that_passed_under_a_looser_threshold_is_judged_again(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = several(
        tmp_path, copula=rows(200, seed=3, shuffled_target=True), gan=rows(300, seed=2, shift=0.3)
    )
    options["synthetic"]["gan"] |= {"if_refused": "leave_out", "threshold": 9.0}
    assert run(options, instance).success
    assert made(latest(tmp_path))["gan"] > 0
    options["synthetic"]["gan"]["threshold"] = 0.05
    result = run(options, instance, "training_data")
    assert not result.success
    assert "'gan' has to be left out, and" in said(result)


CLASSES = {"task": "classification", "per_class": True}
TWO = {"a": {"path": "a.parquet"}, "b": {"path": "b.parquet"}}


@pytest.mark.parametrize(
    ("options", "option", "said"),
    [
        ({"synthetic": TWO, "learner": "trees"}, "learner", "rows of several generators"),
        ({"synthetic": TWO, "threshold": "auto"}, "threshold", "the critical gap of one ratio"),
        ({"synthetic": TWO, "per_class": True}, "per_class", "rows of several generators"),
        ({"synthetic": {**TWO, "real": TWO["a"]}}, "synthetic", "is named 'real'"),
        ({"synthetic": {"a b": TWO["a"]}}, "synthetic", "not a valid identifier"),
        ({"synthetic": {"a": {"pth": "x"}}}, "synthetic.a.pth", "unknown option 'pth'"),
        ({"synthetic": {"pth": "x"}}, "synthetic.pth", "unknown option 'pth'"),
        ({"other": {"generator": "g", "generator_rows": 5}}, "mix", "'other' has a 'generator'"),
        ({**CLASSES, "scoring": "roc_auc"}, "scoring", "a ratio for every class"),
        ({**CLASSES, "stratify": "y"}, "stratify", "rows of its own"),
        ({**CLASSES, "mode": "weights"}, "mode", "rows of its own"),
        ({"per_class": True}, "per_class", "there are no classes"),
        ({"target": None}, "target", "go together"),
        ({"target": None, "task": None, "conditional_threshold": 1}, None, "there is no target"),
        ({"target": None, "task": None, "synthetic": TWO}, "target", "what they teach"),
        ({"estimator": "Ridge"}, "estimator", "does not name an object"),
        ({"estimator": "a:b", "learner": "trees"}, "estimator", "takes the place of a learner"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_as_a_project_loads(
    options: dict[str, Any], option: str | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        build_synthmix_defs(**{**MINIMAL, **options})
    assert option is None or caught.value.option == option


def test_each_partition_has_records_of_each_generator(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    for day in ("mon", "tue"):
        for name, seed in (("real", 0), ("one", 1), ("two", 2)):
            rows(100, seed=seed).to_parquet(tmp_path / f"{name}-{day}.parquet")
    options |= {
        "real": file(tmp_path, "real-{partition_key}"),
        "synthetic": {name: file(tmp_path, f"{name}-{{partition_key}}") for name in ("one", "two")},
        "partitions_def": {"type": "static", "partition_keys": ["mon", "tue"]},
    }
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    assert job.execute_in_process(instance=instance, partition_key="tue").success
    records = tmp_path / "mixes/demo/partitions/tue/records/demo"
    assert sorted(path.name for path in records.iterdir()) == [
        "distribution_distance.one.json",
        "distribution_distance.two.json",
        "optimal_ratio.json",
        "real.json",
        "synthetic.one.json",
        "synthetic.two.json",
        "training_data.json",
    ]
