"""Options of the ratio, seen in a Dagster run: who judges, and whose risk it is."""

import dagster as dg
import pytest
from scenario import good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.paths import MixPaths
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


def test_trees_decide_for_trees(tmp_path, instance):
    options = write_inputs(tmp_path, synthetic=good(200)) | {"learner": "trees"}
    assert run(instance, options).success
    found = recommendation(options)
    assert found.learner == "trees"
    assert found.ratio in {point.ratio for point in found.refits}


def test_one_kind_of_evaluation_rows_is_enough(tmp_path):
    options = write_inputs(tmp_path) | {
        "evaluation": {"path": "held_out.parquet"},
        "evaluation_column": "judge",
    }
    with pytest.raises(ConfigError, match="at most one of 'evaluation'"):
        build_synthmix_defs(**options)
