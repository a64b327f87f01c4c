"""The options of compress that are keys of the recipe, its help, and remedies told in the recipe's
words."""

import re
import textwrap
from collections.abc import Iterable

MORE = """: a generator goes in, and a budget; a small int8 .tflite that draws like it comes out,
with a report. Students within the budget are tried, the best is trained on its pictures and
rounded to int8. GENERATOR is a run's folder, a .keras or .h5 file, an ONNX file, a SavedModel, a
model.json of TensorFlow.js, or any .tflite (`pocketgan check` says whether it can be compressed).
The same command again goes on where it was stopped, and does nothing that is done.

A generator of a run, or a file that reads latents, with a budget:

  pocketgan compress runs/digits --max-gzip-kb 12
  pocketgan compress dcgan.keras --max-kb 60 --max-ms 0.2

One that reads classes, and real pictures to learn from:

  pocketgan compress conditional.onnx --classes 10 --max-gzip-kb 40 \\
      --data folder --data-folder photos

One that reads pictures; without a budget it gets a quarter of the multiply-accumulates:

  pocketgan compress pix2pix.keras --inputs photos --minutes 30

For an NPU's flash:

  pocketgan compress dcgan.keras --max-flash-kb 64 --target npu:ethos-u55-128

What else its file does not say is asked for. Of all options the seven that you may want first:

  --max-gzip-kb 12          length of the gzipped file, in 1,000 bytes
  --max-ms 0.2              milliseconds of a picture, on --target
  --max-quality-drop 5%     the smallest that draws nearly as well
  --target local            where --max-ms holds
  --inputs photos           pictures, for a generator that reads pictures
  --minutes 30              how long all of it may take, for such a generator
  --name NAME               of the run's folder"""
EPILOG = """Every value of the recipe can be changed too, for instance --search.trials 40,
--student.steps 8000 or --search.study study.journal; `pocketgan run --help` explains each. What
compress sets otherwise, unless the run that GENERATOR is does:"""
OPTIONS = {
    "max_kb": ("budget.max_kb", "the file's length, in 1,000 bytes"),
    "max_gzip_kb": ("budget.max_gzip_kb", "the gzipped file's length, in 1,000 bytes"),
    "max_macs": (
        "budget.max_macs",
        "multiply-accumulates of a picture; of one that is read at most a quarter of the "
        "generator's, or what --minutes leave time to train, if not given",
    ),
    "max_ms": ("budget.max_ms", "median milliseconds of a picture on the target, one thread"),
    "max_flash_kb": (
        "budget.max_flash_kb",
        "flash that the compiled file takes on the target, an npu:, in 1,000 bytes",
    ),
    "max_quality_drop": (
        "budget.max_quality_drop",
        "by what share the file's Fréchet distance to the pictures may exceed its teacher's: 5% or "
        "0.05; the smallest such file is made. Of pictures that are read it holds that distance "
        "alone: PSNR and SSIM stand in the report, and must be above those of no network at all",
    ),
    "minutes": (
        "budget.minutes",
        "how long all of it may take on two cores, for a generator that reads pictures",
    ),
    "target": (
        "budget.target",
        "where --max-ms and --max-flash-kb hold; `pocketgan targets` lists them",
    ),
    "data": (
        "data.source",
        "real pictures: a source of `pocketgan list`; without, a run's own, of a file none",
    ),
    "data_folder": ("data.folder", "folder of real pictures, or of the source's files"),
    "discriminator": (
        "teacher.discriminator",
        "the discriminator's file, if you have it; a run's is used unless this is 'none'",
    ),
    "inputs": ("teacher.inputs", "folder of pictures, for a generator that reads pictures"),
    "cut": ("teacher.cut", "how they become its inputs: whole, tiles, or auto"),
    "trials": ("search.trials", "students to try"),
    "threads": ("threads", "of one training (2): with another number it gives other bytes"),
    "name": ("name", "of the run's folder; by default the generator's with the budget"),
}
"""Name of an option → the key of the recipe that it sets, and its help."""
GROUPS = {
    "How large or slow it may be": ("budget",),
    "What it learns from, and is judged by": ("data", "teacher"),
    "How it is made": ("search", "threads", "name"),
}
"""Heading in the help → the sections of the keys whose options stand below it."""
AS_THEY_ARE = (
    *("pixels", "input_pixels", "input_size", "signature", "output", "on_white", "custom"),
    "allow_unsafe",
)
"""Options of a generator that are keys of the recipe's section teacher, with the same values."""
_RANGE = re.compile(r"--(pixels|input-pixels) (-?[\d.e+]+) (-?[\d.e+]+?)(?=[,.]?( |$))")


def epilog(defaults: Iterable[str]) -> str:
    """The end of the help: ``defaults`` are indented, which keeps their lines, and narrow."""
    lines = (
        textwrap.fill(each, 78, initial_indent="  ", subsequent_indent="      ")
        for each in defaults
    )
    return "\n".join([EPILOG, "", *lines])


def in_recipe(remedy: str) -> str:
    """A remedy that names options of compress → the same with those of `pocketgan run`."""
    keys = {name.replace("_", "-"): key for name, (key, _) in OPTIONS.items()}
    keys |= {name.replace("_", "-"): f"teacher.{name}" for name in ("classes", *AS_THEY_ARE)}
    keys |= {"input": "teacher.input+"}
    remedy = _RANGE.sub(
        lambda match: f"--teacher.{match[1].replace('-', '_')} [{match[2]},{match[3]}]", remedy
    )
    for switch in ("on-white", "allow-unsafe"):
        remedy = remedy.replace(f"--{switch}", f"--teacher.{switch.replace('-', '_')} true")
    return re.sub(
        r"--([a-z-]+)(?![\w.-])", lambda match: f"--{keys.get(match[1], match[1])}", remedy
    )
