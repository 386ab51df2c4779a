"""What the two vLLM benchmarks share: short questions for the embedded teacher, and the
table of two sides.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import load, spread, table

from cotbuild.builder.generate.teacher_job import TeacherJob, resolve_teacher_job
from cotbuild.schemas.completion import Sampling
from cotbuild.schemas.config import BuildConfig, SourceConfig
from cotbuild.schemas.teacher_config import TeacherConfig


class Side(NamedTuple):
    """One pass over all questions."""

    seconds: float
    tokens: int
    texts: list[str]  # in plan order

    @property
    def rate(self) -> float:
        """Tokens generated a second."""
        return self.tokens / self.seconds


def options(
    about: str | None, *, questions: int, max_tokens: int, log_of: str
) -> argparse.Namespace:
    """The command line's sizes; says what will be run."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=questions)
    parser.add_argument("--max-tokens", type=int, default=max_tokens)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--log", type=Path, help=f"for what the {log_of} says")
    args = parser.parse_args()
    print(
        f"{args.questions} questions, at most {args.max_tokens} tokens each, temperature 0; {load()}",
        flush=True,
    )
    return args


def sums_job(args: argparse.Namespace, folder: Path) -> TeacherJob:
    """The embedded teacher over `args.questions` sums, greedy."""
    config = BuildConfig(
        source=SourceConfig(
            name=str(write_sums(folder / "sums.jsonl", args.questions))
        ),
        teacher=TeacherConfig(model="embedded"),
        templates=("number_zero_shot@1",),
        system="You do sums.",
        sampling=Sampling(temperature=0, max_tokens=args.max_tokens),
    )
    return resolve_teacher_job(config, folder / "build")


def write_sums(path: Path, num: int) -> Path:
    """Short questions of ours with a number for an answer."""
    with path.open("w") as file:
        for n in range(num):
            a, b = 12 + n % 61, 3 + n // 61
            file.write(
                json.dumps({"question": f"What is {a} + {b}?", "answer": a + b}) + "\n"
            )
    return path


def show(sides: Mapping[str, Sequence[Side]]) -> None:
    """The two sides' passes as a table."""
    table(
        ["side", "tok/s", "wall, s", "tokens"],
        (
            [
                name,
                spread((side.rate for side in found), ".0f"),
                spread((side.seconds for side in found), ".1f"),
                spread((side.tokens for side in found), ".0f"),
            ]
            for name, found in sides.items()
        ),
    )
