"""Options of the ratio, seen in a Dagster run: who judges, and whose risk it is."""

from dataclasses import replace

import dagster as dg
import numpy as np
import pytest
from scenario import good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.ratio.experience import shipped_experience
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.verification import verify_release


def run(instance, options, *more):
    defs = dg.Definitions.merge(build_synthmix_defs(**options), *more)
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, raise_on_error=False)


def recommendation(options):
    from synthmix_dagster.orchestration.assets import Mix

    return Recommendation.from_dict(
        MixPaths.of(Mix(**options)).records.read("optimal_ratio")["result"]
    )


def test_marked_rows_judge_and_are_neither_measured_nor_mixed(tmp_path, instance):
    options = write_inputs(tmp_path)
    marked = rows(160, seed=0).assign(judge=[*[False] * 100, *[True] * 60])
    marked.to_parquet(tmp_path / "real.parquet")
    options |= {"evaluation_column": "judge"}
    assert run(instance, options).success
    found = recommendation(options)
    assert found.provenance.judged == "evaluation"
    assert "60 evaluation rows" in found.provenance.sentence
    assert found.n_real == 100
    release = verify_release(tmp_path / "mixes" / "demo" / "latest")
    assert release.manifest["realised"]["real_rows"] == 100
    assert "judge" not in {column["name"] for column in release.manifest["columns"]}


def test_evaluation_rows_may_be_an_asset(tmp_path, instance):
    @dg.asset
    def held_out():
        return rows(80, seed=5)

    options = write_inputs(tmp_path) | {"evaluation": {"asset": "held_out"}}
    assert run(instance, options, dg.Definitions(assets=[held_out])).success
    assert "80 evaluation rows" in recommendation(options).provenance.sentence


def test_evaluation_rows_may_be_a_file(tmp_path, instance):
    rows(80, seed=5).to_parquet(tmp_path / "held_out.parquet")
    options = write_inputs(tmp_path) | {"evaluation": {"path": str(tmp_path / "held_out.parquet")}}
    assert run(instance, options).success
    assert recommendation(options).provenance.judged == "evaluation"


def test_a_generator_that_saw_the_real_rows_adds_none(tmp_path, instance):
    options = write_inputs(tmp_path) | {"generator_saw_real": True}
    assert run(instance, options).success
    release = verify_release(tmp_path / "mixes" / "demo" / "latest")
    assert release.manifest["realised"]["synthetic_rows"] == 0
    assert release.manifest["realised"]["real_rows"] == 100


@pytest.mark.slow
def test_trees_decide_for_trees(tmp_path, instance):
    options = write_inputs(tmp_path, synthetic=good(200)) | {"learner": "trees"}
    assert run(instance, options).success
    found = recommendation(options)
    assert (found.learner, found.rule) == ("trees", "posterior")
    assert found.experience.digest == shipped_experience("trees").digest


def test_an_estimator_is_named_by_its_module(tmp_path, instance):
    options = write_inputs(tmp_path, synthetic=good(200))
    options |= {"estimator": "sklearn.linear_model:Ridge", "ignore": ["kind", "z"]}
    options |= {"flat_curve": "rows"}
    assert run(instance, options).success
    found = recommendation(options)
    assert found.learner == "Ridge"
    assert found.ratio in {point.ratio for point in found.refits}


def test_a_score_decides_and_is_told_in_its_unit(tmp_path, instance):
    options = write_inputs(tmp_path, synthetic=good(200))
    options |= {"learner": "trees", "scoring": "neg_mean_absolute_error"}
    result = run(instance, options)
    assert result.success
    found = recommendation(options)
    assert found.score.label == "mean_absolute_error in units of 'y', lower is better"
    (shown,) = result.asset_materializations_for_node("demo__optimal_ratio")
    assert shown.metadata["synthmix/risk_metric"].value == found.metric
    assert shown.metadata["synthmix/risk_none"].value == found.shown["none"] > 0
    page = (tmp_path / "mixes" / "demo" / "latest" / "report.html").read_text()
    assert f"Score of reference ratios ({found.metric.replace(chr(39), '&#39;')})" in page


def test_a_score_of_a_learner_that_is_not_fitted_is_refused_when_definitions_load(tmp_path):
    with pytest.raises(ConfigError, match="'kernel'") as caught:
        build_synthmix_defs(**write_inputs(tmp_path), scoring="r2")
    assert caught.value.option == "scoring"
    with pytest.raises(ConfigError, match="only classes") as caught:
        build_synthmix_defs(**write_inputs(tmp_path), class_weight="balanced")
    assert caught.value.option == "class_weight"


@pytest.mark.slow
def test_another_experience_makes_an_earlier_recommendation_stale(tmp_path, instance):
    file = tmp_path / "experience.json"
    file.write_text(shipped_experience().to_json())
    options = write_inputs(tmp_path) | {"experience": str(file)}
    assert run(instance, options).success
    digest = shipped_experience().digest
    assert recommendation(options).experience.digest == digest
    page = (tmp_path / "mixes" / "demo" / "latest" / "report.html").read_text()
    assert digest in page
    later = replace(shipped_experience(), version=9)
    file.write_text(later.to_json())
    job = build_synthmix_defs(**options).resolve_implicit_global_asset_job_def()
    again = job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(["demo", "training_data"])],
    )
    assert not again.success
    (failed,) = again.get_step_failure_events()
    assert "experience" in str(failed.step_failure_data.user_failure_data.description)


@pytest.mark.slow
def test_text_takes_part_in_all_that_is_measured_and_is_released_as_it_is(tmp_path, instance):
    def with_text(frame, seed):
        rng = np.random.default_rng(seed)
        words = [["never", "late", "refund"], ["great", "fast", "lovely"]]
        said = [
            " ".join([*rng.choice(words[int(y > 0)], 3), *rng.choice(["a", "the"], 2)])
            for y in frame.y
        ]
        return frame.assign(review=said)

    options = write_inputs(tmp_path, synthetic=with_text(good(200), 2))
    with_text(rows(100, seed=0), 1).to_parquet(tmp_path / "real.parquet")
    # Texts differ from row to row, so without the setting they are levels that nobody has seen.
    options |= {"embed": {"review": "text"}, "drift": {}}
    result = run(instance, options)
    assert result.success
    (measured,) = result.asset_materializations_for_node("demo__distribution_distance")
    assert "review" in str(measured.metadata["synthmix/columns"].value)
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert checks["schema_matches"].passed, checks["schema_matches"].description
    release = verify_release(tmp_path / "mixes" / "demo" / "latest")
    held = release.to_pandas()
    assert held.review.str.split().str.len().eq(5).all()


def test_one_kind_of_evaluation_rows_is_enough(tmp_path):
    options = write_inputs(tmp_path) | {
        "evaluation": {"path": "held_out.parquet"},
        "evaluation_column": "judge",
    }
    with pytest.raises(ConfigError, match="at most one of 'evaluation'"):
        build_synthmix_defs(**options)
