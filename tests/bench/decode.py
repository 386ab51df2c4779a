"""Free, JSON and constrained-choice decoding side by side: the embedded teacher on the
first OpenBookQA questions.

    python -m tests.bench.decode [--questions 300] [--max-tokens 160]

One `cotbuild generate` each, one after the other, each with a server of its own that is
warmed by its first requests. Rates are those of the progress line: completions alone,
without the server's start.
"""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

from tests.support.commands import DATA, PROGRAM

DECODINGS = ("free", "json", "choice")


def run(decode: str, out: Path, args: argparse.Namespace) -> float:
    """Build `out`; tokens generated per second."""
    words = [
        "generate",
        "--source",
        DATA / "openbookqa" / "train.jsonl",
        "--limit",
        args.questions,
        "--decode",
        decode,
    ]
    words += ["--teacher", args.teacher, "--max-tokens", args.max_tokens, "--out", out]
    done = subprocess.run(
        [*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(re.findall(r" · (\d+) tok/s · ", done.stderr)[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--teacher", default="embedded")
    args = parser.parse_args()
    print(
        "decode   correct incorrect no_answer truncated  tokens/question  tok/s  questions/s",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as work:
        for decode in DECODINGS:
            tokens_per_s = run(decode, Path(work, decode), args)
            manifest = json.loads(Path(work, decode, "manifest.json").read_text())
            total, tokens = manifest["num_planned"], manifest["completion_tokens"]
            shares = [
                manifest["verdicts"][v] / total
                for v in ("correct", "incorrect", "no_answer", "truncated")
            ]
            print(
                f"{decode:<8} {shares[0]:>7.1%} {shares[1]:>9.1%} {shares[2]:>9.1%} {shares[3]:>9.1%}"
                f"  {tokens / total:>15.1f}  {tokens_per_s:>5.0f}  {total * tokens_per_s / tokens:>11.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
