"""`cotbuild variants` and `cotbuild diff`."""

from pathlib import Path
from typing import Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.schemas.errors import ConfigError

Text = str | None
Many = list[str] | None


def variants(
    directory: Annotated[
        Path | None, typer.Argument(help="Folder of a build.", show_default=False)
    ] = None,
    only: Annotated[
        Text,
        typer.Option(
            help="Names of variants or sets: paper,two_tasks. Default: paper."
        ),
    ] = None,
    spec: Annotated[
        list[Path] | None,
        typer.Option(help="YAML file with variants of your own; repeatable."),
    ] = None,
    filter: Annotated[
        Many,
        typer.Option(
            metavar="NAME=VALUE",
            help="Which rationales: verdicts=correct,incorrect; share=0.1; …; repeatable.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    file: Annotated[
        Many,
        typer.Option(
            metavar="NAME=PATH",
            help="A file that a variant names: scores=…, words=…; repeatable.",
        ),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option("--list", help="Explain each variant in a line, with an example."),
    ] = False,
) -> None:
    """Derive training sets from a build's rationales: ablations with their controls,
    all on the same questions.
    """
    with errors():
        from cotbuild.builder.variants.registry import choose_variants
        from cotbuild.builder.variants.settings import bindings, selection

        specs = choose_variants(only.split(",") if only else None, spec or [])
        if list_:
            from cotbuild.builder.variants.listing import listing

            for line in listing(None if only is None and not spec else specs):
                print(line)
            return
        if directory is None:
            raise ConfigError(
                "no folder of a build. Expected one, such as `cotbuild variants builds/demo`; or --list."
            )
        from cotbuild.builder.terminal import Terminal
        from cotbuild.builder.variants.listing import closing_lines
        from cotbuild.builder.variants.write import file_digests, make_variants
        from cotbuild.schemas.variant import VariantSet

        files = bindings(file or [])
        made = VariantSet(
            specs=tuple(specs),
            selection=selection(filter or []),
            seed=seed,
            files=file_digests(files),
        )
        with Terminal().counting("rationales") as progress:
            manifest = make_variants(directory, made, files, progress)
        for line in closing_lines(manifest, directory):
            print(line)


def diff(
    directory: Annotated[
        Path, typer.Argument(help="Folder of a build.", show_default=False)
    ],
    one: Annotated[str, typer.Argument(help="A variant.", show_default=False)],
    other: Annotated[str, typer.Argument(help="Another.", show_default=False)],
    id: Annotated[Text, typer.Option(help="Only this question.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows to show.")] = 3,
) -> None:
    """Show two variants of the same rationales side by side, the words that differ in
    [brackets].
    """
    with errors():
        from cotbuild.builder.build.build import Build
        from cotbuild.builder.variants.diff import diff_lines

        build = Build.open(directory)
        for line in diff_lines(build, one, other, question_id=id, limit=limit):
            print(line)
