"""The evidence of a release: judged before anything is written, and read as it was written."""

import json
from pathlib import Path

import pytest
from released import TASK, publish
from scenario import bad, rows

from synthmix_dagster import history, measure_distance, mix
from synthmix_dagster.errors import ConfigError, GateError
from synthmix_dagster.gates.evidence import Evidence, gates_of
from synthmix_dagster.gates.verdicts import Verdict


def test_what_was_written_is_read(tmp_path: Path) -> None:
    manifest = json.loads((publish(tmp_path).path / "manifest.json").read_text())
    found = Evidence.from_dict(manifest["evidence"])
    assert found.distance is not None
    assert found.recommendation is not None
    assert found.thresholds == {"wasserstein_gap": 0.8}
    assert found.checks["wasserstein_gap"].passed
    assert found.unread == ()
    assert json.loads(json.dumps(found.to_dict())) == manifest["evidence"]


def test_severity_and_overrides_are_kept() -> None:
    verdict = Verdict(False, "Odd.", "WARN")
    given = Evidence("demo", checks={"schema_matches": verdict}, overrides={"seed": 3})
    assert Evidence.from_dict(given.to_dict()) == given


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("mix", 3),
        ("thresholds", {"wasserstein_gap": "low"}),
        ("checks", {"wasserstein_gap": {"sentence": "Fine."}}),
        ("checks", {"wasserstein_gap": {"passed": False, "sentence": "", "severity": "BAD"}}),
        ("overrides", ["seed"]),
        ("distribution_distance", {}),
        ("distribution_distance", None),
        ("optimal_ratio", {"ratio": 1.0}),
        ("optimal_ratio", [1.0]),
    ],
)
def test_a_part_that_cannot_be_read_is_named_and_the_others_are_kept(
    part: str, value: object
) -> None:
    whole = Evidence("demo", thresholds={"wasserstein_gap": 1.0}, overrides={"seed": 3})
    read = Evidence.from_dict({**whole.to_dict(), part: value})
    assert read.unread == (part,)
    kept = {name: held for name, held in whole.to_dict().items() if name in read.to_dict()}
    assert read.to_dict() == kept
    assert set(whole.to_dict()) - set(kept) <= {part}


def test_a_gate_that_fails_leaves_a_line_in_the_history_and_nothing_else(tmp_path: Path) -> None:
    real, synthetic = rows(60, seed=0), bad(200)
    distance = measure_distance(real, synthetic, permutations=0, directions=20, **TASK)
    with pytest.raises(GateError, match="release refused, the check 'wasserstein_gap' failed"):
        mix(real, synthetic, ratio=1, output=tmp_path / "o", distance=distance, threshold=0.5)
    assert [path.name for path in (tmp_path / "o").glob("[!.]*")] == ["index.html"]
    assert [entry.kind for entry in history(tmp_path / "o").entries] == ["refused"]
    mix(real, synthetic, ratio=1, output=tmp_path / "o", distance=distance, threshold=5)


def test_a_threshold_without_a_distance_is_refused(tmp_path: Path) -> None:
    real, synthetic = rows(60, seed=0), bad(200)
    with pytest.raises(ConfigError, match="option 'threshold': it needs a distance to judge"):
        mix(real, synthetic, ratio=1, output=tmp_path / "o", threshold=0.5)
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_where_a_release_lies_does_not_change_its_evidence(tmp_path: Path) -> None:
    one, two = (publish(tmp_path / name).manifest["evidence"] for name in ("a", "b"))
    assert one == two


@pytest.mark.parametrize("said", ["low", "-1", float("nan")])
def test_a_threshold_that_is_none_is_named(said: object) -> None:
    with pytest.raises(ConfigError, match="option 'threshold'"):
        gates_of(said)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="option 'conditional_threshold'"):
        gates_of(None, said)  # type: ignore[arg-type]
