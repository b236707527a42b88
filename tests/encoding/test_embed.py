"""Text and other unstructured columns as vectors: against refits, and through every verb."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster import measure_distance, mix, recommend_ratio
from synthmix_dagster.encoding.embed import TextEmbedding, fit_embedding, tokens
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.errors import ConfigError, DataError


def listed(words):
    return words.split()


LATE = listed("late again parcel never came driver lost box broken refund please waiting days no")
GOOD = listed("great fast lovely price thanks quality happy again recommend nice friendly works")
SHARED = listed("the a it was and is my this order shop very")


def reviews(n, seed, *, late=0.5, swapped=False):
    """Short texts of two kinds, and stars that go with them; a bad generator swaps the kinds."""
    rng = np.random.default_rng(seed)
    kinds = rng.random(n) < late
    texts = [
        " ".join(rng.choice([*(LATE if kind != swapped else GOOD), *SHARED], 8)) for kind in kinds
    ]
    stars = np.where(kinds, 1.5, 4.5) + rng.normal(0, 0.5, n)
    return pd.DataFrame({"review": texts, "price": rng.normal(20, 5, n), "stars": stars})


TEXT = {"review": "text"}


def test_texts_that_share_words_are_near():
    embedding = TextEmbedding.fit(reviews(200, 0).review)
    near, other, made_up = embedding.vectors(
        ["parcel never came", "great fast lovely", "zork blimp quux"], "synthetic"
    )
    late, good = (embedding.vectors([" ".join(words)], "synthetic")[0] for words in (LATE, GOOD))
    assert np.linalg.norm(near - late) < np.linalg.norm(near - good)
    assert np.linalg.norm(other - good) < np.linalg.norm(other - late)
    assert made_up[-1] == 1.0
    assert near[-1] == 0.0


def test_a_real_text_is_embedded_as_if_it_had_not_taken_part():
    """Against fits without it."""
    real = reviews(80, 1).review
    whole = TextEmbedding.fit(real)
    apart, in_sample = [], []
    for i in range(0, 80, 8):
        left_out = TextEmbedding.fit(real.drop(i))
        # Lengths are what taking part inflates; they do not depend on the axes.
        naive, own, other = (
            np.linalg.norm(vector)
            for vector in (
                whole.reduced([real[i]]),
                whole.vectors([real[i]], "real")[:, :-1],
                left_out.reduced([real[i]]),
            )
        )
        apart.append(own - other)
        in_sample.append(naive - other)
        strange = whole.vectors([real[i]], "real")[0, -1]
        assert strange == left_out.vectors([real[i]], "real")[0, -1]
    assert abs(np.mean(apart)) < 0.4 * np.mean(in_sample)


@pytest.mark.slow
def test_texts_of_one_source_are_not_told_apart():
    found = [
        measure_distance(
            reviews(120, seed)[["review"]],
            reviews(120, seed + 500)[["review"]],
            embed=TEXT,
            permutations=39,
            directions=30,
        ).p_value
        for seed in range(40)
    ]
    assert np.mean(np.array(found) <= 0.1) <= 0.25
    assert np.mean(found) > 0.35


def test_missing_texts_have_a_slot_and_equal_ones_one_vector():
    real, made = reviews(100, 0), reviews(100, 1)
    made.loc[3, "review"] = None
    made.loc[5, "review"] = made.loc[4, "review"]
    encoder = Encoder.fit(real, made, Columns(embed=TEXT))
    code = encoder.code("review")
    points = encoder.transform(made)[:, code.start : code.stop]
    assert code.kind == "vector"
    assert points[3, -1] == 1.0
    assert not points[3, :-1].any()
    np.testing.assert_array_equal(points[4], points[5])
    # A block is as large as one column.
    own = encoder.transform(real)[:, code.start : code.stop]
    assert np.sum(np.var(own, axis=0)) == pytest.approx(1.0)


@pytest.mark.slow
def test_distance_and_ratio_see_what_texts_say():
    real = reviews(80, 0)
    good, swapped = reviews(320, 1), reviews(320, 2, swapped=True)
    options = {"target": "stars", "task": "regression", "embed": TEXT}
    gaps = [
        measure_distance(real, made, **options, permutations=19).conditional_gap
        for made in (good, swapped)
    ]
    assert gaps[0] < 0.3 < 0.8 < gaps[1]
    ratios = [
        recommend_ratio(real, made, **options, generator_saw_real=False).ratio
        for made in (good, swapped)
    ]
    assert ratios[0] > 1
    assert ratios[1] < 0.2


def test_the_release_holds_the_text(tmp_path):
    real, made = reviews(40, 0), reviews(40, 1)
    release = mix(real, made, ratio=1, output=tmp_path)
    held = release.to_pandas()
    assert sorted(held.review) == sorted([*real.review, *made.review])


def test_a_callable_makes_vectors_once(tmp_path, monkeypatch):
    (tmp_path / "photos.py").write_text(
        "import numpy as np\n"
        "calls = []\n"
        "def brightness(values):\n"
        "    calls.append(list(values))\n"
        "    return np.array([[sum(each), len(each)] for each in values], dtype=float)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    import photos

    real = pd.DataFrame({"photo": [bytes([i, 2 * i]) for i in range(60)]})
    made = pd.DataFrame({"photo": [bytes([i, i]) for i in range(60)]})
    columns = Columns(embed={"photo": "photos:brightness"})
    first = Encoder.fit(real, made, columns).transform(made)
    called = len(photos.calls)
    assert called == 2
    again = Encoder.fit(real, made, columns).transform(made)
    np.testing.assert_array_equal(first, again)
    assert len(photos.calls) == called
    kept = list((tmp_path / "cache" / "synthmix" / "embed").iterdir())
    assert {path.suffix for path in kept} == {".npy"}
    # New code of the module is called again.
    with (tmp_path / "photos.py").open("a") as file:
        file.write("# another version\n")
    Encoder.fit(real, made, columns)
    assert len(photos.calls) > called


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return [[1.0]]", "1 x 1 numbers for 60"),
        ("return [float('nan')] * len(values)", "not all of them finite"),
        ("raise RuntimeError('no model')", "no model"),
    ],
)
def test_a_callable_that_makes_no_vectors_is_refused(tmp_path, monkeypatch, body, says):
    (tmp_path / "broken_model.py").write_text(f"def embed(values):\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delitem(__import__("sys").modules, "broken_model", raising=False)
    real = pd.DataFrame({"photo": [str(i) for i in range(60)]})
    with pytest.raises((ConfigError, DataError), match=says):
        Encoder.fit(real, real, Columns(embed={"photo": "broken_model:embed"}))


def test_what_cannot_be_embedded_is_refused():
    with pytest.raises(ConfigError, match="'module:object'") as caught:
        Columns(embed={"review": "tfidf"})
    assert caught.value.option == "embed"
    with pytest.raises(ConfigError, match="one place"):
        Columns(embed=TEXT, ignore="review")
    real = reviews(40, 0)
    with pytest.raises(ConfigError, match="'reviw'"):
        Encoder.fit(real, real, Columns(embed={"reviw": "text"}))
    with pytest.raises(DataError, match="not text"):
        Encoder.fit(real, real, Columns(embed={"price": "text"}, ignore="review"))
    with pytest.raises(DataError, match="no word is in two"):
        fit_embedding("text", pd.Series([f"word{i}" for i in range(30)], name="review"))
    with pytest.raises(DataError, match="by 'embed'"):
        Encoder.fit(real, real)
    assert tokens("It's LATE!") == ["it", "s", "late"]


def test_the_command_line_embeds_as_python_does(tmp_path):
    import json

    from click.testing import CliRunner

    from synthmix_dagster.cli import main

    sides = [str(tmp_path / f"{name}.parquet") for name in ("real", "made")]
    for side, frame in zip(sides, (reviews(60, 0), reviews(120, 1)), strict=True):
        frame.to_parquet(side)
    asked = ["measure", *sides, "--permutations", "0", "--directions", "10"]
    told = CliRunner().invoke(main, [*asked, "--embed", "review=text", "--json"])
    same = measure_distance(*sides, embed=TEXT, permutations=0, directions=10)
    assert json.loads(told.stdout)["distance"]["gap"] == same.gap
    wrong = CliRunner().invoke(main, [*asked, "--embed", "review"])
    assert wrong.exit_code == 2
    assert "COLUMN=HOW" in wrong.output
