"""A store that refuses a run at whatever moment: a named error, and the last release as it was."""

import json
import re
import urllib.request
from dataclasses import replace

import boto3
import pandas as pd
import pytest
import s3_answers as answers
from s3 import BUCKET, KEY, SECRET, access, s3_server

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError, StoreError

#: Names alone, without a server: tests/data/test_store_refusals.py.
pytestmark = [pytest.mark.slow, pytest.mark.server]

SIDES = pd.DataFrame({"x": range(10)}), pd.DataFrame({"x": range(100, 130)})
ACTIONS = ("GetObject", "PutObject", "DeleteObject", "ListBucket")


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def before(endpoint):
    return publish("s3://bucket/mixes", access(endpoint), seed=0)


def publish(output, given, seed=1):
    return mix(*SIDES, ratio=1.0, output=output, seed=seed, rows_per_shard=5, storage=given)


def refused(given, output=f"s3://{BUCKET}/mixes"):
    with pytest.raises((StoreError, ReleaseError)) as caught:
        publish(output, given)
    assert KEY not in str(caught.value)
    return str(caught.value)


def require_as_before(before, endpoint):
    """`latest` is what it was and whole, and of the run that failed nothing can be seen."""
    direct = access(endpoint)
    assert verify_release(f"s3://{BUCKET}/mixes", storage=direct) == before
    releases = open_store(f"s3://{BUCKET}/mixes/releases", direct)
    for name in releases.folders():
        if name != before.release_id:
            with pytest.raises(ReleaseError):
                load_release(releases.below(name))


def has(header):
    return lambda request: header in request.headers


def to(method, *parts):
    return lambda request: request.method == method and all(part in request.path for part in parts)


class After:
    """Refuses everything from the nth request on."""

    def __init__(self, requests):
        self.left = requests

    def __call__(self, request):
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize(
    ("answer", "rule", "message"),
    [
        (answers.DENIED, to("GET"), "permission to (read|list) is denied"),
        (answers.DENIED, to("PUT"), "permission to write is denied"),
        (answers.DENIED, to("PUT", "/data/part-00002"), "permission to write is denied"),
        (answers.DENIED, to("PUT", "/manifest.json"), "permission to write is denied"),
        (answers.ELSEWHERE, After(0), "the region or endpoint is not that of the bucket"),
        (answers.OTHER_REGION, After(0), "the region or endpoint is not that of the bucket"),
        (answers.EXPIRED, After(0), "the credentials have expired"),
        (answers.EXPIRED, After(20), "the credentials have expired"),
        (answers.EXPIRED, After(32), "the credentials have expired"),
        (answers.UNCONDITIONAL, has("if-none-match"), "does not support conditional writes"),
        (answers.UNCONDITIONAL, has("if-match"), "does not support conditional writes"),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_a_refused_run_leaves_the_last_release(endpoint, before, answer, rule, message):
    def decide(request):
        return answer if rule(request) else request

    with answers.answering(endpoint, decide) as proxy:
        said = refused(access(proxy, retry_seconds=0.3))

    assert re.search(message, said), said
    require_as_before(before, endpoint)


@pytest.mark.parametrize("header", ["if-none-match", "if-match"])
def test_a_store_that_takes_no_notice_of_conditions_is_refused(endpoint, before, header):
    def unheard(request):
        kept = {name: value for name, value in request.headers.items() if name != header}
        return request._replace(headers=kept)

    with answers.answering(endpoint, unheard) as proxy:
        said = refused(access(proxy))
    assert "does not support conditional writes: it wrote an object although" in said
    require_as_before(before, endpoint)


def test_a_missing_bucket_is_named_to_who_writes_and_to_who_reads(endpoint):
    nowhere = "s3://no-such-bucket/mixes"
    assert "the bucket does not exist" in refused(access(endpoint), nowhere)
    with pytest.raises(StoreError, match="the bucket does not exist"):
        load_release(nowhere, access(endpoint))


def test_the_policies_of_a_real_server_are_named_by_what_they_forbid(before, endpoint):
    """Last in its module: from here on the server knows only these users."""
    iam = boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    users = {}
    for forbidden in (*ACTIONS, None):
        user = f"without-{forbidden}"
        allowed = [f"s3:{action}" for action in ACTIONS if action != forbidden]
        policy = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        iam.create_user(UserName=user)
        iam.put_user_policy(
            UserName=user,
            PolicyName="given",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [policy]}),
        )
        key = iam.create_access_key(UserName=user)["AccessKey"]
        users[forbidden] = replace(
            access(endpoint),
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
        )
    enforce = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST"
    )
    with urllib.request.urlopen(enforce):
        pass
    said = {action: refused(users[action]) for action in ACTIONS}
    assert "permission to read is denied" in said["GetObject"]
    assert "permission to write is denied" in said["PutObject"]
    assert "permission to delete is denied" in said["DeleteObject"]
    assert "permission to list is denied" in said["ListBucket"]
    mistaken = replace(users[None], secret_access_key="mistaken-secret")
    assert "the credentials are not valid" in refused(mistaken)
    assert verify_release(f"s3://{BUCKET}/mixes", storage=users[None]) == before
    # Who may do all four publishes.
    assert verify_release(publish(f"s3://{BUCKET}/mixes", users[None]).store)
