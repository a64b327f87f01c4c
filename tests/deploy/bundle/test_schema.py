import json
from typing import Any

import pytest

from deploy.bundle import schema
from deploy.errors import PocketganError


def test_model_json_survives_reading_and_writing(parts: dict[str, bytes]) -> None:
    assert schema.dumps(schema.loads(parts["model.json"])) == parts["model.json"]


def test_it_has_the_fields_that_the_format_promises(parts: dict[str, bytes]) -> None:
    answer = json.loads(parts["model.json"])
    assert [*answer] == [
        *("schema", "version", "name", "variant", "file", "input", "output", "latent"),
        *("picture", "pixels", "seeding", "golden", "gallery", "quality", "measurements", "made"),
        "data",
    ]
    assert answer["input"]["shape"] == [1, 11]
    assert answer["output"]["shape"] == [1, 6, 6, 1]
    assert (answer["input"]["name"], answer["output"]["name"]) == ("latent", "image")


def _set(place: str, value: Any) -> Any:
    def spoil(answer: dict[str, Any]) -> None:
        *above, last = place.split(".")
        for key in above:
            answer = answer[key]
        answer[last] = value

    return spoil


SPOILED = [
    ("schema", "pocketgan.report", "schema"),
    ("version", 3, "version"),
    ("latent.directions", [{"name": "hue", "vector": [1.0]}], "vector of a direction"),
    ("extra", 1, "extra"),
    ("name", "", "name"),
    ("file.sha256", "abc", "file.sha256"),
    ("file.path", "../../etc/passwd", "file.path"),
    ("input.dtype", "int4", "input.dtype"),
    ("input.dtype", "float32", "scale is 0 for float32"),
    ("input.scale", float("nan"), "scale"),
    ("input.shape", [2, 11], "input.shape must be"),
    ("output.shape", [1, 6, 6], "output.shape must be"),
    ("output.shape", [1, 6, 6, 3], "pixels.channels does not fit"),
    ("latent.classes", 2, "as many class_names"),
    ("latent.length", 9, "input.shape must be"),
    ("pixels.low", 1.0, "low must be below high"),
    ("golden.count", 0, "golden.count"),
    ("golden.inputs", "golden/other.bin", "golden.inputs"),
    ("quality.recall", 2.0, "quality.recall"),
    ("made.seed", "one", "made.seed"),
]


@pytest.mark.parametrize(("place", "value", "answer"), SPOILED)
def test_a_wrong_field_is_named(
    place: str, value: object, answer: str, parts: dict[str, bytes]
) -> None:
    spoiled = json.loads(parts["model.json"])
    _set(place, value)(spoiled)
    with pytest.raises(PocketganError, match=r"model\.json: ") as raised:
        schema.loads(json.dumps(spoiled).encode())
    assert answer in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(PocketganError, match=r"model\.json"):
        schema.loads(content)
