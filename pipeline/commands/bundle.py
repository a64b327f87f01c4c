"""The command bundle: what an app developer receives of a finished run."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

from rich.console import Group
from rich.table import Table

from deploy.bundle import files, schema, signature
from deploy.bundle.make import make
from deploy.errors import PocketganError
from deploy.web.make import make as make_page
from pipeline.atomic import exclusive, finish_replacing, replace_folder, write_bytes
from pipeline.bundle_contents import contents_of
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.consoles import caution, console, done, title
from pipeline.finished_run import FinishedRun, open_run
from pipeline.gallery_contents import gallery_of
from pipeline.plans import command_for
from pipeline.recipe.sections import PictureSize
from pipeline.variants import SHIPPED

BUNDLE_MORE = """, as a folder and the same as a zip: the .tflite, model.json, a card, a contact
sheet, golden inputs and outputs, code in five languages, checksums. Refuses a run that is
unfinished or failed its gates."""


def bundle(arguments: list[str]) -> int:
    parser = command_parser("bundle", "json", "runs", more=BUNDLE_MORE)
    parser.add_argument("run", type=str, help="name of a run, or its folder")
    parser.add_argument("--out", type=str, help="folder to write; FOLDER.zip too (RUN/bundle)")
    parser.add_argument("--variant", type=str, default=SHIPPED, help="which file of the run")
    parser.add_argument(
        "--size",
        type=PictureSize,
        metavar="480x320",
        help="its file for that one of the convert.sizes",
    )
    parser.add_argument(
        "--force", action="store_true", help="though unfinished or failed; the card says so"
    )
    parser.add_argument(
        "--no-speed",
        action="store_true",
        help="leave measurements out: the same recipe then gives the same bytes, trained anew",
    )
    parser.add_argument(
        "--gallery", action="store_true", help="with a page that draws in a browser (4 MB and more)"
    )
    parser.add_argument("--sign", type=str, metavar="KEYFILE", help="Ed25519 private key, PEM")
    options = parse(parser, arguments)
    key = signature.read_private_key(Path(options.sign)) if options.sign else None
    _refuse_both(options.size, page=options.gallery)
    run = open_run(options.run, Path(options.runs))
    if not options.force:
        _refuse_unfit(run)
    default = f"bundle-{options.size}" if options.size else "bundle"
    folder = Path(options.out) if options.out is not None else run.folder / default
    _refuse_foreign(folder)
    described = contents_of(run, options.variant, speed=not options.no_speed, size=options.size)
    if options.gallery:
        page = _gallery(run, options.variant, speed=not options.no_speed)
        described = replace(described, gallery=page)
    contents = make(described, key)
    packed = files.pack(contents)
    _write(contents, packed, folder)
    document = {
        "folder": str(folder),
        "zip": str(_zip_of(folder)),
        "zip_sha256": hashlib.sha256(packed).hexdigest(),
        "zip_bytes": len(packed),
        "signed": files.SIGNATURE in contents,
        "model": json.loads(contents[files.MODEL]),
    }
    size = f"{len(packed):,} bytes"
    show(options, document, lambda: _summary(contents, folder, size), console(highlight=False))
    return OK


def _gallery(run: FinishedRun, variant: str, *, speed: bool) -> bytes:
    """The page of that variant, and of float32 beside it where it is the one that ships."""
    variants = [] if variant == SHIPPED else [variant]
    return make_page(gallery_of([run], variants, speed=speed))[1]


def _refuse_both(size: str | None, *, page: bool) -> None:
    if size and page:
        raise PocketganError(
            "--gallery shows the files of the recipe's own size, and --size bundles another.",
            "Leave one of them out.",
        )


def _refuse_unfit(run: FinishedRun) -> None:
    if run.unfinished:
        more = f" (and {len(run.unfinished) - 1} more)" if len(run.unfinished) > 1 else ""
        raise PocketganError(
            f"{run.folder} is not finished: {run.unfinished[0]}{more}.",
            f"Finish it: {command_for(run.folder)}\n"
            "  Or bundle what there is with --force; the card will say so.",
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
    for path in (folder, _zip_of(folder)):
        if os.path.lexists(path) and (why := _no_bundle(path)):
            raise PocketganError(
                f"{path} is in the way and no bundle ({why}), so it is not replaced.",
                "Name another folder with --out, or remove it first.",
            )


def _no_bundle(path: Path) -> str:
    """Why what is there is more than a bundle, or less; empty if it may be replaced by one."""
    if path.is_symlink():
        return "a link"
    if path.is_dir() and not any(path.iterdir()):
        return ""
    try:
        contents, problems = files.read(path)
    except PocketganError as error:
        return error.problem
    if problems:
        return problems[0]
    return "" if files.SUMS in contents else f"it has no {files.SUMS}"


def _zip_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def _write(contents: dict[str, bytes], packed: bytes, folder: Path) -> None:
    """The folder and FOLDER.zip, each there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    with exclusive(folder):
        finish_replacing(folder)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            for name, content in contents.items():
                path = partial / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            replace_folder(partial, folder)
            write_bytes(_zip_of(folder), packed)
        except OSError as error:
            error.filename = error.filename or str(folder)  # a failed write names no file
            raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _summary(contents: dict[str, bytes], folder: Path, size: str) -> Group:
    model = schema.loads(contents[files.MODEL])
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name in sorted(contents):
        table.add_row(f"  {name}", f"{len(contents[name]):,}")
    return Group(
        title(model.name, f", {model.variant}, from seed {model.origin.seed}"),
        table,
        *map(caution, warnings_of(model)),
        done(f"{folder} and {_zip_of(folder)} ({size})"),
    )


def warnings_of(model: schema.Model) -> list[str]:
    failed = [f"failed gate: {gate}" for gate in model.origin.gates_failed]
    return [*failed, *(f"unfinished: {lack}" for lack in model.origin.unfinished)]
