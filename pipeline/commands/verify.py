"""The command verify: is a bundle as it was made?"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from deploy.bundle import files, signature
from deploy.bundle.schema import Model
from deploy.bundle.verify import BundleCheck
from deploy.bundle.verify import verify as check_bundle
from deploy.errors import PocketganError
from pipeline.bundle_contents import picture_of, provenance_of
from pipeline.commands.arguments import BAD_INPUT, OK, command_parser, parse
from pipeline.commands.bundle import warnings_of
from pipeline.consoles import caution, console, done, title

VERIFY_MORE = """. Looks at checksums, schema and signature, and lets the generator draw its
golden outputs here."""


def verify(arguments: list[str]) -> int:
    parser = command_parser("verify", "json", more=VERIFY_MORE)
    parser.add_argument("bundle", type=str, help="a bundle's folder or zip")
    parser.add_argument("--public-key", type=str, metavar="FILE", help="Ed25519 public key, PEM")
    options = parse(parser, arguments)
    path = Path(options.bundle)
    key = signature.read_public_key(Path(options.public_key)) if options.public_key else None
    check = check_bundle(path, key)
    if check.model and not check.problems:
        content = files.read(path)[0][files.GENERATOR]
        check = replace(check, problems=tuple(_contradictions(check.model, content)))
    if options.json:
        print(json.dumps(_as_json(check), indent=1))
        return BAD_INPUT if check.problems else OK
    if check.problems:
        raise PocketganError(
            f"{path} is not as it was made:\n  - " + "\n  - ".join(check.problems),
            "Do not ship it; get the bundle again from where it came.",
        )
    _show_check(check, path)
    return OK


def _contradictions(model: Model, content: bytes) -> Iterator[str]:
    """Where model.json says other than the generator's file does of itself."""
    try:
        provenance = provenance_of(Path(files.GENERATOR), content)
        actual: dict[str, Any] = {
            "pixels": {"low": provenance.pixels[0], "high": provenance.pixels[1]},
            "made": {
                name: getattr(provenance, name) for name in ("recipe", "recipe_sha256", "seed")
            },
        }
        if model.latent:
            actual["latent"] = {"length": provenance.latent, "classes": provenance.classes}
        else:
            actual["picture"] = picture_of(content, provenance).model_dump()
    except PocketganError as error:
        yield error.problem
        return
    leaves = _flat(model.model_dump(by_alias=True))
    for name, value in _flat(actual).items():
        if (here := leaves.get(name)) != value:
            yield f"{files.MODEL}: {name} is {here}, {files.GENERATOR} says {value}"


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Leaves of a tree of mappings, by their path: "picture.tiles.margin"."""
    leaves: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{above}{name}"
        leaves |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return leaves


def _as_json(check: BundleCheck) -> dict[str, Any]:
    model = check.model
    return {
        "sound": not check.problems,
        "problems": list(check.problems),
        "name": model and model.name,
        "variant": model and model.variant,
        "golden": check.likeness and {**asdict(check.likeness), "words": check.likeness.words},
        "signed": check.signed,
        "signature_checked": check.signature_checked,
        "gates_failed": list(model.origin.gates_failed) if model else [],
        "unfinished": list(model.origin.unfinished) if model else [],
    }


def _show_check(check: BundleCheck, path: Path) -> None:
    output = console(highlight=False, soft_wrap=True)
    model, likeness = check.model, check.likeness
    assert model is not None
    assert likeness is not None
    lines = [
        title(model.name, f", {model.variant}, {model.file.bytes:,} bytes"),
        done(f"{check.covered} files as {files.SUMS} has them"),
        done(f"model.json fits {files.GENERATOR}"),
        done(
            f"{model.golden.count} golden outputs of {model.golden.runtime} on "
            f"{model.golden.cpu}; {likeness.runtime} here: {likeness.words}"
        ),
    ]
    if check.signature_checked:
        lines.append(done("signed by the owner of this key"))
    elif check.signed:
        lines.append(caution("signed, but not checked by whom: give --public-key"))
    lines += map(caution, warnings_of(model))
    for line in lines:
        output.print(line)
    output.print(done(f"{path} is sound"))
