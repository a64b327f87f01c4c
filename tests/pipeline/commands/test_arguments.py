import pytest

from deploy.errors import PocketganError
from pipeline.commands.arguments import command_parser, parse


def test_mistake_is_one_message_that_names_the_help() -> None:
    parser = command_parser("inspect")
    parser.add_argument("file", type=str)
    with pytest.raises(PocketganError, match="pocketgan inspect: ") as caught:
        parse(parser, ["--nothing", "x"])
    assert caught.value.remedy == "`pocketgan inspect --help` tells more."
