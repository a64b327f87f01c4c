import pytest

from deploy.errors import PocketganError
from pipeline.commands.arguments import command_parser, parse


def test_mistake_is_one_message_that_names_the_help() -> None:
    parser = command_parser("inspect")
    parser.add_argument("file", type=str)
    with pytest.raises(PocketganError, match="pocketgan inspect: ") as caught:
        parse(parser, ["--nothing", "x"])
    assert caught.value.remedy == "`pocketgan inspect --help` tells more."


@pytest.mark.parametrize("value", ["-5", "-5%", "-x"])
def test_value_that_begins_with_a_dash_reaches_its_command(value: str) -> None:
    parser = command_parser("inspect", "quiet")
    parser.add_argument("--limit", type=str)
    assert parse(parser, ["--limit", value]).limit == value
    with pytest.raises(PocketganError, match="--limit: expected one argument"):
        parse(parser, ["--limit", "--quiet"])
