import pytest

from deploy.errors import PocketganError
from pipeline.commands.arguments import parse, parser


def test_mistake_is_one_message_that_names_the_help() -> None:
    made = parser("inspect", "Look into a file")
    made.add_argument("file", type=str)
    with pytest.raises(PocketganError, match="pocketgan inspect: ") as caught:
        parse(made, ["--nothing", "x"])
    assert caught.value.remedy == "`pocketgan inspect --help` tells more."
