"""`cotbuild generate`: ask a teacher and build the dataset."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.asking_options import (
    attempts_map_option,
    attempts_option,
    decode_option,
    exemplars_option,
    mode_option,
    no_system_option,
    on_length_option,
    system_option,
    template_option,
    wrong_attempts_option,
)
from cotbuild.builder.cli.budget_options import (
    gpu_hour_option,
    gpus_option,
    max_cost_option,
    max_output_tokens_option,
    max_requests_option,
    parse_budget,
    price_option,
)
from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import (
    QUESTIONS,
    RUNNING,
    examples,
)
from cotbuild.builder.cli.launch_options import (
    choose_engine,
    engine_option,
    gpus_per_worker_option,
)
from cotbuild.builder.cli.places import local_build, shared_build, shown_place
from cotbuild.builder.cli.remote import (
    api_key_from_option,
    detach_option,
    refuse_beside_server,
    run_on_server,
    server_option,
)
from cotbuild.builder.cli.reporting import open_ui, run_notes
from cotbuild.builder.cli.signals import DRAIN
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
from cotbuild.builder.cli.teacher_options import (
    endpoint_option,
    max_tokens_option,
    profile_option,
    revision_option,
    samples_option,
    seed_option,
    teacher_option,
    temperature_option,
    top_p_option,
    window_option,
)
from cotbuild.builder.cli.worker_options import (
    parse_workers,
    worker_timeout_option,
    workers_option,
)
from cotbuild.builder.console import print_line, print_message
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.generate.worker_options import WorkersOptions
    from cotbuild.schemas.budget import Budget

EXAMPLES = examples(
    "cotbuild generate --source questions.jsonl --out builds/mine --dry-run",
    "cotbuild generate --source openbookqa --teacher Qwen/Qwen2.5-7B-Instruct \\",
    "    --out builds/obqa",
    "cotbuild generate --source questions.jsonl --teacher my-model \\",
    "    --endpoint http://gpu-box:8000/v1 --samples 4 --out builds/mine",
)
Text = str | None
Number = int | None
Many = list[str] | None


def generate(
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the build, which also stores the answers; or "
            "s3://BUCKET/PATH, az://CONTAINER/PATH."
        ),
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
            help="Drop questions whose text is also in an evaluation split, whatever "
            "their options.",
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
    teacher: Annotated[Text, teacher_option()] = None,
    endpoint: Annotated[Many, endpoint_option()] = None,
    revision: Annotated[Text, revision_option()] = None,
    profile: Annotated[Text, profile_option()] = None,
    window: Annotated[Number, window_option()] = None,
    mode: Annotated[Text, mode_option()] = None,
    attempts: Annotated[Text, attempts_option()] = None,
    attempts_map: Annotated[Many, attempts_map_option()] = None,
    wrong_attempts: Annotated[bool | None, wrong_attempts_option()] = None,
    decode: Annotated[Text, decode_option()] = None,
    on_length: Annotated[Text, on_length_option()] = None,
    exemplars: Annotated[Text, exemplars_option()] = None,
    template: Annotated[Many, template_option()] = None,
    system: Annotated[Text, system_option()] = None,
    no_system: Annotated[bool, no_system_option()] = False,
    samples: Annotated[Number, samples_option()] = None,
    temperature: Annotated[float | None, temperature_option()] = None,
    top_p: Annotated[float | None, top_p_option()] = None,
    max_tokens: Annotated[Number, max_tokens_option()] = None,
    seed: Annotated[Number, seed_option()] = None,
    setting: Annotated[
        Many,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting, such as sampling.top_k=20; off leaves a field out "
            "of requests. Repeatable.",
        ),
    ] = None,
    max_requests: Annotated[Number, max_requests_option()] = None,
    max_output_tokens: Annotated[Number, max_output_tokens_option()] = None,
    max_cost: Annotated[float | None, max_cost_option()] = None,
    price: Annotated[Text, price_option()] = None,
    gpu_hour: Annotated[float | None, gpu_hour_option()] = None,
    gpus: Annotated[Number, gpus_option()] = None,
    workers: Annotated[Number, workers_option()] = None,
    worker_timeout: Annotated[float | None, worker_timeout_option()] = None,
    engine: Annotated[Text, engine_option()] = None,
    gpus_per_worker: Annotated[Number, gpus_per_worker_option()] = None,
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
    server: Annotated[Text, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
    api_key_from: Annotated[Text, api_key_from_option()] = None,
) -> None:
    """Ask a teacher about every question and build the dataset.

    Only requests without a stored answer are sent, so run the same command again to
    resume, or after an edit. A run whose budget is spent, or that gets SIGUSR1, stores
    what is under way and exits with 4.
    """
    from cotbuild.builder.cli.args import (
        build_config,
        columns,
        exemplar_settings,
        parse_names,
        parse_tags,
    )
    from cotbuild.builder.cli.remote_requests import generate_request

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
        budget = parse_budget(
            max_requests, max_output_tokens, max_cost, price, gpu_hour, gpus
        )
        team = parse_workers(workers, worker_timeout)
        team = choose_engine(team, engine, gpus_per_worker)
        if server is not None:
            refuse_beside_server({"--fresh": fresh, "--workers": team is not None})
            make_request = partial(
                generate_request,
                config=resolved,
                out=out,
                budget=budget,
                retry_failed=retry_failed,
                allow_unscored=allow_unscored,
                api_key_from=api_key_from,
            )
            run_on_server(server, make_request, detach=detach, dry_run=dry_run)
        elif dry_run:
            _print_plan(resolved, out, fresh, retry_failed, budget, team)
        else:
            num_failed = _generate(resolved, out, fresh, retry_failed, budget, team)
            if num_failed and not allow_unscored:
                print_message(
                    f"exit code 3: {num_failed} unscored because requests failed; with "
                    "--allow-unscored it is 0"
                )
                raise typer.Exit(ExitCode.UNSCORED)


def _print_plan(
    config: BuildConfig,
    out: Path,
    fresh: bool,
    retry_failed: bool,
    budget: "Budget",
    workers: "WorkersOptions | None",
) -> None:
    from cotbuild.builder.generate.run import dry_run

    with local_build(out, "plan") as folder:
        for line in dry_run(
            config,
            folder,
            fresh=fresh,
            retry_failed=retry_failed,
            budget=budget,
            workers=workers,
        ):
            print_line(line)


def _generate(
    config: BuildConfig,
    out: Path,
    fresh: bool,
    retry_failed: bool,
    budget: "Budget",
    workers: "WorkersOptions | None",
) -> int:
    """Build, print the closing lines, and return how many rationales are unscored."""
    from cotbuild.builder.cli.output import closing_lines
    from cotbuild.builder.generate.run import generate as run

    with shared_build(out, workers) as (folder, team):
        result = run(
            config,
            folder,
            open_ui(),
            fresh=fresh,
            retry_failed=retry_failed,
            budget=budget,
            drain=DRAIN,
            workers=team,
        )
    run_notes().num_failed = result.num_failed
    for line in closing_lines(result, shown_place(out)):
        print_line(line)
    return result.num_failed
