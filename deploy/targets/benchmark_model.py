"""What TensorFlow Lite's and LiteRT's ``benchmark_model`` print, read as figures.

The text changed over the years; these parts did not. A line of statistics (whole microseconds)
ends the warm-up and another one the timed runs, then comes a summary::

    Initialized session in 16.772ms.
    count=67 first=8781 curr=7197 min=6335 max=9775 avg=7514.93 std=419
    count=50 first=7176 curr=7505 min=6373 max=7775 avg=7454.97 std=256
    Inference timings in us: Init: 16772, First inference: 8781, ...

Newer ones add ``p5=… median=… p95=…`` to the statistics. A log may put words before each line.
"""

import re
from typing import Any

from deploy.jobs import OperationCost

INIT_MS = re.compile(r"Initialized session in ([\d.e+]+) ?ms")
STATISTICS = re.compile(r"\bcount=(\d+)\b(.*)")
SUMMARY = re.compile(r"nference timings in us|BENCHMARK RESULTS")
# How far the resident size grew above that at the tool's start; old versions call it the peak.
GROWTH_MB = re.compile(
    r"(?:delta from the start of the tool|Peak memory footprint) \(MB\): \S+ overall=([\d.e+]+)"
    r"|Overall footprint: +([\d.e+]+) MB"
)
REPLACED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(TfLiteXNNPack")
PROFILE = re.compile(r"Operator-wise Profiling Info for Regular|BENCHMARK RESULTS")
LAYER = re.compile(r"\[(.*)\]:\d+")

US_PER_MS = 1e3
KB_PER_MB = 1024


def parse(text: str) -> dict[str, Any]:
    """The fields of a measurement that ``text``, the tool's output, holds; no others.

    Raises:
        ValueError: it does not end in a summary, or nothing was timed.
    """
    text = "\n".join(text.splitlines())  # a terminal ends lines in its own way
    summary = SUMMARY.search(text)
    if summary is None:
        raise ValueError("benchmark_model printed no summary")
    lines = STATISTICS.findall(text[: summary.start()])
    *warmup, timed = [read_statistics(int(count), rest) for count, rest in lines] or [{}]
    if not timed:
        raise ValueError("benchmark_model timed nothing")
    init, growth = INIT_MS.search(text), GROWTH_MB.search(text)
    values = {
        "init_ms": float(init[1]) if init else None,
        "first_ms": warmup[0].get("first") if warmup else None,
        "p50_ms": timed.get("median"),
        "mean_ms": timed["avg"],
        "min_ms": timed["min"],
        "runs": timed["count"],
        "per_second": 1e3 / timed["avg"] if timed["avg"] else None,
        "peak_rss_kb": round(float(growth[1] or growth[2]) * KB_PER_MB) if growth else None,
        "profile": parse_profile(text),
    }
    # 0 µs or 0 MB is less than the tool can tell, and no figure.
    figures = {name: value for name, value in values.items() if value}
    share = delegated_share(text)
    return figures if share is None else figures | {"delegated": share}


def read_statistics(count: int, rest: str) -> dict[str, Any]:
    """One line of statistics, times in ms; empty for no run. Equal runs are told by one value."""
    if count == 0:
        return {}
    pairs = re.findall(r"(\w+)=([\d.e+]+)", rest)
    values: dict[str, Any] = {name: float(value) / US_PER_MS for name, value in pairs}
    if values.keys() == {"curr"}:
        values = dict.fromkeys(("first", "min", "avg", "median"), values["curr"])
    if not values.keys() >= {"first", "min", "avg"}:
        raise ValueError(f"benchmark_model printed unknown statistics: count={count}{rest}")
    return {**values, "count": count}


def delegated_share(text: str) -> float | None:
    """The share of the file's operations that XNNPACK took; None where the tool does not tell."""
    if "XNNPACK delegate is explicitly applied, the model graph will not be" in text:
        return 0.0
    replaced = [(int(taken), int(all_)) for taken, all_ in REPLACED.findall(text)]
    operations = sum(all_ for _, all_ in replaced)
    return sum(taken for taken, _ in replaced) / operations if operations else None


def parse_profile(text: str) -> tuple[OperationCost, ...]:
    """The cost of each operation of a timed run, in their order; empty without a profile."""
    heading = PROFILE.search(text)
    if heading is None:
        return ()
    _, _, table = text[heading.end() :].partition("= Run Order =")
    lines = table.partition("\n")[2].partition("\n\n")[0].splitlines()
    if not lines or not lines[0].endswith("[Name]"):
        return ()
    rows = [[cell.strip() for cell in line.strip().split("\t")] for line in lines]
    named = [dict(zip(rows[0], row, strict=True)) for row in rows if len(row) == len(rows[0])]
    return tuple(
        OperationCost(
            operation=row["[node type]"],
            layer=LAYER.sub(r"\1", row["[Name]"]),
            cost=float(row["[avg ms]"]),
            unit="ms",
        )
        for row in named[1:]
        if row["[times called]"] != "0"  # else it belongs to the start
    )
