"""The command line as tests run it: the real one, in processes of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from typer.testing import CliRunner, Result

PROGRAM = [sys.executable, "-m", "cotbuild"]
"""An installed cotbuild, as the README's test command makes one."""


def cotbuild(
    *words: object, code: int = 0, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end and check the exit code; stdout and stderr are in the value."""
    done = subprocess.run(
        [*PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=240,
    )
    assert done.returncode == code, (
        f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def invoke(*words: object, code: int = 0) -> Result:
    """Run a command in this process: a new one takes up to seconds to import what it
    needs. What a test kills, or sets the environment for, runs by `cotbuild`.
    """
    from cotbuild.builder.cli.app import app

    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    # Any other exception would be a traceback, and its exit code 1.
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def start(*words: object, log: Path | None = None) -> subprocess.Popen[str]:
    """Start in a session of its own, as a terminal would; stderr goes to `log`."""
    with (log or Path(os.devnull)).open("a") as err:  # the process keeps its own handle
        return subprocess.Popen(
            [*PROGRAM, *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=err,
            text=True,
            start_new_session=True,
        )


def write_questions(path: Path, texts: Iterable[str]) -> Path:
    """A JSON Lines file of multiple-choice questions, target B, without ids."""
    rows = [
        {"question": text, "choices": ["this", "that", "neither"], "answer": "B"}
        for text in texts
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def published(build_dir: Path) -> dict[str, bytes]:
    """Every file of a build but the store, by path; manifest.json without its `run`."""
    found = {}
    for path in sorted(build_dir.rglob("*")):
        name = path.relative_to(build_dir).as_posix()
        if path.is_dir() or name.startswith(".answers/"):
            continue
        found[name] = path.read_bytes()
        if name == "manifest.json":
            manifest = json.loads(found[name])
            del manifest["run"]
            found[name] = json.dumps(manifest).encode()
    return found


def rows(build_dir: Path, config_name: str = "rationales") -> list[dict[str, object]]:
    """The rows of a config, read as anybody would."""
    import pyarrow.parquet as pq

    found: list[dict[str, object]] = []
    for path in sorted((build_dir / config_name).glob("*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


HERE = Path(__file__).parents[1]
DATA = Path(
    os.environ.get("COTBUILD_TEST_DATA", HERE.parent.parent / "shared" / "data")
)
"""Real question sets and rationales; not part of the tree."""
