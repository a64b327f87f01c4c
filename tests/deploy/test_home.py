from pathlib import Path

import pytest

from deploy.home import in_home


def test_home_is_that_of_the_user_named_or_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert in_home(Path("~/pictures")) == Path("/home/me/pictures")
    assert in_home(Path("pictures/~")) == Path("pictures/~")
    assert in_home(Path("~no-such-user/pictures")) == Path("~no-such-user/pictures")
