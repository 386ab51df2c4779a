"""`cotbuild bench`: how fast a teacher answers, and how many requests to send at once."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import (
    QUESTIONS,
    RUNNING,
    examples,
)
from cotbuild.builder.cli.source_options import (
    columns_option,
    config_name_option,
    file_format_option,
    kind_option,
    target_is_option,
)
from cotbuild.builder.cli.teacher_options import (
    endpoint_option,
    max_tokens_option,
    profile_option,
    revision_option,
    teacher_option,
    temperature_option,
)
from cotbuild.builder.console import print_line, print_message
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.server_profiles import PROFILE_NAMES

if TYPE_CHECKING:
    from cotbuild.builder.bench.run import Bench, BenchLimits
    from cotbuild.schemas.config import BuildConfig

EXAMPLES = examples(
    "cotbuild bench --teacher my-model --endpoint http://gpu-box:8000/v1",
    "cotbuild bench --teacher Qwen/Qwen2.5-7B-Instruct --source questions.jsonl",
)
MAX_REQUESTS = 3_100
"""All levels up to 256 in flight take 3,072."""
MAX_OUTPUT_TOKENS = 800_000
"""So many requests of the default length, 256 tokens, take at most 786,432."""
MAX_SECONDS = 300.0

Text = str | None
Number = int | None
Many = list[str] | None


def bench(
    teacher: Annotated[
        Text,
        teacher_option(
            help="A folder, a Hub id, embedded (default), or the name that --endpoint "
            "serves."
        ),
    ] = None,
    endpoint: Annotated[Many, endpoint_option()] = None,
    revision: Annotated[Text, revision_option()] = None,
    profile: Annotated[
        Text,
        profile_option(
            help=f"Kind of server at --endpoint: {', '.join(PROFILE_NAMES)}."
        ),
    ] = None,
    source: Annotated[
        Text,
        typer.Option(
            help="Whose questions are asked: as for generate (bundled).",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    config_name: Annotated[Text, config_name_option(rich_help_panel=QUESTIONS)] = None,
    split: Annotated[
        Text,
        typer.Option(help="Split to ask about (train).", rich_help_panel=QUESTIONS),
    ] = None,
    file_format: Annotated[Text, file_format_option(rich_help_panel=QUESTIONS)] = None,
    map: Annotated[Many, columns_option(rich_help_panel=QUESTIONS)] = None,
    kind: Annotated[Text, kind_option(rich_help_panel=QUESTIONS)] = None,
    target_is: Annotated[Text, target_is_option(rich_help_panel=QUESTIONS)] = None,
    max_tokens: Annotated[
        Number,
        max_tokens_option(help="Maximum new tokens per request, as for generate."),
    ] = None,
    temperature: Annotated[
        float | None, temperature_option(help="Temperature; 0 is greedy.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of settings, as for generate."),
    ] = None,
    setting: Annotated[
        Many,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting of generate, such as "
            "teacher.server.max_num_seqs=512. Repeatable.",
        ),
    ] = None,
    max_concurrency: Annotated[
        Number,
        typer.Option(
            metavar="N",
            help="Most requests in flight (256 an endpoint; for a server that is "
            "started, as many as it decodes together).",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    max_requests: Annotated[
        int,
        typer.Option(
            metavar="N", help="Most requests in all.", rich_help_panel=RUNNING
        ),
    ] = MAX_REQUESTS,
    max_output_tokens: Annotated[
        int,
        typer.Option(
            metavar="N", help="Most generated tokens in all.", rich_help_panel=RUNNING
        ),
    ] = MAX_OUTPUT_TOKENS,
    max_seconds: Annotated[
        float,
        typer.Option(
            metavar="S",
            help="Most seconds, from the first request on.",
            rich_help_panel=RUNNING,
        ),
    ] = MAX_SECONDS,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Also write the figures to FILE.",
            rich_help_panel=RUNNING,
        ),
    ] = None,
) -> None:
    """Measure how fast a teacher answers, and suggest how many requests to send at once.

    Asks the questions of a source with 1, 2, 4 … requests in flight, until more of them
    bring no higher rate. The answers are not kept. Ctrl-C ends it with what was
    measured so far.
    """
    from cotbuild.builder.cli.args import build_config, columns

    with errors():
        flags: dict[str, Any] = {
            "teacher.model": teacher,
            "teacher.endpoints": endpoint,
            "teacher.revision": revision,
            "teacher.profile": profile,
            "source.name": source,
            "source.config_name": config_name,
            "source.split": split,
            "source.file_format": file_format,
            "source.columns": columns(map or [], allow_none=True),
            "source.kind": kind,
            "source.target_is": target_is,
            "sampling.max_tokens": max_tokens,
            "sampling.temperature": temperature,
        }
        resolved = build_config(config, flags, setting or [])
        from cotbuild.builder.bench.run import BenchLimits

        limits = BenchLimits(
            max_requests, max_output_tokens, max_seconds, max_concurrency
        )
        if json_file is not None:
            _check_writable(json_file)
        with log_folder() as folder:
            _measure(resolved, limits, folder, json_file)


def _check_writable(path: Path) -> None:
    """Raise StoreError where a file could not be written at the end."""
    from cotbuild.schemas.files import write_error

    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as fault:
        raise write_error(path, fault) from fault


@contextmanager
def log_folder() -> Iterator[Path]:
    """Yield a new folder for the logs of servers, which is kept if one has failed."""
    folder = Path(tempfile.mkdtemp(prefix="cotbuild-bench-"))
    is_kept = False
    try:
        yield folder
    except TeacherError:
        # Its message names the log; of a server at an endpoint there is none.
        is_kept = any(folder.glob("*.log"))
        raise
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)


def _measure(
    config: "BuildConfig",
    limits: "BenchLimits",
    folder: Path,
    json_file: Path | None,
) -> None:
    """Measure and print, also what there is when a teacher fails or Ctrl-C ends it."""
    from cotbuild.builder.bench.report import HEADER, format_level
    from cotbuild.builder.bench.run import Bench
    from cotbuild.builder.generate.teacher_job import resolve_teacher_job

    job = resolve_teacher_job(config, folder / "build", preview=True)
    bench = Bench(
        job,
        folder,
        limits,
        print_message,
        lambda level: print_line(format_level(level)),
    )
    print_message(
        f"asking at most {limits.max_requests:,} requests of up to "
        f"{config.sampling.max_tokens:,} tokens, {limits.max_output_tokens:,} tokens in "
        f"all, for at most {limits.max_seconds:g} s"
    )
    print_line(HEADER)
    try:
        bench.run()
    except KeyboardInterrupt:
        _conclude(bench, json_file, stopped="interrupted")
        raise
    except TeacherError:
        if bench.levels:
            _conclude(bench, json_file, stopped="failed")
        raise
    _conclude(bench, json_file, stopped=bench.stopped)


def _conclude(bench: "Bench", json_file: Path | None, *, stopped: str | None) -> None:
    """Print what the levels suggest, and write the file."""
    from dataclasses import asdict

    from cotbuild.builder.bench.levels import find_knee
    from cotbuild.builder.bench.report import advice_lines, format_left_out
    from cotbuild.schemas.files import write_text_atomic

    if bench.stopped is not None:
        print_line(f"stopped by {bench.stopped}")
    if bench.left_out is not None:
        print_line(format_left_out(bench.left_out))
    for line in advice_lines(bench.levels, bench.target, bench.left_out):
        print_line(line)
    if json_file is None:
        return
    knee = find_knee(bench.levels)
    facts = {
        "format_version": 1,
        "teacher": bench.provenance,
        "num_prompts": bench.num_prompts,
        "levels": [asdict(level) for level in bench.levels],
        "knee": None if knee is None else knee.concurrency,
        "stopped": stopped,
        "left_out": None if bench.left_out is None else bench.left_out.concurrency,
    }
    write_text_atomic(json_file, json.dumps(facts, indent=2) + "\n")
