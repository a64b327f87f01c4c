"""Is anything lost, or seen half-made, where work is killed or has no room, memory or permission?

Makes tiny finished runs once, then removes a part and lets it be made again by a process that is
struck up to six times, mostly by SIGKILL: half of the moments are by the clock, half before a
change of the folder. After each strike all that is seen must be whole, an end must be said in one
message, and nothing that was started may go on; at the end the bytes must be those of the run that
nothing struck, with no rests.

    python -m tools.campaigns FOLDER [--minutes 10] [--seed 0] [--scenes train search]
        [--adversities kill "full disk"]

Needs Linux, and root for file systems of its own. Life NUMBER of a kind is the same whenever the
seed is. FOLDER keeps the results, so that the same command goes on where it was stopped, and of
faulty lives what they left. Exit code 1 if there was a fault.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from pipeline.atomic import write_text
from pipeline.consoles import console
from pipeline.tensorflow_setup import configure_tensorflow, load_tensorflow
from tools.console import run_as_program
from tools.tables import Table

RESULTS, BASE, NOTHING = "lives.jsonl", "base", "nothing"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strikes", type=int, default=500, help="of each kind, at most")
    parser.add_argument("--scenes", nargs="+", help="all, if left out")
    parser.add_argument("--adversities", nargs="+", default=["kill"])
    parser.add_argument("--markdown", type=Path, help="write the table to this file, for the docs")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    _start()
    from tools.campaigns.scenes import SCENES

    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _make_base(folder)
    kinds = [*product(options.scenes or SCENES, options.adversities)]
    while time.monotonic() < end:
        rows = _rows(folder)
        left = [kind for kind in kinds if _sum(rows, kind, "strikes") < options.strikes]
        if not left:
            break
        # What had the least time is next: cheap work is struck more often.
        kind = min(left, key=lambda one: _sum(rows, one, "seconds"))
        _live(*kind, folder, seed=options.seed)
    rows = _rows(folder)
    console().print(_table(rows).for_terminal())
    if options.markdown:
        write_text(options.markdown, _table(rows).markdown())
    return int(any(row["faults"] for row in rows))


def _start() -> None:
    """Import all that victims need; nothing is run, so that this process can fork."""
    configure_tensorflow()
    load_tensorflow()
    from pipeline.plans import FROM_SCRATCH, FROM_TEACHER

    for plan in (FROM_SCRATCH, FROM_TEACHER):
        plan.stages  # noqa: B018  loads them


def _make_base(folder: Path) -> None:
    """The runs that nothing strikes, made by a child."""
    from tools.campaigns.scenes import make_base
    from tools.campaigns.victims import run_victim

    base, whole = folder / BASE, folder / BASE / "whole"
    if whole.exists():
        return
    shutil.rmtree(base, ignore_errors=True)
    ending = run_victim(partial(make_base, base), folder / f"{BASE}.txt")
    if ending.code:
        raise OSError(f"the unstruck runs could not be made: {ending.words}")
    whole.touch()


def _live(scene: str, adversity: str, folder: Path, *, seed: int) -> None:
    """One more life, and its row; the first of a scene is one that nothing strikes."""
    from tools.campaigns.adversities import ADVERSITIES
    from tools.campaigns.lives import Like, life, whole_life
    from tools.campaigns.scenes import SCENES
    from tools.campaigns.victims import Ending

    rows = [row for row in _rows(folder) if row["scene"] == scene]
    first = next((row for row in rows if row["adversity"] == NOTHING), None)
    struck = NOTHING if first is None else adversity
    number = sum((row["adversity"], row["seed"]) == (struck, seed) for row in rows)
    place, started = folder / "life", time.monotonic()
    row = {"scene": scene, "adversity": struck, "seed": seed, "number": number, "strikes": 0}
    if first is None:
        ending, faults, room = whole_life(SCENES[scene], folder / BASE, place)
        row |= {"faults": faults, "whole": vars(ending), "room": room}
    else:
        whole, name = Ending(**first["whole"]), f"{seed} {scene} {adversity} {number}"
        like = Like(whole, first["room"], name)
        row |= vars(
            life(SCENES[scene], ADVERSITIES[adversity], base=folder / BASE, folder=place, like=like)
        )
    row["seconds"] = round(time.monotonic() - started, 2)
    if row["faults"]:
        (folder / "faults").mkdir(exist_ok=True)
        shutil.move(place, folder / "faults" / f"{scene}-{struck}-{seed}-{number}")
    with (folder / RESULTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _rows(folder: Path) -> list[dict[str, Any]]:
    path = folder / RESULTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def _sum(rows: Sequence[dict[str, Any]], kind: tuple[str, str], column: str) -> float:
    return sum(float(row[column]) for row in rows if _kind(row) == kind)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    struck = [row for row in rows if row["adversity"] != NOTHING]
    kinds = dict.fromkeys((row["scene"], row["adversity"]) for row in struck)
    body = [[*kind, *_counts(row for row in struck if _kind(row) == kind)] for kind in kinds]
    headings = ["work", "struck by", "strikes", "lives", "with faults"]
    return Table(headings, [*body, ["all", "", *_counts(struck)]], [])


def _counts(rows: Iterable[dict[str, Any]]) -> list[str]:
    lives = [*rows]
    faulty = sum(bool(row["faults"]) for row in lives)
    return [f"{count:,}" for count in (sum(row["strikes"] for row in lives), len(lives), faulty)]


def _kind(row: dict[str, Any]) -> tuple[str, str]:
    return row["scene"], row["adversity"]


if __name__ == "__main__":
    run_as_program(main)
