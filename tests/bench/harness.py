"""What the benchmarks share: processes measured, sides alternated, medians with their
spread in a table.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

# Set, it would have every process here compile all it imports, which no installed tool
# does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

COTBUILD = [sys.executable, "-m", "cotbuild"]
ROOT = Path(__file__).parents[2]
T = TypeVar("T")


class Run(NamedTuple):
    """A process that ended well."""

    wall_s: float
    cpu_s: float
    rss_mb: float  # peak, of this process alone
    out: str


def run(words: Sequence[object], cpu: int | None = None) -> Run:
    """Run to the end, pinned to one core if `cpu` is given; raises SystemExit with the
    output where it fails.
    """
    pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
    with tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*pinned, *map(str, words)], stdout=out, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    if process.returncode != 0:
        raise SystemExit(
            f"{' '.join(map(str, words))}: exit {process.returncode}\n{said}"
        )
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said)


def alternate(
    number: int, first: Callable[[], T], second: Callable[[], T]
) -> tuple[T, T]:
    """Pair `number`: both sides, one after the other, in the other order than the pair
    before.
    """
    if number % 2:
        b = second()
        return first(), b
    return first(), second()


def spread(values: Iterable[float], form: str = ".2f") -> str:
    """`median (lowest-highest)`."""
    known = sorted(values)
    return f"{statistics.median(known):{form}} ({known[0]:{form}}-{known[-1]:{form}})"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns, the first to the left and the others to the right."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        line = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *line[1:]]).rstrip(), flush=True)


def write_questions(path: Path, num: int, padding: int = 0, first: int = 0) -> Path:
    """A JSON Lines file of `num` multiple-choice questions, numbered from `first`,
    `padding` characters longer each.
    """
    more = (
        "The shed stands behind the house and nobody has looked into it for a while. "
        * (padding // 76 + 1)
    )[:padding]
    with path.open("w") as file:
        for number in range(first, first + num):
            file.write(
                f'{{"question": "{more}Where would you look first for the {number}th rake of a gardener?", "choices": '
                '["garden shed", "kitchen drawer", "library shelf", "car boot", "attic trunk"], "answer": "A"}\n'
            )
    return path


def load() -> str:
    """The machine's load when a benchmark starts: its numbers mean little above half a
    core.
    """
    return f"load before: {os.getloadavg()[0]:.2f}"
