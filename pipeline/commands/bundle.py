"""The commands bundle and verify."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.bundle import archive, files, schema, signature
from deploy.bundle.make import make
from deploy.bundle.verify import Verdict
from deploy.bundle.verify import verify as look_at
from deploy.errors import PocketganError
from pipeline.atomic import replace_folder, write_bytes
from pipeline.bundle_contents import order
from pipeline.commands.arguments import command_parser, parse
from pipeline.finished_run import FinishedRun, open_run
from pipeline.variants import SHIPPED

OK, BAD_INPUT = 0, 2

BUNDLE_MORE = """, as a folder and the same as a zip: the .tflite, model.json, a card, a contact
sheet, golden inputs and outputs, code in four languages, checksums. Refuses a run that is
unfinished or failed its gates."""

VERIFY_MORE = """. Looks at checksums, schema and signature, and lets the generator draw its
golden outputs here."""


def bundle(arguments: list[str]) -> int:
    made = command_parser("bundle", "json", more=BUNDLE_MORE)
    made.add_argument("run", type=str, help="name of a run, or its folder")
    made.add_argument("--out", type=str, help="folder to write; FOLDER.zip too (RUN/bundle)")
    made.add_argument("--variant", type=str, default=SHIPPED, help="which file of the run")
    made.add_argument("--runs", type=str, default="runs", help="folder in which runs are")
    made.add_argument(
        "--force", action="store_true", help="though unfinished or failed; the card says so"
    )
    made.add_argument(
        "--no-speed",
        action="store_true",
        help="leave measurements out: the same recipe then gives the same bytes, trained anew",
    )
    made.add_argument("--sign", type=str, metavar="KEYFILE", help="Ed25519 private key, PEM")
    options = parse(made, arguments)
    key = signature.read_private_key(Path(options.sign)) if options.sign else None
    run = open_run(options.run, Path(options.runs))
    if not options.force:
        _refuse_unfit(run)
    folder = Path(options.out) if options.out is not None else run.folder / "bundle"
    _refuse_foreign(folder)
    contents = make(order(run, options.variant, speed=not options.no_speed), key)
    packed = _write(contents, folder)
    _show_bundle(contents, folder, packed, options.json)
    return OK


def _refuse_unfit(run: FinishedRun) -> None:
    if run.unfinished:
        more = f" (and {len(run.unfinished) - 1} more)" if len(run.unfinished) > 1 else ""
        raise PocketganError(
            f"{run.folder} is not finished: {run.unfinished[0]}{more}.",
            f"Finish it with `pocketgan run {run.folder / 'recipe.yaml'} --runs "
            f"{run.folder.parent}`, or bundle what there is with --force; the card will say so.",
        )
    failed = run.report.failed_gates if run.report else ()
    if failed:
        raise PocketganError(
            f"{run.folder} failed gates of its recipe: {', '.join(gate.text for gate in failed)}.",
            "Change the recipe and run it again, or bundle it with --force; the card will say so.",
        )


def _refuse_foreign(folder: Path) -> None:
    """Only a bundle is replaced: whatever else is in the way may be somebody's work."""
    if not folder.name or folder.name == "..":
        raise PocketganError(f"--out {folder} has no name.", "Name a folder, such as --out bundle.")
    for place in (folder, _zip_of(folder)):
        if os.path.lexists(place) and (why := _no_bundle(place)):
            raise PocketganError(
                f"{place} is in the way and no bundle ({why}), so it is not replaced.",
                "Name another folder with --out, or remove it first.",
            )


def _no_bundle(place: Path) -> str:
    """Why what is there is more than a bundle, or less; empty if it may be replaced by one."""
    if place.is_symlink():
        return "a link"
    if place.is_dir() and not any(place.iterdir()):
        return ""
    try:
        contents, problems = archive.read(place)
    except PocketganError as error:
        return error.problem
    if problems:
        return problems[0]
    return "" if files.SUMS in contents else f"it has no {files.SUMS}"


