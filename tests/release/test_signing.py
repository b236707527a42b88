"""Signatures: whoever may write a release can write its digests, but not sign them."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from synthmix_dagster import mix, verify_release
from synthmix_dagster.errors import ConfigError, ReleaseError
from synthmix_dagster.release.release_id import digest_of_manifest
from synthmix_dagster.release.signing import SIGNATURE, HmacKey

KEY = HmacKey(b"a secret of the pipeline")
OTHER = HmacKey(b"a secret of somebody else")


def released(output: Path, **options):
    real, synthetic = pd.DataFrame({"x": range(9)}), pd.DataFrame({"x": range(20, 60)})
    return mix(real, synthetic, ratio=1, output=output, **options)


def test_a_signed_release_verifies_wherever_it_is_copied_to(tmp_path):
    made = released(tmp_path / "mix", sign=KEY.sign)
    copy = shutil.copytree(made.path, tmp_path / "copies" / made.release_id)
    for path in (tmp_path / "mix", copy):
        assert verify_release(path, KEY.verify).release_id == made.release_id
        # Without a verifier nobody is asked who published it.
        assert verify_release(path).release_id == made.release_id


def forged(path: Path) -> None:
    """Alter a manifest as somebody does who may write: with a digest that fits."""
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["evidence"] = {"mix": "better than it was"}
    manifest["digest"] = digest_of_manifest(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (forged, "does not fit its manifest"),
        (lambda path: (path / SIGNATURE).unlink(), "is not signed"),
        (lambda path: (path / SIGNATURE).write_text("?"), "cannot be read"),
        (lambda path: (path / SIGNATURE).write_text(""), "does not fit its manifest"),
    ],
)
def test_what_was_altered_fails_for_who_has_the_key(attack, words, tmp_path):
    made = released(tmp_path, sign=KEY.sign)
    attack(made.path)
    with pytest.raises(ReleaseError, match=words):
        verify_release(tmp_path, KEY.verify)
    # This is what a signature adds.
    assert verify_release(tmp_path).release_id == made.release_id


def broken(digest, signature):
    raise RuntimeError("wrong key: s3cret")


@pytest.mark.parametrize("verifier", [OTHER.verify, broken, lambda digest, signature: None])
def test_only_true_accepts_a_signature(verifier, tmp_path):
    released(tmp_path, sign=KEY.sign)
    with pytest.raises(ReleaseError, match="does not fit its manifest") as caught:
        verify_release(tmp_path, verifier)
    assert "s3cret" not in repr(caught.value)
    assert caught.value.__cause__ is None


def unable(digest):
    raise OSError("no vault at https://user:s3cret@vault")


@pytest.mark.parametrize("sign", [unable, lambda digest: "text", lambda digest: b""])
def test_what_cannot_be_signed_is_not_published(sign, tmp_path):
    with pytest.raises(ReleaseError, match="sign") as caught:
        released(tmp_path, sign=sign)
    assert "s3cret" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not (tmp_path / "latest").exists()
    assert not list((tmp_path / "releases").iterdir())


def test_a_release_that_was_there_unsigned_is_signed_and_otherwise_as_it_was(tmp_path):
    before = released(tmp_path)
    with pytest.raises(ReleaseError, match="is not signed"):
        verify_release(tmp_path, KEY.verify)
    assert released(tmp_path, sign=KEY.sign).manifest == before.manifest
    assert verify_release(tmp_path, KEY.verify).release_id == before.release_id


def test_signatures_of_public_keys(tmp_path):
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key()

    def verifier(digest, signature):
        public.verify(signature, digest)
        return True

    released(tmp_path, sign=private.sign)
    verify_release(tmp_path, verifier)
    forged(next((tmp_path / "releases").iterdir()))
    with pytest.raises(ReleaseError, match="does not fit"):
        verify_release(tmp_path, verifier)


def test_a_key_comes_from_the_environment_and_is_not_shown(monkeypatch):
    monkeypatch.setenv("SIGNING_KEY", "s3cret-of-sixteen-bytes")
    key = HmacKey.from_environment("SIGNING_KEY")
    assert key.verify(b"d", key.sign(b"d"))
    assert "s3cret" not in repr(key)
    monkeypatch.setenv("SIGNING_KEY", "s3cret")
    with pytest.raises(ConfigError, match="6 bytes"):
        HmacKey.from_environment("SIGNING_KEY")
    with pytest.raises(ConfigError, match="'NOWHERE' is not set"):
        HmacKey.from_environment("NOWHERE")
