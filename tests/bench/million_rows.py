"""Wall time and peak memory of each command, as the rationales of a build grow in number.

Questions of about 200 bytes, answered by the scripted teacher. The peak is that of each
process by itself, read from /proc every 50 ms: of the command, and of the largest of its
children. Growth is over the smallest build; a command is linear if its last column does
not grow. `asked` plans, asks and derives; `derived` derives again from the store, in one
process and in as many as there are cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from harness import COTBUILD, load, table, write_questions

PROCESSES = "COTBUILD_PROCESSES"
VARIANTS = "label_only,pre_cot,post_cot,post_cot_shuffled_words"
POLL_S = 0.05


class Measured(NamedTuple):
    """A command that ended well."""

    wall_s: float
    own_mb: float
    child_mb: float


def measure(words: Iterable[object], env: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end; raises SystemExit with its output where it fails."""
    peaks: dict[int, float] = {}
    with tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*COTBUILD, *map(str, words)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        while process.poll() is None:
            for pid in family(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), peak_mb(pid))
            time.sleep(POLL_S)
        wall_s = time.perf_counter() - started
        if process.returncode != 0:
            out.seek(0)
            raise SystemExit(out.read())
    own = peaks.pop(process.pid, 0.0)
    measured = Measured(wall_s, own, max(peaks.values(), default=0.0))
    print(*words, measured, file=sys.stderr, flush=True)
    return measured


def family(pid: int) -> list[int]:
    """The process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *map(int, children)]


def peak_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    sizes = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(next(sizes, 0)) / 1024


def measure_build(folder: Path, num: int) -> dict[str, Measured]:
    source = write_questions(folder / "questions.jsonl", num)
    out = folder / "build"
    generate = ["generate", "--source", source, "--teacher", "scripted", "--out", out]
    found = {"asked": measure(generate)}
    for name, number in (("derived, 1 process", 1), ("derived, by default", None)):
        (out / "manifest.json").unlink()
        env = None if number is None else {PROCESSES: str(number)}
        found[name] = measure(generate, env)
    found["nothing to do"] = measure(generate)
    variants = ["variants", out, "--only", VARIANTS]
    found["variants, 1 process"] = measure(variants, {PROCESSES: "1"})
    found["variants, by default"] = measure(variants)
    found["verify"] = measure(["verify", out])
    found["inspect"] = measure(["inspect", out])
    return found


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000]
    )
    args = options.parse_args()
    print(f"{load()}; {os.cpu_count()} cores; Python {sys.version.split()[0]}")
    least: dict[str, Measured] = {}
    rows: dict[str, list[list[object]]] = {}
    for num in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            found = measure_build(Path(folder), num)
        least = least or found
        for name, one in found.items():
            first = least[name]
            rows.setdefault(name, []).append(
                [
                    name,
                    num,
                    f"{one.wall_s:.1f}",
                    f"{one.own_mb:.0f}",
                    f"{one.own_mb - first.own_mb:+.0f}",
                    f"{one.child_mb:.0f}",
                    f"{one.wall_s / num * 1e6:.0f}",
                ]
            )
    table(
        [
            "command",
            "rationales",
            "wall, s",
            "peak, MB",
            "growth, MB",
            "child's peak, MB",
            "us a rationale",
        ],
        (row for of_command in rows.values() for row in of_command),
    )


if __name__ == "__main__":
    main()
