"""Google Cloud Storage: what a store must hold, against a server that speaks its XML interface."""

import uuid

import pytest
from google_store import google_server

from benchmarks import any_store
from synthmix_dagster import StoreAccess
from synthmix_dagster.data.opening import open_store


@pytest.fixture(scope="module")
def root():
    with google_server() as endpoint:
        account = (
            f'{{"gcs_base_url": "{endpoint}", "disable_oauth": true, "client_email": "",'
            ' "private_key": "", "private_key_id": ""}'
        )
        access = StoreAccess(endpoint, options={"service_account_key": account}, lease_seconds=20.0)
        yield open_store(f"gs://bucket/{uuid.uuid4().hex}", access)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(each, marks=[pytest.mark.slow] if each is any_store.releases else [])
        for each in any_store.CHECKS
    ],
    ids=lambda check: check.__name__,
)
def test_it_is_good_enough_for_releases(root, check):
    check(root.below(check.__name__))
