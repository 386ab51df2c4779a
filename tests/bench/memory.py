"""Peak memory of `cotbuild generate` with the scripted teacher as the questions, of
about 1 KB each, grow in number.

The peak is the kernel's (ru_maxrss) over the whole run: plan, answers, index,
derivation.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from harness import COTBUILD, load, run, table, write_questions

PADDING = 760
"""Makes a line of 1 KB on disk."""


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000]
    )
    args = options.parse_args()
    print(load())
    rows = []
    for num in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            source = write_questions(Path(folder, "questions.jsonl"), num, PADDING)
            needed, free = 6 * source.stat().st_size, shutil.disk_usage(folder).free
            if free < needed:
                raise SystemExit(
                    f"{folder}: {free >> 20} MB free. Expected {needed >> 20} MB for {num} rows. Set TMPDIR."
                )
            out = Path(folder, "build")
            done = run(
                [
                    *COTBUILD,
                    "generate",
                    "--source",
                    source,
                    "--teacher",
                    "scripted",
                    "--out",
                    out,
                ]
            )
            size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
            rows.append((num, done, size / num))
    least = rows[0][1].rss_mb
    table(
        [
            "questions",
            "peak RSS, MB",
            "growth, MB",
            "wall, s",
            "rows/s",
            "CPU, s",
            "disk, bytes/row",
        ],
        (
            [
                num,
                f"{done.rss_mb:.0f}",
                f"{done.rss_mb - least:+.0f}",
                f"{done.wall_s:.1f}",
                f"{num / done.wall_s:.0f}",
                f"{done.cpu_s:.1f}",
                f"{size:.0f}",
            ]
            for num, done, size in rows
        ),
    )


if __name__ == "__main__":
    main()
