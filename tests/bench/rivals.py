"""cotbuild beside four tools that ask a model in batch, and a bare loop, in one run.

    rivals.py --environments FOLDER [--install]

Each tool has an environment of its own in FOLDER, which `--install` makes by pip. All ask
the same prompts of `mock_endpoint.py`, with the same window; client on core 0, mock on
core 1. The tables are Markdown:

- rate: requests answered at once after 50 ms;
- slots: a server with few slots and a heavy tail of latencies;
- resume: killed with SIGKILL shortly before the end, run again, and run once more;
- faults: prompts that are refused for good, and prompts that fail the first time.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from duel import CLIENT_CPU, find_free_port, get, start_mock
from harness import load

CLIENTS = Path(__file__).with_name("rival_clients")
PACKAGES: dict[str, tuple[str, ...]] = {
    "curator": ("bespokelabs-curator==0.1.31",),
    # Its extra [inference] does not resolve.
    "datatrove": (
        "datatrove==0.10.1",
        *("orjson", "aiofiles", "httpx", "aiosqlite", "xxhash", "pyarrow", "pandas"),
    ),
    "data-designer": ("data-designer==0.9.6",),
    "distilabel": ("distilabel[openai]==1.5.3", "requests"),
}
TOOLS = ("cotbuild", "bare", *PACKAGES)
TIME_LIMIT_S = 600.0
POLL_S = 0.02
CHOICES = "(A) garden shed (B) kitchen drawer (C) library shelf (D) car boot"


class Run(NamedTuple):
    """A client's process, as far as it got."""

    wall_s: float
    cpu_s: float
    """Of the process and the children that it waited for."""
    rss_mb: float
    exit_code: int
    out: str

    @property
    def rows(self) -> int | None:
        """Rows that it kept; None where it ended without saying so."""
        last = self.out.strip().rsplit("\n", 1)[-1]
        try:
            return int(json.loads(last)["rows"])
        except (ValueError, KeyError, TypeError):
            return None


class Stage(NamedTuple):
    """Where all clients ask: the questions, the mock and the window."""

    folder: Path
    environments: Path
    questions: Path
    port: int
    window: int

    def command(self, tool: str) -> list[str]:
        """Return the command that asks every question with a tool, in its own folder."""
        if tool == "cotbuild":
            return [
                *(sys.executable, "-m", "cotbuild", "generate"),
                *("--source", str(self.questions), "--map", "question=prompt"),
                *("--map", "target=answer", "--map", "id=id"),
                *("--template", "text_zero_shot@1"),
                *("--kind", "text", "--teacher", "mock", "--max-tokens", "512"),
                *("--endpoint", f"http://127.0.0.1:{self.port}/v1"),
                *("--window", str(self.window), "--out", str(self.place(tool))),
            ]
        python = sys.executable
        if tool != "bare":
            python = str(self.environments / tool / "bin" / "python")
        script = CLIENTS / f"ask_{tool.replace('-', '_')}.py"
        words = (script, self.questions, self.window, self.port, self.place(tool))
        return [python, *map(str, words)]

    def place(self, tool: str) -> Path:
        """Return the folder in which a tool keeps what it has."""
        return self.folder / tool

    def kept(self, tool: str, run: Run) -> int | None:
        """Return the rows with an answer that a finished run has."""
        if tool != "cotbuild":
            return run.rows
        manifest = self.place(tool) / "manifest.json"
        if not manifest.exists():
            return None
        found = json.loads(manifest.read_text())
        return int(found["num_planned"]) - int(sum(found["failures"].values()))


