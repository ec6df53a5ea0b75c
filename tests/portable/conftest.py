"""A server for these tests: that of GLIDE_SCRIPTS_TEST_URL, or one that is started."""

import os

import pytest


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    if given := os.environ.get("GLIDE_SCRIPTS_TEST_URL"):
        return given
    started: str = request.getfixturevalue("valkey_server").url
    return started
