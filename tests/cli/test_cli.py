"""The commands: the answers of Python, and gates by exit code."""

import json
from pathlib import Path

import pytest
from cli_runs import QUICK, TASK, answer, run
from scenario import rows

from synthmix_dagster import history, measure_distance, mix, recommend_ratio, verify_release

# --- measure -------------------------------------------------------------------------------------


def test_measure_gives_the_answer_of_python(files: dict[str, str]) -> None:
    result = run("measure", files["real"], files["good"], *TASK, *QUICK, "--json")
    assert result.exit_code == 0
    same = measure_distance(
        files["real"],
        files["good"],
        target="y",
        task="regression",
        permutations=19,
        directions=20,
    )
    assert answer(result) == {
        "passed": True,
        "checks": {},
        "distance": json.loads(json.dumps(same.to_dict())),
    }


def test_measure_passes_every_option_on(files: dict[str, str]) -> None:
    options = ["--ignore", "z", "--ignore", "kind", "--weight", "x=2.5", "--scaling", "rank"]
    options += ["--method", "gaussian", "--seed", "7", "--sample-rows", "50", "--memory-mb", "500"]
    result = run("measure", files["real"], files["good"], *options, *QUICK, "--json")
    same = measure_distance(
        files["real"],
        files["good"],
        ignore=["z", "kind"],
        weights={"x": 2.5},
        scaling="rank",
        method="gaussian",
        seed=7,
        sample_rows=50,
        permutations=19,
        directions=20,
    )
    assert answer(result)["distance"] == json.loads(json.dumps(same.to_dict()))


@pytest.mark.parametrize(
    ("side", "threshold", "code"), [("good", "0.9", 0), ("bad", "0.9", 1), ("bad", "9", 0)]
)
def test_a_threshold_gates(files: dict[str, str], side: str, threshold: str, code: int) -> None:
    asked = ("measure", files["real"], files[side], *QUICK, "--threshold", threshold)
    result = run(*asked)
    assert result.exit_code == code
    assert f"{'FAILED' if code else 'passed'}  wasserstein_gap: The gap of " in result.stdout
    told = answer(run(*asked, "--json"))
    assert told["passed"] == (code == 0)
    assert told["checks"]["wasserstein_gap"]["passed"] == (code == 0)


def test_a_conditional_threshold_gates(files: dict[str, str]) -> None:
    asked = ("measure", files["real"], files["bad"], *TASK, *QUICK, "--conditional-threshold")
    assert run(*asked, "9").exit_code == 0
    assert run(*asked, "0").exit_code == 1


