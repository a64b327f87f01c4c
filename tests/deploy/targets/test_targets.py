import pytest

from deploy.errors import PocketganError
from deploy.targets import INSTALLERS, find_target, install, offered


def test_every_offered_target_is_found_by_its_name() -> None:
    names = [target.name for target in offered()]
    assert len(set(names)) == len(names)
    assert [find_target(name).name for name in names] == names


@pytest.mark.parametrize("name", ["locl", "local:", "local:nothing", "", ":", "LOCAL"])
def test_unknown_target_lists_those_that_exist(name: str) -> None:
    with pytest.raises(PocketganError, match="no target") as caught:
        find_target(name)
    assert all(target.name in caught.value.remedy for target in offered())


def test_installing_what_nobody_knows_lists_what_there_is() -> None:
    with pytest.raises(PocketganError, match="'tflite'") as caught:
        install("tflite", lambda step: None)
    assert all(name in caught.value.remedy for name in INSTALLERS)
