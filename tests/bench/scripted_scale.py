"""A build by one process and by workers, with the scripted teacher, side by side.

Without --efficiency: wall time, CPU time, the peak memory of the largest process, and
files, as the questions grow in number. The teacher answers at once: what is measured is
cotbuild.

With --efficiency 1 2 4: a teacher that takes --latency for each answer, --window at a
time, and as many questions as so many workers need --seconds for. Efficiency is the time
that they would need at best over the time from the first journal to the last answer.
Options behind `--` go to `cotbuild generate`, such as `-- --engine ray`.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import COTBUILD, Run, load, run, table, write_questions

from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.journal import line_time


class Built(NamedTuple):
    """A build and what it took."""

    run: Run
    num_files: int
    num_bytes: int
    asking_s: float
    """From the beginning of the first journal to the last answer."""


def main() -> None:
    args = parse_args()
    print(load())
    if args.efficiency:
        table(
            ["workers", "requests", "at best, s", "asking, s", "efficiency", "wall, s"],
            efficiency_rows(args),
        )
        return
    table(
        ["questions", "workers", "wall, s", "CPU, s", "peak, MB", "files", "bytes/row"],
        growth_rows(args),
    )


def parse_args() -> argparse.Namespace:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000]
    )
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--efficiency", type=int, nargs="+", default=[])
    options.add_argument("--latency", type=float, default=1.0)
    options.add_argument("--window", type=int, default=64)
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("more", nargs="*", help="options of cotbuild generate")
    return options.parse_args()


def growth_rows(args: argparse.Namespace) -> Iterator[Sequence[object]]:
    """The build of one process, then that of workers, at each number of questions."""
    for num in args.rows:
        for number in (0, args.workers):
            workers = ["--workers", str(number)] if number else []
            done = build(num, [*workers, *args.more])
            yield (
                num,
                number or "none",
                f"{done.run.wall_s:.1f}",
                f"{done.run.cpu_s:.1f}",
                f"{done.run.rss_mb:.0f}",
                done.num_files,
                f"{done.num_bytes / num:.0f}",
            )


def efficiency_rows(args: argparse.Namespace) -> Iterator[Sequence[object]]:
    """What so many workers reach of the rate of their servers."""
    for number in args.efficiency:
        num = int(number * args.window * args.seconds / args.latency)
        best_s = num * args.latency / (number * args.window)
        words = ["--workers", str(number), "--window", str(args.window)]
        words += ["--set", f"teacher.scripted.latency_s={args.latency}"]
        done = build(num, [*words, *args.more])
        yield (
            number,
            num,
            f"{best_s:.1f}",
            f"{done.asking_s:.1f}",
            f"{best_s / done.asking_s:.3f}",
            f"{done.run.wall_s:.1f}",
        )


def build(num: int, words: Sequence[str]) -> Built:
    """Build that many questions in a folder that is deleted again."""
    with tempfile.TemporaryDirectory() as folder:
        source = write_questions(Path(folder, "questions.jsonl"), num)
        if shutil.disk_usage(folder).free < 20 * source.stat().st_size:
            raise SystemExit(f"{folder}: too little space for {num} rows. Set TMPDIR.")
        out = Path(folder, "build")
        command = ["generate", "--source", source, "--teacher", "scripted"]
        done = run([*COTBUILD, *command, "--out", out, *words])
        files = [path for path in out.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        return Built(done, len(files), size, asking_time(out))


def asking_time(out: Path) -> float:
    """Seconds from the first line of any journal to the last."""
    first, last = float("inf"), 0.0
    for path in AnswerStore(out).journals:
        with path.open("rb") as lines:
            for line in lines:
                at = line_time(line)
                first, last = min(first, at), max(last, at)
    return last - first


if __name__ == "__main__":
    main()
