"""The command line: commands and the options of the program itself.

Exit codes are in errors.py, signals in signals.py.
"""

from pathlib import Path
from typing import Annotated

import typer

import cotbuild
from cotbuild.builder.cli import attribute as attribute_command
from cotbuild.builder.cli import bench as bench_command
from cotbuild.builder.cli import compare as compare_command
from cotbuild.builder.cli import evaluate as evaluate_command
from cotbuild.builder.cli import generate as generate_command
from cotbuild.builder.cli import import_ as import_command
from cotbuild.builder.cli import jobs as job_commands
from cotbuild.builder.cli import release as release_commands
from cotbuild.builder.cli import serve as serve_commands
from cotbuild.builder.cli import study as study_commands
from cotbuild.builder.cli import train as train_command
from cotbuild.builder.cli import variants as variant_commands
from cotbuild.builder.cli import view as view_command
from cotbuild.builder.cli import worker as worker_command
from cotbuild.builder.cli.errors import EXIT_CODES, errors
from cotbuild.builder.cli.help import GroupedCommand, examples
from cotbuild.builder.cli.places import local_build, shown_place
from cotbuild.builder.cli.reporting import log_command
from cotbuild.builder.cli.signals import install_signal_handlers
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
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.processes import collect_garbage_rarely
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

MAKES_ROWS = frozenset({"generate", "worker", "import", "variants"})
"""Commands that make many small objects, and no models of torch in reference cycles."""

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
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 (its callback prints and exits)
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
    events: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Append what the command reports to FILE, one JSON object per line.",
        ),
    ] = None,
) -> None:
    """Options of the program itself; the help text is that of `app`."""
    if context.invoked_subcommand in MAKES_ROWS:
        collect_garbage_rarely()
    if events is not None:
        with errors():
            context.with_resource(log_command(events, context.invoked_subcommand or ""))


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

        wanted = Filter(id, verdict, flag, rule)
        with local_build(directory, "read") as folder:
            for line in inspect_build(StoredBuild.open(folder), wanted, limit=limit):
                print_line(line.replace(str(folder), shown_place(directory)))


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
    ("worker", worker_command.worker, worker_command.EXAMPLES),
    ("bench", bench_command.bench, bench_command.EXAMPLES),
    ("import", import_command.import_rationales, import_command.EXAMPLES),
    ("inspect", inspect, INSPECT_EXAMPLES),
    ("view", view_command.view, view_command.EXAMPLES),
    ("variants", variant_commands.variants, variant_commands.EXAMPLES),
    ("diff", variant_commands.diff, variant_commands.DIFF_EXAMPLES),
    ("verify", release_commands.verify, release_commands.VERIFY_EXAMPLES),
    ("publish", release_commands.publish, release_commands.PUBLISH_EXAMPLES),
    ("pull", release_commands.pull, release_commands.PULL_EXAMPLES),
    ("train", train_command.train, train_command.EXAMPLES),
    ("evaluate", evaluate_command.evaluate, evaluate_command.EXAMPLES),
    ("compare", compare_command.compare, compare_command.EXAMPLES),
    ("attribute", attribute_command.attribute, attribute_command.EXAMPLES),
    ("prompts", prompts, examples("cotbuild prompts choice_few_shot@1")),
    ("sources", sources, SOURCES_EXAMPLES),
    ("clean", clean, None),
)
for _name, _function, _examples in _COMMANDS:
    app.command(_name, cls=GroupedCommand, epilog=_examples)(_function)
app.add_typer(study_commands.app, name="study")
app.add_typer(serve_commands.app, name="serve")
app.add_typer(job_commands.app, name="jobs")


def main() -> None:
    """Entry point of the `cotbuild` command."""
    filter_streams()
    install_signal_handlers()
    try:
        app()
    except StoreError as error:  # help or a usage error that could not be printed
        print_message(f"error: {error}")
        raise SystemExit(ExitCode.FAILED) from None


if __name__ == "__main__":
    main()