def _zip_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def _write(contents: dict[str, bytes], folder: Path) -> Path:
    """The folder and FOLDER.zip, each there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    packed = _zip_of(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name, content in contents.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        replace_folder(partial, folder)
        write_bytes(packed, archive.pack(contents))
    except OSError as error:
        error.filename = error.filename or str(folder)  # a failed write names no file
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return packed


def _show_bundle(contents: dict[str, bytes], folder: Path, packed: Path, as_json: bool) -> None:
    model = schema.loads(contents[files.MODEL])
    zipped = packed.read_bytes()
    if as_json:
        told = {
            "folder": str(folder),
            "zip": str(packed),
            "zip_sha256": hashlib.sha256(zipped).hexdigest(),
            "zip_bytes": len(zipped),
            "signed": files.SIGNATURE in contents,
            "model": json.loads(contents[files.MODEL]),
        }
        print(json.dumps(told, indent=1))
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name in sorted(contents):
        table.add_row(f"  {name}", f"{len(contents[name]):,}")
    console = Console(highlight=False)
    console.print(f"[bold]{model.name}[/], {model.variant}, from seed {model.made.seed}")
    console.print(table)
    for warning in _warnings(model):
        console.print(f"[yellow]![/] {warning}")
    console.print(f"[green]✓[/] {folder} and {packed} ({len(zipped):,} bytes)")


def _warnings(model: schema.Model) -> list[str]:
    failed = [f"failed gate: {gate}" for gate in model.made.gates_failed]
    return [*failed, *(f"unfinished: {lack}" for lack in model.made.unfinished)]


# ---------------------------------------------------------------------- verify


def verify(arguments: list[str]) -> int:
    made = command_parser("verify", "json", more=VERIFY_MORE)
    made.add_argument("bundle", type=str, help="a bundle's folder or zip")
    made.add_argument("--public-key", type=str, metavar="FILE", help="Ed25519 public key, PEM")
    options = parse(made, arguments)
    path = Path(options.bundle)
    key = signature.read_public_key(Path(options.public_key)) if options.public_key else None
    verdict = look_at(path, key)
    if options.json:
        print(json.dumps(_as_json(verdict), indent=1))
        return BAD_INPUT if verdict.problems else OK
    if verdict.problems:
        raise PocketganError(
            f"{path} is not as it was made:\n  - " + "\n  - ".join(verdict.problems),
            "Do not ship it; get the bundle again from where it came.",
        )
    _show_verdict(verdict, path)
    return OK


def _as_json(verdict: Verdict) -> dict[str, Any]:
    model = verdict.model
    return {
        "sound": not verdict.problems,
        "problems": list(verdict.problems),
        "name": model and model.name,
        "variant": model and model.variant,
        "golden": verdict.likeness
        and {**asdict(verdict.likeness), "words": verdict.likeness.words},
        "signed": verdict.signed,
        "signature_checked": verdict.signature_checked,
        "gates_failed": list(model.made.gates_failed) if model else [],
        "unfinished": list(model.made.unfinished) if model else [],
    }


def _show_verdict(verdict: Verdict, path: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    model, likeness = verdict.model, verdict.likeness
    assert model is not None
    assert likeness is not None
    lines = [
        f"[bold]{model.name}[/], {model.variant}, {model.file.bytes:,} bytes",
        f"[green]✓[/] {len(files.COVERED)} files as {files.SUMS} has them",
        f"[green]✓[/] model.json fits {files.GENERATOR}",
        f"[green]✓[/] {model.golden.count} golden outputs of {model.golden.runtime} on "
        f"{model.golden.cpu}; {likeness.runtime} here: {likeness.words}",
    ]
    if verdict.signature_checked:
        lines.append("[green]✓[/] signed by the owner of this key")
    elif verdict.signed:
        lines.append("[yellow]![/] signed, but not checked by whom: give --public-key")
    lines += [f"[yellow]![/] {warning}" for warning in _warnings(model)]
    for line in lines:
        console.print(line)
    console.print(f"[green]✓[/] {path} is sound")
