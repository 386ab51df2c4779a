"""`cotbuild generate`: ask a teacher and build the dataset."""

from pathlib import Path
from typing import Annotated

import typer

from cotbuild.builder.cli.errors import ExitCode, errors
from cotbuild.builder.cli.help import (
    ASKING,
    QUESTIONS,
    RUNNING,
    SAMPLING,
    TEACHER,
    examples,
)
from cotbuild.builder.cli.source_options import (
    columns_option,
    config_name_option,
    eval_splits_option,
    fetch_images_option,
    file_format_option,
    header_option,
    images_option,
    kind_option,
    labels_option,
    on_bad_row_option,
    rows_under_option,
    tag_option,
    target_is_option,
)
from cotbuild.builder.console import print_line, print_message
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.server_profiles import PROFILE_NAMES

EXAMPLES = examples(
    "cotbuild generate --source questions.jsonl --out builds/mine --dry-run",
    "cotbuild generate --source openbookqa --teacher Qwen/Qwen2.5-7B-Instruct \\",
    "    --out builds/obqa",
    "cotbuild generate --source questions.jsonl --teacher my-model \\",
    "    --endpoint http://gpu-box:8000/v1 --samples 4 --out builds/mine",
)
DEFAULT = BuildConfig()
"""Its values are named in the help; the options default to None, for "not given"."""

Text = str | None
Number = int | None
Many = list[str] | None