def run_client(stage: Stage, tool: str, kill_at: int | None = None) -> Run:
    """Run a client to its end, or kill it once the mock has answered `kill_at`."""
    words = ["taskset", "-c", str(CLIENT_CPU), *stage.command(tool)]
    deadline_s = time.monotonic() + TIME_LIMIT_S
    with tempfile.TemporaryFile("w+") as out:
        started_s = time.monotonic()
        process = subprocess.Popen(
            words, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        pid, options = 0, os.WNOHANG
        while not pid:
            is_due = kill_at is not None and get(stage.port, "stats")["ok"] >= kill_at
            if is_due or time.monotonic() > deadline_s:
                os.killpg(process.pid, signal.SIGKILL)
                options = 0
            pid, status, usage = os.wait4(process.pid, options)
            time.sleep(0 if pid else POLL_S)
        wall_s = time.monotonic() - started_s
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(wall_s, cpu_s, usage.ru_maxrss / 1024, process.returncode, said)


def write_prompts(path: Path, num: int, name: str) -> Path:
    """Write `num` questions with ids; those of another `name` have other latencies."""
    with path.open("w") as file:
        for number in range(num):
            text = (
                f"{name} {number}: where is rake {number * 7919 % 100_003}? {CHOICES}"
            )
            row = {
                "id": f"{name}{number:06d}",
                "prompt": f"{text}\nThink, then answer.",
                "answer": "car boot",
            }
            file.write(json.dumps(row) + "\n")
    return path


@contextmanager
def open_stage(
    args: argparse.Namespace, name: str, num: int, *dials: object
) -> Iterator[Stage]:
    """Start a mock and write the questions of one test."""
    with tempfile.TemporaryDirectory() as folder:
        questions = write_prompts(Path(folder, "questions.jsonl"), num, name)
        port = find_free_port()
        with start_mock(Path(__file__).with_name("mock_endpoint.py"), port, *dials):
            yield Stage(Path(folder), args.environments, questions, port, args.window)


# -- the tests -----------------------------------------------------------------


def measure_rate(args: argparse.Namespace) -> list[list[str]]:
    rows = []
    with open_stage(args, "rate", args.requests, "--latency", 0.05) as stage:
        for tool in args.tools:
            run = run_client(stage, tool)
            stats = take_stats(stage)
            if not stats["ok"]:
                rows.append([tool, *["failed"] * 5, last_line(run)])
                continue
            cpu_s = run.cpu_s * 1_000 / stats["ok"]
            size = folder_size(stage.place(tool)) / max(stats["ok"], 1)
            rate = stats["ok"] / stats["wall"] if stats["wall"] else 0.0
            rows.append(
                [
                    tool,
                    f"{rate:.0f}",
                    f"{run.wall_s:.1f}",
                    f"{cpu_s:.1f}",
                    f"{run.rss_mb:.0f}",
                    f"{size:.0f}",
                    kept_text(stage, tool, run),
                ]
            )
    return rows


def measure_slots(args: argparse.Namespace) -> list[list[str]]:
    rows = []
    dials = ("--latency", 0.5, "--sigma", 1.0, "--slots", args.slots)
    with open_stage(args, "slots", args.slot_requests, *dials) as stage:
        for tool in args.tools:
            run = run_client(stage, tool)
            stats = take_stats(stage)
            used = stats["busy"] / (args.slots * stats["wall"]) if stats["wall"] else 0
            rows.append(
                [
                    tool,
                    f"{stats['wall']:.1f}",
                    f"{used:.0%}",
                    kept_text(stage, tool, run),
                ]
            )
    return rows


def measure_resume(args: argparse.Namespace) -> list[list[str]]:
    rows = []
    total = args.resume_rows
    with open_stage(args, "resume", total, "--latency", 0.05) as stage:
        for tool in args.tools:
            run_client(stage, tool, kill_at=total - args.resume_left)
            again = run_client(stage, tool)
            after_again = get(stage.port, "stats")["received"]
            nothing = run_client(stage, tool)
            stats = take_stats(stage)
            rows.append(
                [
                    tool,
                    f"{again.wall_s:.1f}",
                    str(after_again - total),
                    f"{nothing.wall_s:.1f}",
                    str(stats["received"] - after_again),
                    kept_text(stage, tool, again),
                ]
            )
    return rows


def measure_faults(args: argparse.Namespace) -> list[list[str]]:
    rows = []
    dials = ("--latency", 0.02, "--refuse", 0.01, "--fail-once", 0.02)
    with open_stage(args, "faults", args.fault_rows, *dials) as stage:
        for tool in args.tools:
            run = run_client(stage, tool)
            stats = take_stats(stage)
            rows.append(
                [tool, str(stats["ok"]), kept_text(stage, tool, run), last_line(run)]
            )
    return rows


def kept_text(stage: Stage, tool: str, run: Run) -> str:
    kept = stage.kept(tool, run)
    return f"none, exit {run.exit_code}" if kept is None else str(kept)


def last_line(run: Run) -> str:
    """Return how a run ended: its exit code, and its last line where it failed."""
    if run.exit_code == 0:
        return "exit 0"
    line = (run.out.strip().splitlines() or [""])[-1]
    return f"exit {run.exit_code}: {line[:80]}".replace("|", "/")


def take_stats(stage: Stage) -> dict[str, Any]:
    """Return what the mock did since it was reset, and reset it."""
    stats = get(stage.port, "stats")
    get(stage.port, "reset")
    return stats


def folder_size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# -- the command ---------------------------------------------------------------


def install(environments: Path) -> None:
    """Make the environment of each tool that has none yet."""
    for tool, packages in PACKAGES.items():
        folder = environments / tool
        if folder.exists():
            continue
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *packages]
        try:
            subprocess.run(pip, check=True)
        except BaseException:
            shutil.rmtree(folder)
            raise


