"""The .tflite files of a benchmark: what each holds, and the copy of it that is measured.

Time and work belong to one signature at one size. Where a file has several, or leaves sizes free,
a copy with just that is measured, on whatever target; its figures are the file's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deploy.errors import PocketganError
from deploy.jobs import Measurement, describe_file, weigh
from pipeline.report.benchmark.schema import MeasuredFile
from pipeline.tflite import count
from pipeline.tflite.entry import NO_CHOICE, Entered, EntryChoice, enter, port_words, shape_words
from pipeline.tflite.model import LiteModel
from pipeline.tflite.read import read_model

_WEIGHTS = ("sha256", "bytes", "bytes_gzip", "bytes_zstd")


class MeasuredFiles:
    """Files (name → path) by the way in that ``choice`` says.

    Attributes:
        facts: what each holds.
        remarks: what must be said of all figures of a file.

    Raises PocketganError where a file cannot be read from the disk, has several signatures and none
    is chosen, leaves sizes free and none are said, or lacks what the choice names.
    """

    def __init__(self, files: Mapping[str, Path], choice: EntryChoice = NO_CHOICE) -> None:
        self._files = files
        self._copies: dict[str, bytes] = {}
        self.remarks: list[str] = []
        facts = []
        models = {name: _model(path) for name, path in files.items()}
        for name, model in models.items():
            about: dict[str, Any] = {"name": name, **describe_file(files[name])}
            if isinstance(model, PocketganError):
                about["problem"] = model.problem
            else:
                about |= self._enter(name, model, _choice_for(model, choice, models.values()))
            facts.append(MeasuredFile.model_validate(about))
        self.facts = tuple(facts)
        self._as_files = {each.name: each.model_dump(include=set(_WEIGHTS)) for each in facts}
        self._as_copies = {name: weigh(content) for name, content in self._copies.items()}

    def _enter(self, name: str, model: LiteModel, choice: EntryChoice) -> dict[str, Any]:
        """The facts of a file that can be read; its copy is kept if it needs one."""
        entered = enter(model, choice, str(self._files[name]))
        if entered.unsized:
            raise PocketganError(
                f"{self._files[name]} leaves sizes free: {', '.join(entered.unsized)}. A time is "
                "one of a size.",
                "Say which: --size 480x320 is 480 wide and 320 high.",
            )
        if entered.model is not model:
            self._copies[name] = entered.model.content
        self.remarks += [f"{name} {words}." for words in _remarks(entered, len(model.signatures))]
        return _facts(entered)

    @contextmanager
    def copied(self) -> Iterator[dict[str, Path]]:
        """Name → the file that targets are handed, while the context lasts."""
        with TemporaryDirectory(prefix="pocketgan-") as folder:
            paths = dict(self._files)
            for number, (name, content) in enumerate(self._copies.items()):
                paths[name] = Path(folder) / str(number) / self._files[name].name
                paths[name].parent.mkdir()
                paths[name].write_bytes(content)
            yield paths

    def as_files(self, measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the copies as those of the files."""
        return [m.model_copy(update=self._as_files[m.variant]) for m in measurements]

    def as_copies(self, measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the files as those of the copies."""
        return [m.model_copy(update=self._as_copies.get(m.variant, {})) for m in measurements]


def _model(path: Path) -> LiteModel | PocketganError:
    try:
        return read_model(path)
    except PocketganError as error:
        return error


def _choice_for(
    model: LiteModel, choice: EntryChoice, models: Iterable[LiteModel | PocketganError]
) -> EntryChoice:
    """``choice``; without its signature for a file that has no choice of them, beside one that has.

    So a network of a file of several is compared with the same in a file of its own.
    """
    elsewhere = any(choice.signature in _keys(each) for each in models)
    if elsewhere and len(model.signatures) < 2:
        return replace(choice, signature=None)
    return choice


def _keys(model: LiteModel | PocketganError) -> Sequence[str]:
    return [] if isinstance(model, PocketganError) else [each.key for each in model.signatures]


def _remarks(entered: Entered, signatures: int) -> Iterator[str]:
    """What a reader must know of one way into a file; each goes on after its name."""
    model = entered.model
    if signatures > 1:
        yield f"holds {signatures} signatures: all but the bytes is of {entered.signature}"
    sizes = [
        f"{port_words(model.port_name(tensor), tensor)} ({in_file} in the file)"
        for tensor, in_file in zip(model.inputs, entered.file_shapes, strict=True)
        if shape_words(tensor.shape, tensor.free_axes) != in_file
    ]
    if sizes:
        yield f"is measured with {', '.join(sizes)}"
    if entered.macs_unknown:
        yield f"takes an unknown number of MACs: {entered.macs_unknown}"
    if entered.work.loops:
        yield "holds loops: how often they turn, and so its time, may depend on what it reads"


def _facts(entered: Entered) -> dict[str, Any]:
    model = entered.model
    facts: dict[str, Any] = {
        "signature": entered.signature,
        "parameters": count.parameters(model),
        "float_ops": len(count.float_ops(model)),
        "ops": count.op_counts(model),
        "macs_unknown": entered.macs_unknown or None,
        "input_shapes": tuple(tensor.shape for tensor in model.inputs),
        "output_shapes": tuple(tensor.shape for tensor in model.outputs),
    }
    if not entered.macs_unknown:
        facts |= {"macs": entered.work.once, "macs_int8": entered.work.once_int8}
    if not entered.why_unsized:
        facts["traffic"] = count.traffic(model)
    return facts