def generate(
    out: Annotated[
        Path,
        typer.Option(help="Folder of the build, which also stores the answers."),
    ],
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with any of these settings; options override it."),
    ] = None,
    source: Annotated[
        Text,
        typer.Option(
            help="bundled (default), a known dataset, a file, a folder or a Hub id.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    config_name: Annotated[Text, config_name_option(rich_help_panel=QUESTIONS)] = None,
    source_revision: Annotated[
        Text,
        typer.Option(
            help="Branch, tag or commit, for a Hub id.", rich_help_panel=QUESTIONS
        ),
    ] = None,
    split: Annotated[
        Text,
        typer.Option(help="Split to ask about (train).", rich_help_panel=QUESTIONS),
    ] = None,
    rows: Annotated[
        Text,
        typer.Option(
            metavar="START:END",
            help="Use only these rows, counted from 0.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    sample: Annotated[
        Number,
        typer.Option(
            help="Sample at most N questions, seeded by source.sample_seed.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    limit: Annotated[
        Number,
        typer.Option(
            help="Use at most the first N of those questions.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    eval_splits: Annotated[
        Text,
        eval_splits_option(
            help="Evaluation splits to include, such as dev,test; "
            "no rationales are generated for them.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    drop_overlap: Annotated[
        bool | None,
        typer.Option(
            "--drop-overlap",
            help="Drop questions that are also in an evaluation split.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    file_format: Annotated[Text, file_format_option(rich_help_panel=QUESTIONS)] = None,
    header: Annotated[Text, header_option(rich_help_panel=QUESTIONS)] = None,
    rows_under: Annotated[Text, rows_under_option(rich_help_panel=QUESTIONS)] = None,
    map: Annotated[Many, columns_option(rich_help_panel=QUESTIONS)] = None,
    tag: Annotated[Many, tag_option(rich_help_panel=QUESTIONS)] = None,
    images: Annotated[Text, images_option(rich_help_panel=QUESTIONS)] = None,
    fetch_images: Annotated[
        bool | None, fetch_images_option(rich_help_panel=QUESTIONS)
    ] = None,
    kind: Annotated[Text, kind_option(rich_help_panel=QUESTIONS)] = None,
    target_is: Annotated[Text, target_is_option(rich_help_panel=QUESTIONS)] = None,
    labels: Annotated[Text, labels_option(rich_help_panel=QUESTIONS)] = None,
    on_bad_row: Annotated[Text, on_bad_row_option(rich_help_panel=QUESTIONS)] = None,
    teacher: Annotated[
        Text,
        typer.Option(
            help="embedded (default), scripted, a folder, a Hub id, or the name "
            "that --endpoint serves.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    endpoint: Annotated[
        Many,
        typer.Option(
            metavar="URL",
            help="OpenAI-compatible server, up to /v1; repeatable.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    revision: Annotated[
        Text,
        typer.Option(
            help="Commit of a Hub id, or a name for what the endpoint serves.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    profile: Annotated[
        Text,
        typer.Option(
            help="Kind of server at --endpoint, which decides what it is not sent: "
            f"{', '.join(PROFILE_NAMES)}.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    window: Annotated[
        Number,
        typer.Option(
            help="Maximum requests in flight per server.", rich_help_panel=TEACHER
        ),
    ] = None,
    mode: Annotated[
        Text,
        typer.Option(
            help="elicit (default) hides the target, rationalize shows it, "
            "elicit-then-rationalize shows it after a wrong answer, reflect evaluates "
            "--attempts.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    attempts: Annotated[
        Text,
        typer.Option(
            metavar="PATH",
            help="Attempts for the teacher to evaluate: a file of texts, a build, or the "
            "folder of an evaluation. Sets --mode reflect.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    attempts_map: Annotated[
        Many,
        typer.Option(
            metavar="FIELD=COLUMN",
            help="Column of text, id or question in the file of attempts; repeatable.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    wrong_attempts: Annotated[
        bool | None,
        typer.Option(
            "--wrong-attempts",
            help="Evaluate only attempts that are not graded correct.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    decode: Annotated[
        Text,
        typer.Option(
            help="free (default); json: constrained to rationale and answer; "
            "choice: free rationale, then a constrained answer.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    on_length: Annotated[
        Text,
        typer.Option(
            help="keep (default) or longer: repeat a truncated request with more "
            "tokens.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    exemplars: Annotated[
        Text,
        typer.Option(
            metavar="SPLIT[:COUNT]",
            help="Draw worked examples from a split that has rationales.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    template: Annotated[
        Many,
        typer.Option(
            metavar="NAME@V",
            help="Prompt template or .yaml file, one per kind; repeatable.",
            rich_help_panel=ASKING,
        ),
    ] = None,
    system: Annotated[
        Text,
        typer.Option(
            help="System prompt that replaces the template's.", rich_help_panel=ASKING
        ),
    ] = None,
    no_system: Annotated[
        bool,
        typer.Option(
            "--no-system",
            help="Send no system turn, for models that take none.",
            rich_help_panel=ASKING,
        ),
    ] = False,
    samples: Annotated[
        Number,
        typer.Option(
            help=f"Samples per question ({DEFAULT.samples}).", rich_help_panel=SAMPLING
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help=f"Temperature; 0 is greedy ({DEFAULT.sampling.temperature}).",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help=f"Nucleus sampling; 1 is off ({DEFAULT.sampling.top_p}).",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    max_tokens: Annotated[
        Number,
        typer.Option(
            help=f"Maximum new tokens per request ({DEFAULT.sampling.max_tokens}).",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    seed: Annotated[
        Number,
        typer.Option(
            help=f"Seed that every request's seed is derived from ({DEFAULT.seed}).",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    setting: Annotated[
        Many,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting, such as sampling.top_k=20; off leaves a field out "
            "of requests. Repeatable.",
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Ignore stored answers and request again; `cotbuild clean` deletes "
            "the old ones.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Also retry requests that failed for good, such as with HTTP 400.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    allow_unscored: Annotated[
        bool,
        typer.Option(
            "--allow-unscored",
            help="Exit with code 0, not 3, where requests failed.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the plan and one request; send and write nothing.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
) -> None:
    """Ask a teacher about every question and build the dataset.

    Only requests without a stored answer are sent, so run the same command again to
    resume, or after an edit.
    """
    from cotbuild.builder.cli.args import (
        build_config,
        columns,
        exemplar_settings,
        parse_names,
        parse_tags,
    )

    source_flags = {
        "name": source,
        "config_name": config_name,
        "revision": source_revision,
        "split": split,
        "rows": rows,
        "sample": sample,
        "limit": limit,
        "eval_splits": eval_splits.split(",") if eval_splits else None,
        "file_format": file_format,
        "header": parse_names(header),
        "rows_under": rows_under,
        "kind": kind,
        "target_is": target_is,
        "labels": parse_names(labels),
        "images": images,
        "fetch_images": fetch_images,
        "on_bad_row": on_bad_row,
        "drop_overlap": drop_overlap,
    }
    teacher_flags = {
        "model": teacher,
        "endpoints": endpoint,
        "revision": revision,
        "profile": profile,
        "window": window,
    }
    sampling_flags = {
        "temperature": temperature,
        "top_p": top_p,
        "max_tokens": max_tokens,
    }
    flags: dict[str, object] = {
        **{f"source.{name}": value for name, value in source_flags.items()},
        **{f"teacher.{name}": value for name, value in teacher_flags.items()},
        **{f"sampling.{name}": value for name, value in sampling_flags.items()},
        "mode": mode or ("reflect" if attempts else None),
        "attempts.file": attempts,
        "attempts.only": "wrong" if wrong_attempts else None,
        "decode": decode,
        "on_length": on_length,
        "templates": template,
        "system": "" if no_system else system,
        "samples": samples,
        "seed": seed,
    }
    with errors(resume=True):
        if no_system and system:
            raise ConfigError("--system and --no-system exclude each other. Pass one.")
        flags["source.columns"] = columns(map or [], allow_none=True)
        flags["attempts.columns"] = columns(attempts_map or [], "--attempts-map")
        flags["source.tags"] = parse_tags(tag or [])
        flags |= exemplar_settings(exemplars)
        resolved = build_config(config, flags, setting or [])
        if dry_run:
            _print_plan(resolved, out, fresh, retry_failed)
        else:
            num_failed = _generate(resolved, out, fresh, retry_failed)
            if num_failed and not allow_unscored:
                print_message(
                    f"exit code 3: {num_failed} unscored because requests failed; with "
                    "--allow-unscored it is 0"
                )
                raise typer.Exit(ExitCode.UNSCORED)


def _print_plan(
    config: BuildConfig, out: Path, fresh: bool, retry_failed: bool
) -> None:
    from cotbuild.builder.generate.run import dry_run

    for line in dry_run(config, out, fresh=fresh, retry_failed=retry_failed):
        print_line(line)


def _generate(config: BuildConfig, out: Path, fresh: bool, retry_failed: bool) -> int:
    """Build, print the closing lines, and return how many rationales are unscored."""
    from cotbuild.builder.cli.output import closing_lines
    from cotbuild.builder.generate.run import generate as run
    from cotbuild.builder.terminal import Terminal

    result = run(config, out, Terminal(), fresh=fresh, retry_failed=retry_failed)
    for line in closing_lines(result, out):
        print_line(line)
    return result.num_failed
