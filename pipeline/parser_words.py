"""What the parser of recipes and options says, in words that need no knowledge of Python."""

import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from deploy.errors import guess

_REFUSED = re.compile(
    r'Parser key "(?P<key>[^"]+)": (?:Does not validate .*? Errors: - )?(?P<why>.*?)'
    r"(?: - Expected a <class 'NoneType'> Given value type: .*? Given value: (?P<value>.*))?"
)
"""What the parser says of a wrong value; of one that may be None too, what else it could be."""
_PLAINLY = (
    (r"<class '(?:\w+\.)*(\w+)'>", r"\1"),
    (r"Not of type \w+: ", ""),
    (r"Expected a typing\.Literal\[(.*?)\]\. Got value: (.*)", r"\2 must be one of \1"),
    (r"Expected a dot import path string: (.*)", r"\1 must be keys and values, as {key: value}"),
    (r"Expected a list\. Got value: (.*)", r"\1 must be a list, as [\1]"),
    (r"Expected a dict\. Got value: (.*)", r"\1 must be names and values, as {name: value}"),
    (r"Expected an? (?:str|Path)\. Got value: (.*)", r"\1 must be a text"),
    (r"Expected a bool\. Got value: (.*)", r"\1 must be true or false"),
    (r"Expected a tuple.*", "must be a list of its values, as [-1, 1]"),
    (r"\bv([<>]=?)(?=\d)", r"\1 "),
    (r"does not conform to restriction", "must be"),
    (r"invalid literal for int\(\) with base 10", "no whole number"),
    (r"could not convert string to float", "no number"),
)
_UNRECOGNIZED = re.compile(r"unrecognized arguments: (?P<first>\S+).*")
_TYPES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Path": "path",
    "NoneType": "none",
    "PositiveInt": "whole number ≥ 1",
    "NonNegativeInt": "whole number ≥ 0",
    "PositiveFloat": "number > 0",
    "NonNegativeFloat": "number ≥ 0",
    "ClosedUnitInterval": "0 to 1",
    "OpenUnitInterval": "between 0 and 1",
}


def reason(error: Exception, options: Iterable[str]) -> str:
    """Why a value or an option was refused; of an unknown one which of ``options`` is meant."""
    text = " ".join(str(error).split())
    unrecognized = _UNRECOGNIZED.fullmatch(text)
    if unrecognized is not None and unrecognized["first"].startswith("-"):
        name = unrecognized["first"].split("=")[0]
        return " ".join(filter(None, [f"there is no option {name}.", guess(name, options)]))
    refused = _REFUSED.fullmatch(text)
    if refused is None:
        return text
    why = refused["why"]
    for pattern, words in _PLAINLY:
        why = re.sub(pattern, words, why)
    # Of what may be None the value stands apart.
    value = f"{refused['value']} " if refused["value"] and why.startswith("must be") else ""
    return f"{refused['key']}: {value}{why}"


def type_in_words(wanted: Any) -> str:
    """A type as the help shows it; a restricted one of our own says in its docstring what it is."""
    parts, origin = get_args(wanted), get_origin(wanted)
    if origin is Literal:
        return ", ".join(map(str, parts))
    if origin in (Union, UnionType):
        return " or ".join(map(type_in_words, parts))
    if origin is tuple:
        return f"[{', '.join(map(type_in_words, parts))}]"
    if origin is list:
        return f"list, each: {type_in_words(parts[0])}"
    if origin is dict:
        return f"names, each with: {type_in_words(parts[1])}"
    name = getattr(wanted, "__name__", str(wanted))
    restricted = getattr(wanted, "__module__", "") == "jsonargparse.typing"
    return _TYPES.get(name) or (str(wanted.__doc__) if restricted else name)
