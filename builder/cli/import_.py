"""`cotbuild import`: bring in rationales that were written elsewhere."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import FORMAT, QUESTIONS, examples
from cotbuild.builder.console import print_line
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import ImportRecipe

SHIPPED = (
    "chatgpt_openbookqa, cose, gpt3_quarel, llama3_openbookqa, palm_commonsense_qa"
)
"""Written out so that --help reads no YAML; a test compares it with the recipes."""
EXAMPLES = examples(
    "cotbuild import cose_train_v1.11.jsonl --format cose --source commonsense_qa \\",
    "    --out builds/cose",
    "cotbuild import mine.csv --map text=explanation --map id=qid \\",
    '    --source questions.jsonl --made-by "GPT-X" --out builds/mine',
)

Text = str | None
Many = list[str] | None


def import_rationales(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of rationales, in order.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the build.")],
    format: Annotated[
        Text,
        typer.Option(
            help=f"Recipe: {SHIPPED}, or a .yaml file. Without one, use --map."
        ),
    ] = None,
    map: Annotated[
        Many,
        typer.Option(
            metavar="FIELD=COLUMN",
            help="Columns of text and of id or question, and of answer; repeatable.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    join: Annotated[
        Text,
        typer.Option(
            help="id, question, order or inside, if the columns do not show it.",
            rich_help_panel=FORMAT,
        ),
    ] = None,
    made_by: Annotated[
        Text,
        typer.Option(help="Who wrote the rationales.", rich_help_panel=FORMAT),
    ] = None,
    licence: Annotated[
        Text, typer.Option(help="Licence of the rationales.", rich_help_panel=FORMAT)
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
    source_map: Annotated[
        Many,
        typer.Option(
            metavar="FIELD=COLUMN",
            help="Column of a field, for unknown files of questions; repeatable.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    eval_splits: Annotated[
        Text,
        typer.Option(
            help="Evaluation splits to include, such as dev,test.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    on_bad_row: Annotated[
        Text,
        typer.Option(
            help="stop (default), or drop the row and count it.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
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
) -> None:
    """Import rationales that were written elsewhere.

    They get the same answers, verdicts and flags as rationales that cotbuild asked for.
    """
    from cotbuild.builder.cli.args import build_config, columns

    with errors():
        described = {"join": join, "made_by": made_by, "licence": licence, "url": url}
        given = {name: value for name, value in described.items() if value is not None}
        recipe = _choose_recipe(
            format,
            columns(map or []),
            given,
            answer_first=answer_first,
            target_shown=target_shown,
        )
        if source is None and recipe.join != "inside":
            raise ConfigError(
                f"recipe {recipe.ref} joins texts to questions by {recipe.join}. Pass "
                "the questions, such as --source commonsense_qa or a file."
            )
        flags = {
            "source.name": source,
            "source.split": split,
            "source.columns": columns(source_map or []),
            "source.eval_splits": eval_splits.split(",") if eval_splits else None,
            "source.on_bad_row": on_bad_row,
            "imported.files": [str(file) for file in files],
            "imported.recipe": recipe.model_dump(mode="json"),
            "imported.order_from": str(order_from) if order_from else None,
        }
        resolved = build_config(None, flags, setting or [])
        if dry_run:
            from cotbuild.builder.generate.run import dry_run as lines

            for line in lines(resolved, out):
                print_line(line)
            return
        from cotbuild.builder.cli.output import closing_lines
        from cotbuild.builder.generate.run import generate
        from cotbuild.builder.terminal import Terminal

        for line in closing_lines(generate(resolved, out, Terminal()), out):
            print_line(line)


def _choose_recipe(
    format: str | None,
    columns: dict[str, str] | None,
    given: dict[str, Any],
    *,
    answer_first: bool,
    target_shown: bool,
) -> ImportRecipe:
    """Return the recipe of --format, or one made of --map and the options with it."""
    from cotbuild.builder.imports import (
        builtin_recipes,
        load_recipe,
        recipe_from_mapping,
    )

    if format is None and columns is None:
        raise ConfigError(
            "neither --format nor --map. Pass a recipe, one of "
            f"{', '.join(builtin_recipes())} or a .yaml file; or the columns, such as "
            "--map text=rationale --map id=id."
        )
    if format is None:
        return recipe_from_mapping(
            columns or {},
            answer_first=answer_first,
            target_shown=target_shown,
            **given,
        )
    mapping_flags = [] if columns is None else ["--map"]
    mapping_flags += [f"--{name.replace('_', '-')}" for name in given]
    if answer_first:
        mapping_flags.append("--answer-first")
    if target_shown:
        mapping_flags.append("--target-shown")
    if mapping_flags:
        raise ConfigError(
            f"--format {format!r} with {', '.join(mapping_flags)}. Pass one or the "
            "other: a recipe says all of it."
        )
    return load_recipe(format)
