"""`cotbuild import`: rationales made elsewhere into a build."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.schemas.errors import ConfigError

Text = str | None
Many = list[str] | None
SHIPPED = (
    "chatgpt_openbookqa, cose, gpt3_quarel, llama3_openbookqa, palm_commonsense_qa"
)
"""Written out, so that --help reads no YAML; a test holds it equal to the recipes there
are.
"""


def import_rationales(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of rationales, in order.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the build.")],
    format: Annotated[
        Text,
        typer.Option(help=f"A recipe: {SHIPPED}, or a .yaml file. Without one: --map."),
    ] = None,
    map: Annotated[
        Many,
        typer.Option(
            metavar="FIELD=COLUMN",
            help="text=…, and id=… or question=…, answer=…; repeatable.",
        ),
    ] = None,
    join: Annotated[
        Text,
        typer.Option(
            help="With --map: id, question, order or inside, if columns do not tell."
        ),
    ] = None,
    made_by: Annotated[
        Text, typer.Option(help="With --map: who wrote the rationales.")
    ] = None,
    licence: Annotated[Text, typer.Option(help="With --map: their licence.")] = None,
    url: Annotated[
        Text, typer.Option(help="With --map: where they were published.")
    ] = None,
    answer_first: Annotated[
        bool,
        typer.Option(
            "--answer-first", help="With --map: texts begin with their answer."
        ),
    ] = False,
    target_shown: Annotated[
        bool,
        typer.Option(
            "--target-shown", help="With --map: the writer was shown the target."
        ),
    ] = False,
    order_from: Annotated[
        Path | None,
        typer.Option(
            help="File whose ids stand in the order of the rows, for a join by order."
        ),
    ] = None,
    source: Annotated[
        Text,
        typer.Option(
            help="The questions: a known dataset, a file, a folder, a Hub id."
        ),
    ] = None,
    split: Annotated[Text, typer.Option(help="Split of the questions.")] = None,
    source_map: Annotated[
        Many,
        typer.Option(
            metavar="FIELD=COLUMN", help="For a source of unknown shape; repeatable."
        ),
    ] = None,
    eval_splits: Annotated[
        Text, typer.Option(help="Splits that enter without a rationale: dev,test.")
    ] = None,
    on_bad_row: Annotated[
        Text, typer.Option(help="stop (default), or drop and count.")
    ] = None,
    setting: Annotated[
        Many,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Any other, as source.limit=100."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be imported; write nothing."),
    ] = False,
) -> None:
    """Bring rationales made elsewhere into a build, with the same answers, verdicts and
    flags as asked ones.
    """
    from cotbuild.builder.cli.args import build_config, columns

    with errors():
        mapped = {"join": join, "made_by": made_by, "licence": licence, "url": url}
        recipe = _recipe(format, columns(map or []), mapped, answer_first, target_shown)
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
        if source is None and recipe.join != "inside":
            raise ConfigError(
                f"recipe {recipe.ref} joins texts to questions by {recipe.join}. Expected --source, such as "
                "--source commonsense_qa or a file of questions."
            )
        resolved = build_config(None, flags, setting or [])
        if dry_run:
            from cotbuild.builder.generate.dry_run import dry_run as lines

            for line in lines(resolved, out):
                print(line)
            return
        from cotbuild.builder.cli.output import closing_lines
        from cotbuild.builder.generate.run import generate
        from cotbuild.builder.terminal import Terminal

        for line in closing_lines(generate(resolved, out, Terminal()), out):
            print(line)


def _recipe(
    format: str | None,
    columns: dict[str, str] | None,
    mapped: dict[str, Any],
    answer_first: bool,
    target_shown: bool,
) -> Any:
    from cotbuild.builder.imports import (
        builtin_recipes,
        load_recipe,
        recipe_from_mapping,
    )

    given = [
        f"--{name.replace('_', '-')}"
        for name, value in mapped.items()
        if value is not None
    ]
    given += ["--answer-first"] * answer_first + ["--target-shown"] * target_shown
    if format is None and columns is None:
        raise ConfigError(
            f"neither --format nor --map. Expected a recipe, one of {', '.join(builtin_recipes())}, or a .yaml file; "
            "or the columns, such as --map text=rationale --map id=id."
        )
    if format is not None and (columns is not None or given):
        both = ", ".join([*(["--map"] if columns is not None else []), *given])
        raise ConfigError(
            f"--format {format!r} with {both}. Expected one or the other: a recipe says all of it."
        )
    if format is not None:
        return load_recipe(format)
    assert columns is not None
    said = {name: value for name, value in mapped.items() if value is not None}
    return recipe_from_mapping(
        columns, answer_first=answer_first, target_shown=target_shown, **said
    )
