import pytest

from deploy.errors import PocketganError
from deploy.targets import TARGETS, find_target, local


def test_target_is_found_by_name() -> None:
    assert find_target("local") is local.measure


def test_unknown_target_lists_those_that_exist() -> None:
    with pytest.raises(PocketganError, match="locl") as caught:
        find_target("locl")
    assert all(name in caught.value.remedy for name in TARGETS)
