"""What S3 answers becomes a named error of the verb that was asked for, without what it quotes."""

import re
from dataclasses import replace

import pytest
import s3_answers as answers
from s3 import access

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import StoreAccess
from synthmix_dagster.errors import StoreError

TOKEN = "planted-session-token"


def upload(store):
    sink = store.create("large")
    sink.write(bytes(9_000_000))
    sink.finish()


VERBS = {
    "read": lambda store: store.read("x"),
    "read of exists": lambda store: store.exists("x"),
    "read of size": lambda store: store.size("x"),
    "read of a part": lambda store: store.range("x", 0, 1),
    "write": lambda store: store.put("x", b"1"),
    "write of create": lambda store: store.swap("x", b"1", None),
    "write of swap": lambda store: store.swap("x", b"1", {"e_tag": '"0"', "version": "0"}),
    "write of parts": upload,
    "list": lambda store: store.files(),
    "list of folders": lambda store: store.folders(),
    "delete": lambda store: store.delete(["x"]),
}
MEANT = {
    "DENIED": "permission to {verb} is denied .*: AccessDenied: User: .*Grant the credentials",
    "EXPIRED": "the credentials have expired .*ExpiredToken.* Renew them",
    "ELSEWHERE": "the region or endpoint is not that of the bucket .*Set the region",
    "OTHER_REGION": "the region or endpoint is not that of the bucket .*expecting 'eu-central-1'",
    "UNKNOWN_KEY": "the credentials are not valid .*InvalidAccessKeyId.* Check the keys",
    "SKEWED": "the clock of this machine differs",
    "NO_BUCKET": "the bucket does not exist .*NoSuchBucket.* Create it",
}


@pytest.fixture(scope="module")
def asked():
    """What is done with a store that refuses everything in one way: its error."""
    current = {}
    # Nothing listens there: no request is passed on.
    with answering(current) as address:
        given = replace(access(address, retry_seconds=0.3), session_token=TOKEN)
        # Everything that an answer may hold stands in the address as well, where it means nothing.
        store = open_store("s3://bucket/403/NotImplemented/metadata-of-redirects", given)

        def ask(answer, verb):
            current["answer"] = answer
            with pytest.raises(StoreError) as caught:
                VERBS[verb](store)
            return caught.value

        yield ask


def answering(current):
    return answers.answering("http://127.0.0.1:9", lambda _: current["answer"])


#: An answer to HEAD has no body: there a missing bucket looks like a missing object, and what is
#: asked next names it.
CASES = [
    (name, verb)
    for name in MEANT
    for verb in VERBS
    if not (name == "NO_BUCKET" and verb in ("read of exists", "read of size"))
]


@pytest.mark.parametrize(("name", "verb"), CASES)
def test_each_refusal_is_named_for_each_verb(asked, name, verb):
    error = asked(getattr(answers, name), verb)
    assert re.search(MEANT[name].format(verb=verb.split()[0]), str(error))
    assert not error.transient
    assert "RequestId" not in str(error)


@pytest.mark.parametrize("name", ["EXPIRED", "UNKNOWN_KEY"])
def test_what_an_answer_quotes_of_the_credentials_is_not_told(asked, name):
    answer = getattr(answers, name)
    quoting = answer._replace(
        more=f"<Token-0>{TOKEN}</Token-0><AWSAccessKeyId>AKIAOTHER</AWSAccessKeyId>"
    )
    said = str(asked(quoting, "write"))
    assert TOKEN not in said
    assert "AKIAOTHER" not in said


def test_a_delete_that_is_denied_for_one_object_is_named(asked):
    # To a request for several, S3 answers with 200 and an error for each.
    error = asked(answers.NOT_DELETED, "delete")
    assert re.search("permission to delete is denied .*AccessDenied", str(error))


def test_an_unknown_refusal_is_not_tried_again(asked):
    unknown = answers.DENIED._replace(status="400 Bad Request", code="InvalidRequest")
    error = asked(unknown, "write")
    assert re.search("the store refuses the request .*InvalidRequest", str(error))
    assert not error.transient


def test_conditional_writes_that_the_store_does_not_know_are_named(asked):
    error = asked(answers.UNCONDITIONAL, "write of create")
    assert re.search("does not support conditional writes .*Use a store", str(error))
    assert not error.transient


def test_a_store_that_is_busy_is_asked_again_until_it_answers():
    tries = []

    def busy(request):
        tries.append(request.method)
        # S3 answers so while it is slow to read; the client takes it for a mistake of its own.
        return answers.BUSY if len(tries) < 4 else answers.DENIED

    with answers.answering("http://127.0.0.1:9", busy) as address:
        store = open_store("s3://bucket/x", access(address))
        with pytest.raises(StoreError, match="permission to write is denied"):
            store.put("x", b"1")
    assert tries == ["PUT"] * 4


def test_after_the_time_for_it_a_busy_store_is_an_error_that_may_pass():
    with answers.answering("http://127.0.0.1:9", lambda _: answers.BUSY) as address:
        store = open_store("s3://bucket/x", access(address, retry_seconds=0.3))
        with pytest.raises(StoreError, match=r"the store failed .*RequestTimeout") as caught:
            store.put("x", b"1")
    assert caught.value.transient


def test_credentials_that_are_nowhere_are_named(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def nothing(request):
        return answers.DENIED

    # In the place of the machine that a cloud would answer from.
    with answers.answering("http://127.0.0.1:9", nothing) as address:
        options = {"metadata_endpoint": address}
        given = StoreAccess(region="eu-west-1", options=options, retry_seconds=0.3)
        with pytest.raises(StoreError, match="no credentials were found") as caught:
            open_store("s3://bucket/x", given).put("x", b"1")
    assert not caught.value.transient