def test_a_release_is_signed_and_verified_with_a_key_from_the_environment(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "signed"
    made = ("mix", files["real"], files["good"], "--ratio", "1", "--output", output)
    signed, unsigned = ("--hmac-key-env", "SIGNING_KEY"), ("verify", output)
    result = run(*made, *signed)
    assert (result.exit_code, "'SIGNING_KEY' is not set" in result.stderr) == (2, True)
    monkeypatch.setenv("SIGNING_KEY", "a secret of sixteen bytes")
    assert run(*made).exit_code == 0
    assert "it is not signed" in run(*unsigned, *signed).stderr
    assert run(*made, *signed).exit_code == 0
    assert run(*unsigned, *signed).exit_code == 0
    monkeypatch.setenv("SIGNING_KEY", "another secret of theirs")
    result = run(*unsigned, *signed)
    assert (result.exit_code, "does not fit its manifest" in result.stderr) == (1, True)
    assert run(*unsigned).exit_code == 0


@pytest.mark.parametrize(
    ("option", "passing", "failing"),
    [("--classifier-threshold", "1", "0"), ("--min-distinct-share", "0.9", None)],
)
def test_further_thresholds_gate(
    files: dict[str, str], option: str, passing: str, failing: str | None
) -> None:
    asked = ("measure", files["real"], files["good"], *QUICK, option)
    assert run(*asked, passing).exit_code == 0
    assert run(*asked, failing or "1.5").exit_code == (1 if failing else 2)


def test_a_class_threshold_gates(files: dict[str, str]) -> None:
    asked = ("measure", files["real"], files["good"], "--target", "kind", *QUICK)
    result = run(*asked, "--class-threshold", "9")
    assert result.exit_code == 0
    assert "class gap of '" in result.stdout
    assert "worst class      " in result.stdout
    assert run(*asked, "--class-threshold", "-1").exit_code != 0


def test_a_threshold_may_be_a_multiple_of_the_floor(files: dict[str, str]) -> None:
    asked = ("measure", files["real"], files["bad"], *QUICK, "--threshold")
    assert run(*asked, "100 x floor").exit_code == 0
    result = run(*asked, "1 x floor")
    assert result.exit_code == 1
    assert "(1 x floor)" in result.stdout


def test_a_threshold_that_needs_a_recommendation_is_judged_where_there_is_one(
    files: dict[str, str], tmp_path: Path
) -> None:
    asked = ("mix", files["real"], files["good"], *TASK, "--threshold", "auto", "--json")
    evidence = answer(run(*asked, "--output", tmp_path))["release"]["manifest"]["evidence"]
    assert evidence["thresholds"]["wasserstein_gap"] == evidence["optimal_ratio"]["critical_gap"]
    assert "(auto)" in evidence["checks"]["wasserstein_gap"]["sentence"]
    for arguments in (("measure", *asked[1:3]), (*asked[:3], "--ratio", "1", "--output", "x")):
        refused = run(*arguments, "--threshold", "auto")
        assert refused.exit_code == 2
        assert "needs a recommendation" in refused.stderr


def test_measure_says_gap_floor_columns_in_text(files: dict[str, str]) -> None:
    text = run("measure", files["real"], files["bad"], *TASK, *QUICK).stdout
    for word in ("gap  ", "floor  ", "p-value", "conditional gap", "60 real, 200 synthetic", "x  "):
        assert word in text


@pytest.mark.draws
def test_pictures_are_drawn_where_they_are_asked_for(files: dict[str, str], tmp_path: Path) -> None:
    for verb, more in (("measure", QUICK), ("recommend", [])):
        path = tmp_path / f"{verb}.png"
        result = run(verb, files["real"], files["good"], *TASK, *more, "--plot", path)
        assert result.exit_code == 0
        assert path.read_bytes().startswith(b"\x89PNG")
    result = run("measure", files["real"], files["good"], *QUICK, "--plot", tmp_path / "no" / "x")
    assert result.exit_code == 2
    assert "option 'plot'" in result.stderr


# --- recommend -----------------------------------------------------------------------------------


def test_recommend_gives_the_answer_of_python(files: dict[str, str]) -> None:
    asked = ("recommend", files["real"], files["good"], *TASK, "--generator-unseen")
    result = run(*asked, "--max-ratio", "2", "--rule", "best", "--json")
    same = recommend_ratio(
        files["real"],
        files["good"],
        target="y",
        task="regression",
        generator_saw_real=False,
        max_ratio=2,
        rule="best",
    )
    told = answer(result)
    assert told["recommendation"] == json.loads(json.dumps(same.to_dict()))
    assert told["checks"]["recommendation_usable"].keys() == {"passed", "sentence"}
    assert told["passed"] == told["checks"]["recommendation_usable"]["passed"]


def test_recommend_scores_by_the_metric_of_the_team(files: dict[str, str]) -> None:
    asked = ("recommend", files["real"], files["good"], *TASK, "--learner", "trees")
    text = run(*asked, "--generator-unseen", "--scoring", "neg_mean_absolute_error").stdout
    assert "\nscore   none " in text
    assert "(mean_absolute_error in units of 'y', lower is better)" in text
    wrong = run(*asked, "--scoring", "roc_auc")
    assert wrong.exit_code == 2
    assert "option 'scoring'" in wrong.stderr
    unbalanced = run(*asked, "--class-weight", "balanced")
    assert "option 'class_weight'" in unbalanced.stderr


def test_a_recommendation_that_may_not_decide_warns_and_gates_where_it_should(
    files: dict[str, str],
) -> None:
    asked = ("recommend", files["real"], files["good"], *TASK, "--generator-saw-real")
    assert (relaxed := run(*asked)).exit_code == 0
    assert "WARNING  recommendation_usable: " in relaxed.stdout
    assert run(*asked, "--require-usable").exit_code == 1


# --- mix -----------------------------------------------------------------------------------------


def test_mix_with_a_ratio_publishes_the_release_of_python(
    files: dict[str, str], tmp_path: Path
) -> None:
    options = ["--ratio", "0.5", "--seed", "3", "--stratify", "kind", "--rows-per-shard", "40"]
    asked = ("mix", files["real"], files["good"], *options, "--output", tmp_path / "a")
    told = answer(run(*asked, "--json"))
    same = mix(
        files["real"],
        files["good"],
        ratio=0.5,
        seed=3,
        stratify="kind",
        rows_per_shard=40,
        output=tmp_path / "b",
    )
    assert told["release"]["manifest"] == json.loads(json.dumps(same.manifest))
    assert Path(told["release"]["path"]) == verify_release(tmp_path / "a").path


def test_mix_without_a_ratio_measures_judges_recommends_and_keeps_all_of_it(
    files: dict[str, str], tmp_path: Path
) -> None:
    asked = ("mix", files["real"], files["good"], *TASK, "--threshold", "0.9")
    result = run(*asked, "--output", tmp_path)
    assert result.exit_code == 0
    release = verify_release(tmp_path)
    # Who acts on a recommendation reads all of it, warnings included.
    assert result.stdout.startswith("ratio   ")
    assert f"because {release.manifest['evidence']['optimal_ratio']['reason']}" in result.stdout
    assert "  recommendation_usable: " in result.stdout
    assert f"\nreleased {release.release_id}: " in result.stdout
    evidence = release.manifest["evidence"]
    assert evidence["checks"]["wasserstein_gap"]["passed"]
    assert release.manifest["mix"]["ratio"] == evidence["optimal_ratio"]["ratio"]
    assert "recommended" in (release.path / "report.html").read_text()


@pytest.mark.parametrize("more", [["--ratio", "1"], TASK], ids=["a ratio", "recommended"])
def test_a_gate_that_fails_leaves_the_last_release_alone(
    files: dict[str, str], tmp_path: Path, more: list[str]
) -> None:
    before = mix(files["real"], files["good"], ratio=1, output=tmp_path)
    asked = ("mix", files["real"], files["bad"], *more, "--threshold", "0.9", "--output", tmp_path)
    result = run(*asked, "--json")
    assert result.exit_code == 1
    assert answer(result)["passed"] is False
    assert "release refused, the check 'wasserstein_gap' failed" in result.stderr
    assert "Traceback" not in result.stderr
    assert verify_release(tmp_path).release_id == before.release_id


def test_a_recommendation_that_must_be_usable_stops_a_release(
    files: dict[str, str], tmp_path: Path
) -> None:
    asked = ("mix", files["real"], files["good"], *TASK, "--generator-saw-real", "--require-usable")
    result = run(*asked, "--output", tmp_path / "mixes")
    assert result.exit_code == 1
    assert "recommendation_usable" in result.stderr
    assert not (tmp_path / "mixes" / "releases").exists()
    (entry,) = history(tmp_path / "mixes").entries
    assert (entry.kind, entry.reason) == ("refused", result.stderr.strip().removeprefix("Error: "))


def test_rows_that_judge_are_not_mixed(files: dict[str, str], tmp_path: Path) -> None:
    real = rows(60, seed=0).assign(judge=[n % 3 == 0 for n in range(60)])
    real.to_parquet(tmp_path / "real.parquet")
    asked = ("mix", tmp_path / "real.parquet", files["good"], *TASK)
    result = run(*asked, "--evaluation-column", "judge", "--output", tmp_path / "mixes", "--json")
    told = answer(result)["release"]["manifest"]
    assert told["realised"]["real_rows"] == 40
    judged = told["evidence"]["optimal_ratio"]["provenance"]
    assert judged["sentence"] == "Judged by 20 evaluation rows."


# --- verify, report ------------------------------------------------------------------------------


def test_verify_names_what_was_altered(release: Path) -> None:
    assert run("verify", release.parent.parent).exit_code == 0
    assert answer(run("verify", release, "--json"))["release"]["path"] == str(release)
    shard = next((release / "data").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])
    result = run("verify", release, "--json")
    assert result.exit_code == 1
    assert "was altered after it was written" in answer(result)["problem"]
    assert f"the shard 'data/{shard.name}'" in result.stderr
    assert "Traceback" not in result.stderr


