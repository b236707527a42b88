"""Several generators, classes, another domain and no target from the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cli_runs import TASK, answer, run
from scenario import bad, good, rows

from synthmix_dagster import (
    recommend_generators,
    recommend_per_class,
    recommend_without_target,
    verify_release,
)
from synthmix_dagster.gates.evidence import Evidence


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files by name, whose names on the command line are theirs."""
    folder = tmp_path_factory.mktemp("sides")
    rng = np.random.default_rng(0)

    def labelled(n: int, rare: float) -> pd.DataFrame:
        label = np.where(rng.random(n) < rare, "rare", "usual")
        return pd.DataFrame({"x": rng.normal(size=n) + (label == "rare"), "y": label})

    frames = {
        "real": rows(100, seed=0),
        "good": good(200),
        "bad": bad(200),
        "abroad": rows(150, seed=5),
        "classes": labelled(80, 0.3),
        "made": labelled(400, 0.8),
    }
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")
    return {name: str(folder / f"{name}.parquet") for name in frames}


def named(sides: dict[str, str], *names: str) -> list[str]:
    return [f"{name}={sides[name]}" for name in names]


def made(output: Path) -> dict[str, int]:
    return dict(verify_release(output).details.realised.generators)


def test_recommend_gives_the_answer_of_python_for_every_question(sides: dict[str, str]) -> None:
    real = sides["real"]
    of_two = recommend_generators(
        real, {name: sides[name] for name in ("good", "bad")}, target="y", task="regression"
    )
    told = answer(run("recommend", real, *named(sides, "good", "bad"), *TASK, "--json"))
    assert told["recommendation"]["reason"] == of_two.reason
    assert [share["rows"] for share in told["recommendation"]["recommended"]] == [
        share.rows for share in of_two.recommended
    ]
    by_class = recommend_per_class(sides["classes"], sides["made"], target="y")
    asked = ["--target", "y", "--task", "classification", "--per-class", "--json"]
    told = answer(run("recommend", sides["classes"], sides["made"], *asked))
    assert told["recommendation"]["reason"] == by_class.reason
    alone = recommend_without_target(real, sides["good"])
    told = answer(run("recommend", real, sides["good"], "--no-target", "--json"))
    assert told["recommendation"]["ratio"] == alone.ratio


def test_mix_judges_each_generator_and_leaves_one_out_where_told(
    sides: dict[str, str], tmp_path: Path
) -> None:
    asked = ["mix", sides["real"], *named(sides, "good", "bad"), *TASK]
    asked += ["--threshold", "0.6", "--output", str(tmp_path / "mixes")]
    refused = run(*asked)
    assert refused.exit_code == 1
    assert "generator bad" in refused.stderr
    assert not (tmp_path / "mixes" / "latest").exists()
    left_out = run(*asked, "--leave-out-refused")
    assert left_out.exit_code == 0, left_out.stderr
    assert "left out  " in left_out.stdout
    assert set(made(tmp_path / "mixes")) == {"good"}
    own = run(*asked, "--threshold-of", "bad=9")
    assert own.exit_code == 0, own.stderr
    evidence = Evidence.from_dict(verify_release(tmp_path / "mixes").manifest["evidence"])
    limits = {"wasserstein_gap of good": 0.6, "wasserstein_gap of bad": 9.0}
    assert evidence.thresholds == limits
    assert set(evidence.distances) == {"good", "bad"}


def test_mix_adds_rows_of_another_domain_and_of_classes(
    sides: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "domain"
    result = run(
        *("mix", sides["real"], sides["good"], "--other", sides["abroad"], *TASK),
        *("--output", output),
    )
    assert result.exit_code == 0, result.stderr
    assert verify_release(output).details.mix.domains == ("other",)
    assert set(made(output)) == {"other", "synthetic"}
    output = tmp_path / "classes"
    asked = ["--target", "y", "--task", "classification", "--per-class"]
    result = run("mix", sides["classes"], sides["made"], *asked, "--output", output)
    assert result.exit_code == 0, result.stderr
    request = verify_release(output).details.mix.generators["synthetic"]
    assert request.strata is not None
    assert sum(of.rows for of in request.strata.values()) == request.rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["good={good}", "{bad}", *TASK], "is not NAME=PATH"),
        (["real={good}", "b={bad}", *TASK], "is not NAME=PATH"),
        (["a={good}", "b={bad}", *TASK, "--per-class"], "Ask one question"),
        (["{good}", "--no-target", *TASK], "--no-target goes without"),
        (["{good}", *TASK, "--per-class"], "--per-class needs"),
        (["a={good}", "b={bad}", *TASK, "--learner", "trees"], "--learner belongs to one ratio"),
        (["a={good}", "b={bad}", *TASK, "--plot", "x.png"], "--plot draws the curve of one"),
        (["{good}"], "Set --target and --task"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    sides: dict[str, str], arguments: list[str], said: str
) -> None:
    result = run("recommend", sides["real"], *(each.format(**sides) for each in arguments))
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--ratio", "1"], "--ratio is one number"),
        (["--threshold", "auto"], "--threshold auto needs a recommendation of one ratio"),
        (["--threshold-of", "c=0.3"], "is not NAME=NUMBER"),
    ],
)
def test_a_mix_of_several_refuses_what_is_of_one(
    sides: dict[str, str], tmp_path: Path, more: list[str], said: str
) -> None:
    both = named(sides, "good", "bad")
    result = run("mix", sides["real"], *both, *TASK, *more, "--output", tmp_path)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_estimator_is_named_on_the_command_line(sides: dict[str, str]) -> None:
    numbers = [*TASK, "--ignore", "kind", "--ignore", "z"]
    asked = ("recommend", sides["real"], sides["good"], *numbers, "--json", "--estimator")
    told: Any = answer(run(*asked, "sklearn.linear_model:Ridge"))
    assert told["recommendation"]["learner"] == "Ridge"
    assert told["recommendation"]["refits"]
    for wrong, said in (
        ("Ridge", "does not name an object"),
        ("math:pi", "is not a scikit-learn estimator"),
        ("nowhere:Ridge", "cannot be imported"),
    ):
        result = run(*asked, wrong)
        assert result.exit_code == 2
        assert said in result.stderr
