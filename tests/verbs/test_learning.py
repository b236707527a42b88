"""Experience learned from folders of pairs: a world whose truth is known, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from synthmix_dagster import learn_from_pairs, recommend_ratio
from synthmix_dagster.cli import main
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.experience import Experience, shipped_experience
from synthmix_dagster.ratio.posterior import KNOTS


def draw(n, seed, slope=1.0, dataset=0):
    """Rows of one of several datasets; a generator with another slope has wrong labels."""
    rng = np.random.default_rng([seed, dataset])
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    frame["y"] = slope * frame.a + 0.2 * dataset * frame.b + rng.normal(0, 0.5, n)
    return frame


def write_pair(folder, *, dataset, slope, n=60, m=960, **more):
    place = folder / f"{dataset}__slope{slope}"
    place.mkdir(parents=True)
    draw(n, 0, dataset=dataset).to_parquet(place / "real.parquet")
    draw(m, 1, slope, dataset).to_parquet(place / "synthetic.parquet")
    draw(2000, 2, dataset=dataset).to_parquet(place / "test.parquet")
    told = {"dataset": f"d{dataset}", "generator": "slope", "target": "y", "task": "regression"}
    (place / "pair.json").write_text(json.dumps(told | more))
    return place


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A team whose generators are always right, and one whose generators are always wrong."""
    root = tmp_path_factory.mktemp("history")
    for name, slope in (("good", 1.0), ("bad", -1.0)):
        for dataset in range(3):
            write_pair(root / name, dataset=dataset, slope=slope)
    return root


@pytest.fixture(scope="module")
def learned(folders):
    return {name: learn_from_pairs(folders / name, alone=True) for name in ("good", "bad")}


def test_the_prior_is_what_the_test_rows_say(learned):
    good, bad = (learned[name].prior(60) for name in ("good", "bad"))
    assert good.mean[-1] < -0.02
    assert bad.mean[-1] > 0.5


def test_what_was_learned_counts_and_advises(learned):
    assert learned["good"].datasets == ("d0", "d1", "d2")
    assert (learned["good"].pairs, learned["good"].cases) == (3, 3)
    real, synthetic = draw(30, 7, dataset=5), draw(480, 8, 0.7, dataset=5)
    ratios = {
        name: recommend_ratio(real, synthetic, target="y", task="regression", experience=experience)
        for name, experience in learned.items()
    }
    assert ratios["bad"].ratio < ratios["good"].ratio
    for name, advice in ratios.items():
        assert advice.experience.digest == learned[name].digest
        assert learned[name].digest in " ".join(advice.notes)


def test_pairs_join_what_the_package_knows(folders):
    joined = learn_from_pairs(folders / "good")
    shipped = shipped_experience()
    assert joined.pairs == shipped.pairs + 3
    assert set(joined.datasets) == {*shipped.datasets, "d0", "d1", "d2"}
    assert joined.level == shipped.level
    assert joined.digest != shipped.digest


def test_several_numbers_of_rows_give_several_cases(folders, tmp_path):
    found = learn_from_pairs(folders / "good", rows=[20, 40, 1000], alone=True)
    assert [each.n for each in found.moments] == [20, 40]
    assert found.cases == 6
    # Every dataset counts once, in however many cases.
    assert sum(each.weight for each in found.moments) == pytest.approx(3)


def test_trees_have_an_experience_of_their_own(tmp_path):
    """A generator whose labels are wrong hurts them as soon as there are rows of it."""
    write_pair(tmp_path, dataset=0, slope=-1.0, m=30)
    joined, shipped = learn_from_pairs(tmp_path, learner="trees"), shipped_experience("trees")
    assert (joined.learner, joined.cases) == ("trees", shipped.cases + 1)
    assert joined.prior(60).mean[2] > shipped.prior(60).mean[2]
    again = Experience.from_dict(json.loads(joined.to_json()))
    assert (again.learner, again.digest) == ("trees", joined.digest)


def test_a_learner_of_which_no_experience_is_kept_is_named(folders):
    with pytest.raises(ConfigError, match="'linear', of which no experience is kept"):
        learn_from_pairs(folders / "good", learner="linear")


def test_few_synthetic_rows_are_filled_in_by_what_is_known(tmp_path):
    write_pair(tmp_path, dataset=0, slope=1.0, m=120)
    assert learn_from_pairs(tmp_path).cases == shipped_experience().cases + 1
    with pytest.raises(DataError, match=r"none of which is known at every ratio"):
        learn_from_pairs(tmp_path, alone=True)
    assert len(KNOTS) == 8


def test_the_file_is_read_as_it_was_written(learned, tmp_path):
    file = tmp_path / "experience.json"
    file.write_text(learned["good"].to_json())
    assert Experience.read(file).digest == learned["good"].digest
    advice = recommend_ratio(
        draw(30, 7), draw(60, 8), target="y", task="regression", experience=str(file)
    )
    assert advice.experience.digest == learned["good"].digest


@pytest.mark.parametrize("content", [None, "{", "[]", '{"version": 1}'])
def test_a_file_that_holds_something_else_is_refused(tmp_path, content):
    file = tmp_path / "experience.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match="synthmix learn") as caught:
        Experience.read(file)
    assert caught.value.option == "experience"


def test_pairs_that_teach_nothing_are_refused(tmp_path):
    with pytest.raises(DataError, match="no folder in it"):
        learn_from_pairs(tmp_path)
    place = write_pair(tmp_path / "traces", dataset=0, slope=1.0)
    copies = pd.concat([pd.read_parquet(place / "real.parquet")] * 16)
    copies.to_parquet(place / "synthetic.parquet")
    with pytest.raises(DataError, match="teaches nothing"):
        learn_from_pairs(tmp_path / "traces")
    write_pair(tmp_path / "typo", dataset=0, slope=1.0, catgorical=["a"])
    with pytest.raises(DataError, match="'categorical'"):
        learn_from_pairs(tmp_path / "typo")
    lacking = write_pair(tmp_path / "lacking", dataset=0, slope=1.0)
    (lacking / "pair.json").write_text('{"dataset": "d"}')
    with pytest.raises(DataError, match=r"pair\.json cannot be read"):
        learn_from_pairs(tmp_path / "lacking")
    with pytest.raises(ConfigError, match="10 or more"):
        learn_from_pairs(tmp_path / "lacking", rows=[3])


def test_the_command_learns_and_the_next_one_uses_it(folders, tmp_path):
    file = tmp_path / "experience.json"
    result = CliRunner().invoke(
        main, ["learn", str(folders / "bad"), "--output", str(file), "--alone"]
    )
    assert result.exit_code == 0, result.output
    assert "3 cases of 3 pairs of 3 datasets" in result.stdout
    draw(30, 7).to_parquet(tmp_path / "real.parquet")
    draw(60, 8).to_parquet(tmp_path / "synthetic.parquet")
    sides = [str(tmp_path / f"{side}.parquet") for side in ("real", "synthetic")]
    asked = ["--target", "y", "--task", "regression", "--experience", str(file), "--json"]
    answer = CliRunner().invoke(main, ["recommend", *sides, *asked])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    digest = Experience.read(file).digest
    assert told["recommendation"]["experience"]["digest"] == digest
