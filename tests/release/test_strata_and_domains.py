"""A ratio for every class, and real rows of another domain, in what a release holds and says."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mixes import edit_manifest

from synthmix_dagster import Release, load_release, measure_distance, mix, verify_release
from synthmix_dagster.errors import ConfigError, GateError, ReleaseError
from synthmix_dagster.gates.evidence import Evidence


def labelled(start: int, **rows: int) -> pd.DataFrame:
    labels = [label for label, count in rows.items() for _ in range(count)]
    return pd.DataFrame({"x": range(start, start + len(labels)), "y": labels})


REAL, SYNTHETIC = labelled(0, a=20, b=10), labelled(1_000, a=30, b=40)


def released(output: Path, **options: Any) -> Release:
    return mix(REAL, SYNTHETIC, output=output, stratify="y", **options)


def rows_by_class(release: Release) -> dict[str, int]:
    frame = release.to_pandas()
    counted = frame[frame.synthmix_source == "synthetic"].y.value_counts()
    return {str(name): int(rows) for name, rows in counted.items()}


def test_every_class_has_exactly_the_rows_of_its_own_ratio(tmp_path: Path) -> None:
    release = released(tmp_path, ratio={"a": 0.25, "b": 3.5})
    assert rows_by_class(release) == {"a": 5, "b": 35}
    request = release.details.mix.generators["synthetic"]
    assert request.strata is not None
    assert {name: of.rows for name, of in request.strata.items()} == {"a": 5, "b": 35}
    assert (release.details.mix.ratio, request.rows) == (40 / 30, 40)
    verify_release(tmp_path)


def test_other_ratios_of_classes_are_another_release(tmp_path: Path) -> None:
    ids = {
        released(tmp_path, ratio=ratio).release_id
        for ratio in ({"a": 1.0, "b": 1.0}, {"a": 0.5, "b": 2.0}, 1.0)
    }
    assert len(ids) == 3


def test_the_report_says_how_to_make_it_again(tmp_path: Path) -> None:
    ratio = {"a": 0.25, "b": 3.5}
    page = (released(tmp_path, ratio=ratio).path / "report.html").read_text()
    assert "ratio={&#39;a&#39;: 0.25, &#39;b&#39;: 3.5}" in page


def test_a_class_that_gives_too_few_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="asks for 40 synthetic rows but there are 30"):
        released(tmp_path, ratio={"a": 2.0, "b": 0.0})
    capped = released(tmp_path, ratio={"a": 2.0, "b": 1.0}, shortage="cap")
    assert rows_by_class(capped) == {"a": 30, "b": 10}
    assert "of 'a'" in capped.details.notes[0]


def test_classes_make_room_in_proportion(tmp_path: Path) -> None:
    release = released(tmp_path, ratio={"a": 1.0, "b": 4.0}, max_rows=60)
    assert rows_by_class(release) == {"a": 10, "b": 20}


def test_whole_numbers_are_the_same_classes_on_both_sides(tmp_path: Path) -> None:
    real = REAL.assign(y=REAL.y.map({"a": 1.0, "b": 2.0}))
    synthetic = SYNTHETIC.assign(y=SYNTHETIC.y.map({"a": 1, "b": 2}))
    release = mix(real, synthetic, ratio={"1": 0.5, "2": 1.0}, output=tmp_path, stratify="y")
    assert rows_by_class(release) == {"1.0": 10, "2.0": 10}


@pytest.mark.parametrize(
    ("ratio", "options", "said"),
    [
        ({"a": 1.0, "c": 1.0}, {}, "names 'c', which no real row has"),
        ({"a": 1.0}, {"stratify": None}, "names generators, but there is one"),
        ({"a": 1.0}, {"mode": "weights"}, "names generators, but there is one"),
        ({"a": -1.0}, {}, "it is -1"),
    ],
)
def test_ratios_of_classes_that_cannot_be_mixed_are_refused(
    ratio: dict[str, float], options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        mix(REAL, SYNTHETIC, output=tmp_path, ratio=ratio, **{"stratify": "y", **options})
    assert caught.value.option == "ratio"


def test_real_rows_of_another_domain_are_told_from_synthetic_ones(tmp_path: Path) -> None:
    parts = {"abroad": labelled(2_000, a=5, b=5), "copula": SYNTHETIC}
    ratio = {"abroad": 0.2, "copula": 1.0}
    release = mix(REAL, parts, ratio=ratio, output=tmp_path, domains="abroad")
    frame = release.to_pandas()
    assert frame.groupby("synthmix_source").size().to_dict() == {
        "other": 6,
        "real": 30,
        "synthetic": 30,
    }
    assert set(frame[frame.synthmix_source == "other"].synthmix_generator) == {"abroad"}
    sources = {portion.name: portion.source for portion in release.details.composition()}
    assert sources == {"real": "real", "abroad": "other", "copula": "synthetic"}
    assert release.release_id != mix(REAL, parts, ratio=ratio, output=tmp_path).release_id
    assert load_release(tmp_path / "releases" / release.release_id).details == release.details
    verify_release(tmp_path / "releases" / release.release_id)
    assert "domains=[&#39;abroad&#39;]" in (release.path / "report.html").read_text()


def test_a_domain_has_to_be_one_of_the_generators(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names 'abroad'") as caught:
        mix(REAL, SYNTHETIC, ratio=1, output=tmp_path, domains=["abroad"])
    assert caught.value.option == "domains"


def test_a_release_that_calls_another_domain_synthetic_does_not_verify(tmp_path: Path) -> None:
    parts = {"abroad": labelled(2_000, a=5, b=5), "copula": SYNTHETIC}
    release = mix(
        REAL, parts, ratio={"abroad": 0.2, "copula": 1}, output=tmp_path, domains="abroad"
    )
    edit_manifest(release, lambda manifest: manifest["mix"].pop("domains"))
    with pytest.raises(ReleaseError):
        verify_release(tmp_path)


def measured_rows(n: int, seed: int, share: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = np.where(rng.random(n) < share, "rare", "usual")
    x = rng.normal(size=n) + (label == "rare")
    return pd.DataFrame({"x": x, "z": rng.normal(size=n), "y": label})


def test_rows_of_a_class_are_compared_with_all_that_there_are_of_it(tmp_path: Path) -> None:
    real, synthetic = measured_rows(300, 0, 0.1), measured_rows(4_000, 1, 0.5)
    report = measure_distance(real, synthetic, target="y", task="classification", permutations=0)
    ratio = {"rare": 1.0, "usual": 5.0}
    gated: dict[str, Any] = {"distance": report, "threshold": 9.0, "stratify": "y"}
    release = mix(real, synthetic, ratio=ratio, output=tmp_path, **gated)
    verdict = Evidence.from_dict(release.manifest["evidence"]).checks["released_rows"]
    assert verdict.passed
    assert "in each of 2 strata" in verdict.sentence


def test_rows_placed_where_the_selection_of_a_class_takes_them_are_found(tmp_path: Path) -> None:
    real, synthetic = measured_rows(300, 0, 0.1), measured_rows(4_000, 1, 0.5)
    synthetic = synthetic.assign(id=range(len(synthetic)))
    ratio = {"rare": 5.0, "usual": 1.0}
    real = real.assign(id=range(10**6, 10**6 + len(real)))
    plain = mix(real, synthetic, ratio=ratio, output=tmp_path, stratify="y", key="id")
    frame = plain.to_pandas()
    ids = frame[(frame.synthmix_source == "synthetic") & (frame.y == "rare")].id
    worse = synthetic.assign(z=synthetic.z.where(~synthetic.id.isin(ids), 2.5))
    report = measure_distance(
        *(real, worse), target="y", task="classification", key="id", permutations=0
    )
    with pytest.raises(GateError, match="there are of 'rare'"):
        mix(
            *(real, worse),
            ratio=ratio,
            output=tmp_path,
            stratify="y",
            key="id",
            distance=report,
            threshold=9.0,
        )
