from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.targets import find_target, find_targets
from deploy.targets.shelf import read_shelf


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text("boards:\n  Pi 4: ssh:pi@pi4.lan\n  old phone: android:R58N12ABCDE\n")
    return path


def test_boards_stand_in_the_place_of_their_shelf_and_bear_its_labels(lab: Path) -> None:
    targets = find_targets(["micro", f"targets:{lab}", "local", "local"])
    assert [(target.name, target.label) for target in targets] == [
        ("micro", ""),
        ("ssh:pi@pi4.lan", "Pi 4"),
        ("android:R58N12ABCDE", "old phone"),
        ("local", ""),
    ]
    assert [target.title for target in targets[:2]] == ["micro", "Pi 4"]


@pytest.mark.parametrize("order", [1, -1])
def test_board_named_by_itself_too_is_measured_once(lab: Path, order: int) -> None:
    targets = find_targets(["ssh:pi@pi4.lan", f"targets:{lab}"][::order])
    assert sorted(target.title for target in targets) == ["Pi 4", "old phone"]


def test_shelf_may_lie_in_the_home(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(lab.parent))
    named = [target.name for target in find_targets([f"targets:~/{lab.name}"])]
    assert named == [target.name for target in find_targets([f"targets:{lab}"])]


def test_one_label_of_two_boards_is_refused(lab: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("boards:\n  Pi 4: ssh:pi@elsewhere\n")
    with pytest.raises(PocketganError, match="Pi 4"):
        find_targets([f"targets:{lab}", f"targets:{other}"])


def test_shelf_where_one_target_is_meant_lists_its_boards(lab: Path) -> None:
    with pytest.raises(PocketganError, match="one target is meant") as caught:
        find_target(f"targets:{lab}")
    assert "android:R58N12ABCDE" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no `boards`"),
        ("- a", "no `boards`"),
        ("board:\n  a: ssh:b", "no `boards`"),
        ("boards:", "no labels"),
        ("boards: [a, b]", "no labels"),
        ("boards:\n  a: ssh:b\nowner: me", "'owner'"),
        ("boards:\n  a: ssh:b\n  a: ssh:c", "line 3: 'a' stands there twice"),
        ("boards:\n  a: ssh:b\nboards:\n  b: ssh:c", "line 3: 'boards' stands there twice"),
        ("boards:\n  a: ssh:b\n  c: ssh:b", "ssh:b stands there twice"),
        ("boards:\n  3: ssh:b", "3 is no label"),
        ('boards:\n  "": ssh:b', "is no label"),
        ('boards:\n  "a\\tb": ssh:b', "is no label"),
        (f"boards:\n  {'a' * 61}: ssh:b", "longer than 60"),
        ("boards:\n  a: 3", "a: its target is no text"),
        ("boards:\n  a: {b: c}", "a: its target is no text"),
        ("boards:\n  a: local", "'local' is no board"),
        ("boards:\n  a: targets:lab.yaml", "is no board"),
        ("boards: [", "line 1"),
        ("boards: {a: *b}", "undefined alias"),
        ("boards: {[a]: b}", "line 1"),
        ("\0", "lab.yaml"),
    ],
)
def test_what_is_no_shelf_is_refused_with_the_place(lab: Path, text: str, problem: str) -> None:
    lab.write_text(text)
    with pytest.raises(PocketganError) as caught:
        read_shelf(lab)
    assert problem in caught.value.problem
    assert str(lab) in caught.value.problem
    assert caught.value.remedy


def test_address_that_is_none_is_refused_as_it_is_by_itself(lab: Path) -> None:
    lab.write_text("boards:\n  a: 'ssh:-oProxyCommand=x'")
    with pytest.raises(PocketganError, match="address"):
        find_targets([f"targets:{lab}"])


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_file_that_cannot_be_read_is_told(lab: Path, content: bytes | None) -> None:
    lab.unlink()
    if content:
        lab.write_bytes(content)
    with pytest.raises(PocketganError, match="cannot read the shelf"):
        read_shelf(lab)
