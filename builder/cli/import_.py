"""`cotbuild import`: bring in rationales that were written elsewhere."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import FORMAT, QUESTIONS, examples
from cotbuild.builder.cli.import_recipes import (
    check_no_files,
    check_source,
    choose_recipe,
    recipe_of_source,
)
from cotbuild.builder.cli.places import local_build, shown_place
from cotbuild.builder.cli.remote import (
    detach_option,
    run_on_server,
    server_option,
)
from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.cli.source_options import (
    FORMATS,
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
from cotbuild.builder.console import print_line
from cotbuild.schemas.import_recipe import FORM_NAMES

SHIPPED = (
    "chatgpt_openbookqa, cose, gpt3_quarel, llama3_openbookqa, palm_commonsense_qa"
)
"""Written out so that --help reads no YAML; a test compares it with the recipes."""
EXAMPLES = examples(
    "cotbuild import samples_gsm8k.jsonl --out builds/gsm8k",
    "cotbuild import --source esnli_dev.csv --out builds/esnli",
    "cotbuild import cose_train_v1.11.jsonl --format cose --source commonsense_qa \\",
    "    --out builds/cose",
    "cotbuild import mine.csv --map text=explanation --map id=qid \\",
    '    --source questions.jsonl --made-by "GPT-X" --out builds/mine',
)

Text = str | None
Many = list[str] | None


def import_rationales(
    out: Annotated[Path, typer.Option(help="Folder of the build.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files of rationales, in order; or a dataset on the Hub, OWNER/NAME. "
            "Without any, the rationales in the rows of --source.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Text,
        typer.Option(
            help=f"Form of the files: {', '.join(FORM_NAMES)}; or recipe: "
            f"{SHIPPED}, or a .yaml file. "
            "Default: the form that they have, or --map."
        ),
    ] = None,
    file_format: Annotated[
        Text,
        file_format_option(
            help=f"Read the files as {FORMATS}, if content and name do not show it.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    header: Annotated[Text, header_option(rich_help_panel=FORMAT)] = None,
    rows_under: Annotated[
        Text,
        rows_under_option(
            help="Where the rows are in JSON documents, such as data.samples.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    map: Annotated[
        Many,
        typer.Option(
            metavar="NAME=COLUMN",
            help="Column, or path such as choices.0.message.content, of text; of id or "
            "question; of answer, reasoning, finish_reason, error, target, choices; any "
            "other name is an input of questions in the rows. Repeatable.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    join: Annotated[
        Text,
        typer.Option(
            help="id, question, order, or inside (the rows hold their questions). "
            "Default: by the columns; inside if a question is mapped and no --source.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    where: Annotated[
        Many,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Read only the rows that have this value; repeatable.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    once: Annotated[
        Text,
        typer.Option(
            metavar="COLUMNS",
            help="Columns that name a row, such as doc_id: repeated rows are left out.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    made_by: Annotated[
        Text,
        typer.Option(help="Who wrote the rationales.", rich_help_panel=FORMAT),
    ] = None,
    licence: Annotated[
        Text,
        typer.Option(
            "--license",
            "--licence",
            help="Licence of the rationales.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    url: Annotated[
        Text, typer.Option(help="Where they were published.", rich_help_panel=FORMAT)
    ] = None,
    answer_first: Annotated[
        bool,
        typer.Option(
            "--answer-first",
            help="The texts begin with their answer.",
            rich_help_panel=FORMAT,
        ),
    ] = False,
    target_shown: Annotated[
        bool,
        typer.Option(
            "--target-shown",
            help="The writer was shown the target.",
            rich_help_panel=FORMAT,
        ),
    ] = False,
    order_from: Annotated[
        Path | None,
        typer.Option(
            help="File whose ids are in the order of the rows, for a join by order."
        ),
    ] = None,
    source: Annotated[
        Text,
        typer.Option(
            help="The questions: a known dataset, a file, a folder or a Hub id.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    split: Annotated[
        Text, typer.Option(help="Split of the questions.", rich_help_panel=QUESTIONS)
    ] = None,
    config_name: Annotated[Text, config_name_option(rich_help_panel=QUESTIONS)] = None,
    source_map: Annotated[
        Many,
        columns_option(
            help="Column of a field, for unknown files of questions; repeatable.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    tag: Annotated[Many, tag_option(rich_help_panel=QUESTIONS)] = None,
    images: Annotated[Text, images_option(rich_help_panel=QUESTIONS)] = None,
    fetch_images: Annotated[
        bool | None, fetch_images_option(rich_help_panel=QUESTIONS)
    ] = None,
    kind: Annotated[Text, kind_option(rich_help_panel=QUESTIONS)] = None,
    target_is: Annotated[Text, target_is_option(rich_help_panel=QUESTIONS)] = None,
    labels: Annotated[Text, labels_option(rich_help_panel=QUESTIONS)] = None,
    eval_splits: Annotated[Text, eval_splits_option(rich_help_panel=QUESTIONS)] = None,
    on_bad_row: Annotated[Text, on_bad_row_option(rich_help_panel=QUESTIONS)] = None,
    setting: Annotated[
        Many,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting, such as source.limit=100; repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be imported; write nothing."),
    ] = False,
    server: Annotated[Text, server_option()] = None,
    detach: Annotated[bool, detach_option()] = False,
) -> None:
    """Import rationales that were written elsewhere.

    They get the same answers, verdicts and flags as rationales that cotbuild asked for.
    """
    from cotbuild.builder.cli.args import (
        build_config,
        columns,
        parse_file_format,
        parse_join,
        parse_names,
        parse_tags,
    )
    from cotbuild.builder.imports.hub_files import pin_hub_files
    from cotbuild.builder.imports.read import open_imported

    with errors():
        names = pin_hub_files(str(file) for file in files or [])
        described = {"made_by": made_by, "licence": licence, "url": url}
        given = {name: value for name, value in described.items() if value is not None}
        source_flags = {
            "source.name": source,
            "source.split": split,
            "source.config_name": config_name,
            "source.columns": columns(source_map or [], allow_none=True),
            "source.tags": parse_tags(tag or []),
            "source.kind": kind,
            "source.target_is": target_is,
            "source.labels": parse_names(labels),
            "source.eval_splits": eval_splits.split(",") if eval_splits else None,
            "source.images": images,
            "source.fetch_images": fetch_images,
            "source.on_bad_row": on_bad_row,
        }
        if names:
            first_file = open_imported(
                names[0],
                build_config(None, {**source_flags, "source.name": None}).source,
                parse_file_format(file_format),
                rows_under,
                tuple(parse_names(header) or ()),
            )
            joined_by = parse_join(join)
            recipe = choose_recipe(
                first_file,
                format,
                columns(map or []),
                given if joined_by is None else {**given, "join": joined_by},
                where=columns(where or [], "--where"),
                once=once.split(",") if once else [],
                has_source=source is not None,
                answer_first=answer_first,
                target_shown=target_shown,
            )
            check_source(source, recipe)
        else:
            file_options: dict[str, object] = {
                "--format": format,
                "--as": file_format,
                "--header": header,
                "--rows-under": rows_under,
                "--map": map,
                "--join": join,
                "--where": where,
                "--once": once,
                "--answer-first": answer_first,
                "--target-shown": target_shown,
                "--order-from": order_from,
            }
            check_no_files(source, file_options)
            recipe = recipe_of_source(
                build_config(None, source_flags, setting or []).source, given
            )
        flags = {
            **source_flags,
            "imported.files": names,
            "imported.file_format": file_format,
            "imported.header": parse_names(header),
            "imported.rows_under": rows_under,
            "imported.recipe": recipe.model_dump(mode="json"),
            "imported.order_from": str(order_from) if order_from else None,
        }
        resolved = build_config(None, flags, setting or [])
        if server is not None:
            from cotbuild.builder.cli.remote_requests import import_request

            make_request = partial(import_request, config=resolved, out=out)
            run_on_server(server, make_request, detach=detach, dry_run=dry_run)
            return
        if dry_run:
            from cotbuild.builder.generate.run import dry_run as lines

            with local_build(out, "plan") as folder:
                for line in lines(resolved, folder):
                    print_line(line)
            return
        from cotbuild.builder.cli.output import closing_lines
        from cotbuild.builder.generate.run import generate

        with local_build(out, "write") as folder:
            result = generate(resolved, folder, open_ui())
        for line in closing_lines(result, shown_place(out)):
            print_line(line)
