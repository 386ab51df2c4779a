"""Wall time and peak memory of `cotbuild variants` with the paper set, as the
rationales grow in number.

Rationales of 25 words of a made-up vocabulary of 20,000, half of them naming their
target; imported first, which is not measured. The peak is the kernel's (ru_maxrss).
"""

import argparse
import json
import random
import tempfile
from pathlib import Path

from harness import COTBUILD, load, run, table

WORDS = 25
VOCABULARY = [
    "".join(random.Random(n).choices("abcdefghijklmnoprstuvw", k=3 + n % 7))
    for n in range(20_000)
]


def write(folder: Path, num: int) -> tuple[Path, Path]:
    """A file of questions, and one of a rationale for each."""
    draw = random.Random(num)
    questions, rationales = folder / "questions.jsonl", folder / "rationales.jsonl"
    with questions.open("w") as asked, rationales.open("w") as said:
        for number in range(num):
            choices = draw.sample(VOCABULARY, 4)
            words = draw.choices(VOCABULARY, k=WORDS)
            if number % 2:
                words[draw.randrange(WORDS)] = choices[1]
            row = {
                "id": f"q{number}",
                "question": f"What {words[0]} {words[1]}s?",
                "choices": choices,
                "answer": "B",
            }
            asked.write(json.dumps(row) + "\n")
            said.write(
                json.dumps(
                    {
                        "id": f"q{number}",
                        "why": f"{' '.join(words)}. The answer is (B).",
                    }
                )
                + "\n"
            )
    return questions, rationales


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000]
    )
    args = options.parse_args()
    print(load())
    rows = []
    for num in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            questions, rationales = write(Path(folder), num)
            out = Path(folder, "build")
            mapping = [
                "--map",
                "text=why",
                "--map",
                "id=id",
                "--source",
                questions,
                "--out",
                out,
            ]
            run([*COTBUILD, "import", rationales, *mapping])
            done = run([*COTBUILD, "variants", out])
            rows.append((num, done))
            print(f"{num}: {done.wall_s:.1f} s, {done.rss_mb:.0f} MB", flush=True)
    least = rows[0][1].rss_mb
    table(
        ["rationales", "peak RSS, MB", "growth, MB", "wall, s", "rationales/s"],
        (
            [
                num,
                f"{done.rss_mb:.0f}",
                f"{done.rss_mb - least:+.0f}",
                f"{done.wall_s:.1f}",
                f"{num / done.wall_s:.0f}",
            ]
            for num, done in rows
        ),
    )


if __name__ == "__main__":
    main()
