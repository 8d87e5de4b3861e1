"""Tests that share what is dear to compute run in one process; nothing else would tell when a new pytest breaks that."""

import os

import pytest


@pytest.mark.xdist_group("together")
def test_the_tests_of_a_group_stay_in_one_process(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("a single process runs all tests")
    assert request.node.nodeid.endswith("@together")
