"""The command gallery: a finished run as one page that draws in any browser."""

import os
from pathlib import Path

from rich.console import Group

from deploy.errors import PocketganError, one_of, printable
from deploy.web.gallery import Gallery
from deploy.web.make import make
from deploy.web.page import MARK
from pipeline.atomic import write_bytes
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.consoles import caution, console, done, title
from pipeline.finished_run import open_run
from pipeline.gallery_contents import gallery_of
from pipeline.variants import VARIANTS

GALLERY_MORE = """, as one file that opens from disk: the runtime and the models are inside,
nothing is installed, nothing is sent.

The page draws new pictures, walks between latents, filters photos, shows int8 beside float32, times
itself, and checks that this browser draws what the desktop draws. Give it to anyone with a phone.

  pocketgan gallery digits
  pocketgan gallery digits --variants int8 --out digits.html
  pocketgan gallery small medium large --variants int8

Several runs that read the same share a page: a slider goes through all files by their size."""


def gallery(arguments: list[str]) -> int:
    parser = command_parser("gallery", "json", "runs", more=GALLERY_MORE)
    parser.add_argument("run", type=str, nargs="+", help="names of runs, or their folders")
    parser.add_argument("--out", type=str, help="file to write (RUN/gallery.html)")
    parser.add_argument(
        "--variants",
        type=str,
        help="files of a run to put in, with commas: int8,float16,float32 (int8, and those in "
        "float32 below 3 MB zipped)",
    )
    options = parse(parser, arguments)
    runs = [open_run(name, Path(options.runs)) for name in options.run]
    path = Path(options.out) if options.out is not None else runs[0].folder / "gallery.html"
    _refuse_foreign(path)
    facts, page = make(gallery_of(runs, _variants(options.variants or "")))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, page)
    document = {
        "page": str(path),
        "bytes": len(page),
        "gallery": facts.model_dump(mode="json", by_alias=True),
    }
    show(options, document, lambda: _summary(facts, path, len(page)), console(highlight=False))
    return OK


def _variants(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        raise PocketganError(
            f"--variants {text}: there is no variant '{unknown[0]}'.", one_of(unknown[0], VARIANTS)
        )
    return names


def _refuse_foreign(path: Path) -> None:
    """Only a gallery is replaced: whatever else is in the way may be somebody's work. Told before
    anything is drawn, as is a folder that takes no file."""
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise PocketganError(f"{path} cannot be written in {above}.", "Name another with --out.")
    if path.is_dir():
        raise PocketganError(
            f"--out {path} is a folder.", f"Name a file in it: --out {path / 'gallery.html'}."
        )
    if path.exists() and MARK not in path.read_bytes():
        raise PocketganError(
            f"{path} is in the way and no gallery page, so it is not replaced.",
            "Name another file with --out, or remove it first.",
        )


def _summary(document: Gallery, path: Path, size: int) -> Group:
    rows = [f"  {file.label:24} {file.bytes:>12,} bytes  {file.quality}" for file in document.files]
    warnings = [f"unfinished: {text}" for text in document.warnings]
    warnings += [f"failed gate: {gate.text}" for gate in document.gates if not gate.passed]
    return Group(
        title(document.title),
        *map(printable, rows),
        *map(caution, warnings),
        done(f"{path} ({size / 1e6:.1f} MB): open it in a browser"),
    )
