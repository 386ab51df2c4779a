"""Start-up of `cotbuild --help`, and a run that finds nothing to do, beside Python
itself starting.

The build is made once with the scripted teacher; each round then runs all three, one
after the other.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from harness import COTBUILD, load, run, spread, table, write_questions


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=9)
    args = options.parse_args()
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        source = write_questions(Path(folder, "questions.jsonl"), args.rows)
        again = [
            *COTBUILD,
            "generate",
            "--source",
            source,
            "--teacher",
            "scripted",
            "--out",
            Path(folder, "build"),
        ]
        made = run(again)
        sides: dict[str, list[object]] = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "cotbuild --help": [*COTBUILD, "--help"],
            f"nothing to do, {args.rows} rows": again,
        }
        walls: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(args.rounds + 1):
            for name, words in sides.items():
                wall_s = run(words).wall_s
                if number:  # the first round warms up
                    walls[name].append(wall_s)
    print(f"{args.rounds} rounds; {before}; making the build took {made.wall_s:.1f} s")
    floor = walls["python -c pass"]
    table(
        ["command", "s", "more than Python, s"],
        (
            [
                name,
                spread(found, ".3f"),
                spread((a - b for a, b in zip(found, floor, strict=True)), ".3f"),
            ]
            for name, found in walls.items()
        ),
    )


if __name__ == "__main__":
    main()