def print_markdown(title: str, head: list[str], rows: list[list[str]]) -> None:
    print(f"\n{title}\n")
    for cells in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--environments", type=Path, required=True)
    options.add_argument("--install", action="store_true")
    options.add_argument("--tools", nargs="+", choices=TOOLS, default=TOOLS)
    options.add_argument(
        "--tests", nargs="+", default=["rate", "slots", "resume", "faults"]
    )
    options.add_argument("--window", type=int, default=256)
    options.add_argument("--requests", type=int, default=3_000)
    options.add_argument("--slots", type=int, default=64)
    options.add_argument("--slot-requests", type=int, default=2_000)
    options.add_argument("--resume-rows", type=int, default=20_000)
    options.add_argument("--resume-left", type=int, default=500)
    options.add_argument("--fault-rows", type=int, default=1_000)
    args = options.parse_args()
    if args.install:
        install(args.environments)
    today = datetime.now(UTC).date().isoformat()
    versions = "; ".join(packages[0] for packages in PACKAGES.values())
    print(
        f"{today}; {os.cpu_count()} cores; window {args.window}; {load()}; {versions}"
    )
    if "rate" in args.tests:
        print_markdown(
            f"{args.requests} requests, 50 ms",
            [
                "tool",
                "requests/s",
                "wall, s",
                "CPU s a 1,000",
                "peak MB",
                "bytes a row",
                "rows kept",
            ],
            measure_rate(args),
        )
    if "slots" in args.tests:
        print_markdown(
            f"{args.slot_requests} requests, 0.5 s on average with a heavy tail, {args.slots} slots",
            ["tool", "asking, s", "slots used", "rows kept"],
            measure_slots(args),
        )
    if "resume" in args.tests:
        print_markdown(
            f"{args.resume_rows} rows, killed with {args.resume_left} left",
            [
                "tool",
                "resume, s",
                "asked twice",
                "nothing to do, s",
                "asked then",
                "rows kept",
            ],
            measure_resume(args),
        )
    if "faults" in args.tests:
        print_markdown(
            f"{args.fault_rows} rows, 1 % refused for good, 2 % fail once",
            ["tool", "answers sent", "rows kept", "end"],
            measure_faults(args),
        )


if __name__ == "__main__":
    main()