def test_report_writes_the_page_that_the_release_holds(release: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.html"
    result = run("report", release, "--output", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert path.read_bytes() == (release / "report.html").read_bytes()
    assert run("report", release, "-o", "-").stdout == path.read_text()


def test_report_compares_with_the_release_it_is_told(
    files: dict[str, str], release: Path, tmp_path: Path
) -> None:
    other = mix(files["real"], files["good"], ratio=2, output=tmp_path / "other")
    page = run("report", release, "-o", "-", "--compare-with", other.path).stdout
    assert f"Compared with release {other.release_id}." in page


def test_report_adds_nothing_to_a_release(release: Path) -> None:
    result = run("report", release, "-o", release / "another.html")
    assert result.exit_code == 2
    assert "option 'output'" in result.stderr
    verify_release(release)


def test_the_history_is_a_table_a_page_or_json(tmp_path: Path) -> None:
    real, synthetic = rows(20, seed=0), rows(60, seed=1)
    releases = [mix(real, synthetic, ratio=ratio, output=tmp_path) for ratio in (0.5, 1)]
    page = tmp_path / "page.html"
    printed = run("history", tmp_path, "--html", page).output.splitlines()
    assert printed[0].split("  ")[0] == "time (UTC)"
    assert [line.split()[-1] for line in printed[1:]] == [one.release_id for one in releases]
    assert [line.split()[-5:-1] for line in printed[1:]] == [
        ["30", "0.5", "-", "-"],
        ["40", "1", "-", "-"],
    ]
    assert f"releases/{releases[0].release_id}/report.html" in page.read_text()
    assert len(run("history", tmp_path, "--last", 1).output.splitlines()) == 2
    entries = answer(run("history", tmp_path, "--json"))["entries"]
    assert [entry["rows"] for entry in entries] == [30, 40]


def test_a_history_of_nothing_is_bad_input(tmp_path: Path) -> None:
    result = run("history", tmp_path)
    assert result.exit_code == 2
    assert "neither a release nor a refusal" in result.stderr


def test_a_flat_curve_is_released_only_where_it_is_said_what(tmp_path: Path) -> None:
    for name, n in (("real", 100), ("synthetic", 400)):
        rows(n, seed=n // 400, shuffled_target=True).to_parquet(tmp_path / f"{name}.parquet")
    asked = ("mix", tmp_path / "real.parquet", tmp_path / "synthetic.parquet", *TASK)
    asked = (*asked, "--output", tmp_path / "mixes")
    refused = run(*asked)
    assert refused.exit_code == 1
    assert "the risk curve is flat, and 'flat_curve' does not say what" in refused.stderr
    assert run(*asked, "--flat-curve", "none").exit_code == 0
    assert [(e.kind, e.ratio) for e in history(tmp_path / "mixes").entries][1:] == [("released", 0)]
