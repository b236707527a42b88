"""The manifest as a typed model: read, written, and the schema that is made of it."""

import copy
import json
from dataclasses import FrozenInstanceError

import pytest
from mixes import frame, real, synthetic

from synthmix_dagster import mix
from synthmix_dagster.release import manifest as model
from synthmix_dagster.release.manifest import Manifest, Portion, manifest_schema


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A manifest as its file has it."""
    generated = {"gan": frame(1000, 1080), "copula": frame(2000, 2040)}
    ratios = {"gan": 1.0, "copula": 0.5}
    output = tmp_path_factory.mktemp("output")
    release = mix(real(), generated, ratio=ratios, output=output, stratify="g", key="id")
    return json.loads((release.path / "manifest.json").read_text())


def test_the_shipped_schema_is_the_generated_one():
    assert json.loads(model.generated_schema()) == manifest_schema()


def test_what_is_read_is_what_was_written(written):
    manifest = Manifest.from_dict(written)
    assert json.dumps(manifest.to_dict(), sort_keys=True) == json.dumps(written, sort_keys=True)
    assert Manifest.from_dict(manifest.to_dict()) == manifest


def test_records_have_types_and_do_not_change(written):
    manifest = Manifest.from_dict(written)
    assert manifest.mix.generators["gan"].ratio == 1.0
    assert manifest.inputs["copula"].identity.columns == ("id",)
    assert manifest.real.rows == manifest.realised.real_rows == 30
    assert manifest.generators == ["copula", "gan"]
    assert [column.name for column in manifest.columns][:3] == ["id", "x", "g"]
    with pytest.raises(FrozenInstanceError):
        manifest.realised.rows = 1


def test_the_composition_has_a_share_for_every_input(written):
    assert Manifest.from_dict(written).composition() == [
        Portion(None, 30, 0.4),
        Portion("copula", 15, 0.2),
        Portion("gan", 30, 0.4),
    ]


def test_with_weights_shares_are_those_of_the_weight(tmp_path):
    release = mix(real(), synthetic(), ratio=0.5, output=tmp_path, mode="weights")
    manifest = Manifest.from_dict(release.manifest)
    assert [(part.name, part.rows, part.share) for part in manifest.composition()] == [
        ("real", 30, 30 / 45),
        ("synthetic", 80, 15 / 45),
    ]


def test_a_manifest_that_does_not_name_the_release_before_stays_as_it_is(written):
    older = {name: value for name, value in written.items() if name != "previous"}
    manifest = Manifest.from_dict(older)
    assert manifest.previous == model.NOT_RECORDED
    assert manifest.to_dict() == older
    assert Manifest.from_dict(written).previous is None


WRONG = {
    "another version": (lambda m: m.update(manifest_version=3), "its version is 3"),
    "a key too many": (lambda m: m.update(more=1), "more: Unexpected keyword argument"),
    "a key too few": (lambda m: m.pop("realised"), "realised: Field required"),
    "a number for text": (lambda m: m.update(release_id=5), "release_id: .* valid string"),
    "a flag for a number": (lambda m: m["mix"].update(seed=True), r"mix\.seed: .* valid integer"),
    "text for a number": (lambda m: m["realised"].update(rows="3"), r"realised\.rows: "),
    "a negative count": (
        lambda m: m["realised"]["nulls"].update(x=-1),
        r"realised\.nulls\.x: .* greater than or equal to 0",
    ),
    "not a number": (lambda m: m["mix"].update(ratio=float("nan")), r"mix\.ratio: "),
    "no real rows": (lambda m: m["inputs"].update(other=m["inputs"].pop("real")), "no 'real'"),
    "a generator without input": (lambda m: m["inputs"].pop("gan"), "mix.generators' names other"),
    "another generator": (
        lambda m: m["realised"]["generators"].update(vae=1),
        "realised.generators' names other",
    ),
    "a stratum without a total": (
        lambda m: m["realised"]["strata"]["a"].pop("rows"),
        "stratum 'a' has no 'rows'",
    ),
    "a shard elsewhere": (
        lambda m: m["shards"][0].update(path="../x"),
        r"shards\.0\.path: '\.\./x' lies outside data/",
    ),
    "many things": (
        lambda m: [column.clear() for column in m["columns"]],
        r"columns\.0\.name: .*; and [0-9]+ more",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_another_shape_is_refused_with_its_place(written, case):
    change, message = WRONG[case]
    changed = copy.deepcopy(written)
    change(changed)
    with pytest.raises(ValueError, match=message):
        Manifest.from_dict(changed)
