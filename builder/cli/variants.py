"""`cotbuild variants` and `cotbuild diff`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import examples
from cotbuild.builder.cli.places import local_build, shown_place
from cotbuild.builder.cli.remote import (
    detach_option,
    run_on_server,
    server_option,
)
from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.console import print_line
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.event import Phase

EXAMPLES = examples(
    "cotbuild variants builds/mine",
    "cotbuild variants builds/mine --only post_cot,two_tasks,post_cot_masked_50",
    "cotbuild variants builds/mine --filter verdicts=correct,incorrect --seed 1",
    "cotbuild variants --list",
)
DIFF_EXAMPLES = examples(
    "cotbuild diff builds/mine post_cot post_cot_shuffled_words --limit 5"
)

FILTERS = (
    "verdicts, having, without, min_words, max_words, per_question, share, "
    "near_duplicates, balance, min_chrf2, min_bleu, min_rouge_l, attempt, evaluation, "
    "agrees"
)
"""Written out so that --help loads no selection; a test compares it with that."""

Text = str | None
Many = list[str] | None


def variants(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder of a build.", show_default=False),
    ] = None,
    only: Annotated[
        Text,
        typer.Option(
            help="Variants or sets to derive (paper), such as paper,two_tasks."
        ),
    ] = None,
    spec: Annotated[
        list[Path] | None,
        typer.Option(help="YAML file with your own variants; repeatable."),
    ] = None,
    filter: Annotated[
        Many,
        typer.Option(
            metavar="NAME=VALUE",
            help="Which rationales to use, such as share=0.1; repeatable. "
            "The default is verdicts=correct, which keeps scored prose too. Names: "
            f"{FILTERS}.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    file: Annotated[
        Many,
        typer.Option(
            metavar="NAME=PATH",
            help="File that a variant refers to, such as scores=scores.parquet; "
            "repeatable.",
        ),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option("--list", help="List the variants, each with an example."),
    ] = False,
    server: Annotated[Text, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
) -> None:
    """Derive training sets from the rationales of a build.

    All variants derived together hold the same rationales, and replace those that were
    derived before.
    """
    with errors():
        from cotbuild.builder.variants.registry import (
            choose_variants,
            parse_file_arguments,
            parse_selection,
        )

        specs = choose_variants(only.split(",") if only else None, spec or [])
        if list_:
            from cotbuild.builder.variants.listing import list_variants

            for line in list_variants(None if only is None and not spec else specs):
                print_line(line)
            return
        if directory is None:
            raise ConfigError("no DIR. Pass the folder of a build, or --list.")
        if server is not None:
            from cotbuild.builder.cli.remote_requests import variants_request

            make_request = partial(
                variants_request,
                directory=directory,
                only=only.split(",") if only else [],
                spec_files=spec or [],
                filters=filter or [],
                seed=seed,
                files=file or [],
            )
            run_on_server(server, make_request, detach=detach)
            return
        from cotbuild.builder.variants.listing import summarize_variants
        from cotbuild.builder.variants.write import file_digests, make_variants
        from cotbuild.schemas.variant_set import (
            VariantSet,
        )

        files = parse_file_arguments(file or [])
        variant_set = VariantSet(
            specs=tuple(specs),
            selection=parse_selection(filter or []),
            seed=seed,
            files=file_digests(files),
        )
        ui = open_ui()
        ui.phase(Phase.DERIVING)
        with (
            local_build(directory, "write") as folder,
            ui.counting("rationales") as progress,
        ):
            manifest = make_variants(folder, variant_set, files, progress)
        for line in summarize_variants(manifest, shown_place(directory)):
            print_line(line)


def diff(
    directory: Annotated[
        Path, typer.Argument(help="Folder of a build.", show_default=False)
    ],
    first: Annotated[str, typer.Argument(help="A variant.", show_default=False)],
    second: Annotated[str, typer.Argument(help="Another variant.", show_default=False)],
    id: Annotated[Text, typer.Option(help="Only this question.")] = None,
    limit: Annotated[int, typer.Option(help="Number of rows to show.")] = 3,
) -> None:
    """Compare two variants; [brackets] mark the words that differ."""
    with errors():
        from cotbuild.builder.build.build import StoredBuild
        from cotbuild.builder.variants.diff import diff_lines

        with local_build(directory, "read") as folder:
            build = StoredBuild.open(folder)
            for line in diff_lines(build, first, second, question_id=id, limit=limit):
                print_line(line)
