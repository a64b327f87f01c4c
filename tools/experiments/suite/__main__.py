"""A fixed set of generators on every target: what costs what, and where (docs/suite.md).

python -m tools.experiments.suite --target local
"""

import os
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveInt
from rich.text import Text

from deploy.targets import find_target
from pipeline import progress
from pipeline.atomic import write_text
from pipeline.consoles import console
from pipeline.native_log import LOG, native_log
from tools.console import run_as_program

DESCRIPTION = """A fixed set of generators on every target: five ways to upsample, four sizes, three
widths, random weights by seed, as float32, float16, dynamic-range and int8. Shows how cost grows
with pixels and width, and which operation wins where. Interrupted, it goes on where it stopped."""


def main(arguments: list[str] | None = None) -> int:
    """Measure what the arguments ask for, write the page, print the tables or the JSON."""
    with native_log(Path(os.devnull)):
        from tools.experiments.suite import measure, page

    options = _parser().parse_args(arguments)
    if options.quiet or options.json:
        progress.silence()
    targets = [find_target(name) for name in dict.fromkeys(options.target or ["local"])]
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    with native_log(folder / LOG), progress.bar() as bar:
        task = bar.add_task("suite", total=None)
        suite = measure.run(
            targets,
            folder,
            families=options.family,
            pixels=options.pixels,
            widths=options.width,
            seed=options.seed,
            on_progress=lambda name, done, total: bar.update(
                task, description=name, completed=done, total=total
            ),
        )
    write_text(folder / page.PAGE, page.render_html(suite))
    if options.json:
        print(suite.model_dump_json(by_alias=True, indent=1))
    else:
        console().print(page.render_terminal(suite), Text(f"Page: {folder / page.PAGE}"))
    return 0


def _parser() -> ArgumentParser:
    from tools.experiments.suite.generators import FAMILIES, PIXELS, WIDTHS

    parser = ArgumentParser(prog="python -m tools.experiments.suite", description=DESCRIPTION)
    parser.add_argument(
        "--target",
        action="append",
        type=str,
        help="where to measure; repeat it for several places (default: local, about ten minutes)",
    )
    sizes: tuple[tuple[str, Any, Any, str], ...] = (
        ("family", str, FAMILIES, "ways to upsample that are compared"),
        ("pixels", PositiveInt, PIXELS, "pixels a side of the pictures"),
        ("width", PositiveInt, WIDTHS, "channels of the last map before the picture"),
    )
    for name, kind, default, words in sizes:
        parser.add_argument(f"--{name}", nargs="+", type=kind, default=list(default), help=words)
    parser.add_argument("--seed", type=NonNegativeInt, default=0, help="seed of the random weights")
    parser.add_argument(
        "--out", type=str, default="bench-suite", help="folder that the results are written to"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    return parser


if __name__ == "__main__":
    run_as_program(main)
