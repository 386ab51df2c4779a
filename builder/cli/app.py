"""The command line: commands, `--version`, signals. Exit codes are in errors.py."""

import signal
from pathlib import Path
from typing import Annotated

import typer

import cotbuild
from cotbuild.builder.cli import attribute as attribute_command
from cotbuild.builder.cli import evaluate as evaluate_command
from cotbuild.builder.cli import generate as generate_command
from cotbuild.builder.cli import import_ as import_command
from cotbuild.builder.cli import release as release_commands
from cotbuild.builder.cli import study as study_commands
from cotbuild.builder.cli import train as train_command
from cotbuild.builder.cli import variants as variant_commands
from cotbuild.builder.cli.errors import EXIT_CODES, ExitCode, errors
from cotbuild.builder.cli.help import GroupedCommand, examples
from cotbuild.builder.cli.source_options import (
    FORMATS,
    columns_option,
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
from cotbuild.builder.console import filter_streams, print_line, print_message
from cotbuild.schemas.errors import DataError, StoreError

app = typer.Typer(
    help="Build teacher-rationale datasets: ask a teacher for a chain of thought on "
    "each question, keep every answer, derive variants, train students on them.",
    epilog="`cotbuild COMMAND --help` shows the options of a command and examples.\n\n"
    + EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Text = str | None
Many = list[str] | None
Directory = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="Folder of a build.", show_default=False),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"cotbuild {cotbuild.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Options of the program itself; the help text is that of `app`."""


def inspect(
    directory: Directory,
    id: Annotated[Text, typer.Option(help="Only rationales of this question.")] = None,
    verdict: Annotated[
        Text, typer.Option(help="Only rationales with this verdict.")
    ] = None,
    flag: Annotated[Text, typer.Option(help="Only rationales with this flag.")] = None,
    rule: Annotated[
        Text,
        typer.Option(
            help="Only rationales whose answer this rule read, such as boxed."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            help="Number of rationales to show (3; all of them with --rule).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show the counts of a build and some of its rationales."""
    with errors():
        from cotbuild.builder.build.build import StoredBuild
        from cotbuild.builder.cli.inspect import Filter, inspect_build

        build = StoredBuild.open(directory)
        for line in inspect_build(build, Filter(id, verdict, flag, rule), limit=limit):
            print_line(line)


def prompts(
    template: Annotated[
        Text, typer.Argument(help="NAME@VERSION or a .yaml file.", show_default=False)
    ] = None,
) -> None:
    """List the prompt templates, or show one with an example."""
    with errors():
        from cotbuild.builder.cli.output import prompt_list, prompt_shown

        for line in prompt_shown(template) if template else prompt_list():
            print_line(line)


def sources(
    name: Annotated[
        Text,
        typer.Argument(
            help="A known dataset, a file, a folder or a Hub id.", show_default=False
        ),
    ] = None,
    config_name: Annotated[
        Text,
        typer.Option(
            help="Config of a Hub id; direction of translation files, such as eng-deu."
        ),
    ] = None,
    split: Annotated[Text, typer.Option(help="Split to show the first row of.")] = None,
    file_format: Annotated[
        Text, file_format_option(help=f"Read the file as {FORMATS}.")
    ] = None,
    header: Annotated[Text, header_option()] = None,
    rows_under: Annotated[Text, rows_under_option()] = None,
    map: Annotated[Many, columns_option()] = None,
    tag: Annotated[Many, tag_option()] = None,
    images: Annotated[Text, images_option()] = None,
    fetch_images: Annotated[bool | None, fetch_images_option()] = None,
    kind: Annotated[Text, kind_option()] = None,
    target_is: Annotated[Text, target_is_option()] = None,
    labels: Annotated[Text, labels_option()] = None,
    on_bad_row: Annotated[
        Text, on_bad_row_option(help="stop (default), or drop the row.")
    ] = None,
) -> None:
    """List the known datasets, or show one of them."""
    with errors():
        from cotbuild.builder.cli.args import (
            build_config,
            columns,
            parse_names,
            parse_tags,
        )
        from cotbuild.builder.sources import describe_source, list_sources

        if name is None:
            for info in list_sources():
                for line in info.format_lines():
                    print_line(line)
            return
        flags = {
            "source.name": name,
            "source.config_name": config_name,
            "source.split": split,
            "source.file_format": file_format,
            "source.header": parse_names(header),
            "source.rows_under": rows_under,
            "source.columns": columns(map or [], allow_none=True),
            "source.tags": parse_tags(tag or []),
            "source.kind": kind,
            "source.target_is": target_is,
            "source.labels": parse_names(labels),
            "source.images": images,
            "source.fetch_images": fetch_images,
            "source.on_bad_row": on_bad_row,
        }
        for line in describe_source(build_config(None, flags).source):
            print_line(line)


def clean(directory: Directory) -> None:
    """Delete the answers that a --fresh run replaced."""
    with errors():
        from cotbuild.builder.build.install import lock_build
        from cotbuild.builder.storage.answer_store import AnswerStore

        store = AnswerStore(directory)
        if not store.root.is_dir():
            raise DataError(
                f"{directory}: no folder of a build with stored answers. Pass one."
            )
        with lock_build(directory):
            deleted = store.delete_old_generations()
        if deleted:
            print_line(f"{directory}: deleted {', '.join(deleted)}")
        else:
            print_line(f"{directory}: nothing to delete; every answer is current")


INSPECT_EXAMPLES = examples(
    "cotbuild inspect builds/mine --verdict no_answer",
    "cotbuild inspect builds/mine --flag contradicts --limit 10",
    "cotbuild inspect builds/mine --rule boxed --verdict incorrect",
)
SOURCES_EXAMPLES = examples(
    "cotbuild sources", "cotbuild sources gsm8k", "cotbuild sources questions.csv"
)

_COMMANDS = (
    ("generate", generate_command.generate, generate_command.EXAMPLES),
    ("import", import_command.import_rationales, import_command.EXAMPLES),
    ("inspect", inspect, INSPECT_EXAMPLES),
    ("variants", variant_commands.variants, variant_commands.EXAMPLES),
    ("diff", variant_commands.diff, variant_commands.DIFF_EXAMPLES),
    ("verify", release_commands.verify, release_commands.VERIFY_EXAMPLES),
    ("publish", release_commands.publish, release_commands.PUBLISH_EXAMPLES),
    ("pull", release_commands.pull, release_commands.PULL_EXAMPLES),
    ("train", train_command.train, train_command.EXAMPLES),
    ("evaluate", evaluate_command.evaluate, evaluate_command.EXAMPLES),
    ("attribute", attribute_command.attribute, attribute_command.EXAMPLES),
    ("prompts", prompts, examples("cotbuild prompts choice_few_shot@1")),
    ("sources", sources, SOURCES_EXAMPLES),
    ("clean", clean, None),
)
for _name, _function, _examples in _COMMANDS:
    app.command(_name, cls=GroupedCommand, epilog=_examples)(_function)
app.add_typer(study_commands.app, name="study")


def main() -> None:
    """Entry point of the `cotbuild` command."""
    filter_streams()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except StoreError as error:  # help or a usage error that could not be printed
        print_message(f"error: {error}")
        raise SystemExit(ExitCode.FAILED) from None


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    """End a run at SIGTERM as at Ctrl-C: journal sealed, server stopped, exit 130.

    A shell makes commands in the background ignore SIGINT, which is undone here so
    that the signal raised has its effect.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
