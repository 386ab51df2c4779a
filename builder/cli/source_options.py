"""Options about questions and files of rows, defined once for the commands that have them.

Each is `typer.Option` with its name and help. A command names the group that lists the
option, as in `Annotated[Text, kind_option(rich_help_panel=QUESTIONS)]`, and passes
another `help` where it does something else.
"""

from functools import partial

import typer

FORMATS = "jsonl, json, csv, tsv, parquet, xlsx or lines (one row per line)"
"""The formats of `--as`, as help names them."""

config_name_option = partial(
    typer.Option,
    help="Config of a Hub id; direction of translation files, such as eng-deu.",
)
file_format_option = partial(
    typer.Option,
    "--as",
    metavar="FORMAT",
    help=f"Read the file as {FORMATS}, if content and name do not show it.",
)
header_option = partial(
    typer.Option,
    metavar="NAME,NAME,…",
    help="Names of the columns of a table without a header.",
)
rows_under_option = partial(
    typer.Option,
    metavar="PATH",
    help="Where the rows are in a JSON document, such as data.paragraphs.qas, or the "
    "sheet of a workbook.",
)
columns_option = partial(
    typer.Option,
    metavar="NAME=COLUMN",
    help="Column of a field (question, target, choices, …), for unknown files; any other "
    "name is an input that the question is asked with. Repeatable.",
)
tag_option = partial(
    typer.Option,
    "--tag",
    metavar="[NAME=]COLUMN",
    help="Column to break results down by, such as subject; never shown to the teacher or "
    "a student. Repeatable.",
)
kind_option = partial(
    typer.Option,
    help="choice, yes_no, number or text, if the columns do not show it; or prose, which "
    "is scored against references.",
)
target_is_option = partial(
    typer.Option,
    metavar="FORM",
    help="label, text, index0 or index1: what the targets of choices are, if the rows do "
    "not show it.",
)
labels_option = partial(
    typer.Option,
    metavar="NAME,NAME,…",
    help="Choices that all questions share, such as entailment,neutral.",
)
images_option = partial(
    typer.Option,
    metavar="DIR",
    help="Folder in which the paths of pictures begin; by default that of the file.",
)
fetch_images_option = partial(
    typer.Option,
    "--fetch-images",
    help="Fetch pictures at http(s) URLs, each once, from public addresses.",
)
eval_splits_option = partial(
    typer.Option, help="Evaluation splits to include, such as dev,test."
)
on_bad_row_option = partial(
    typer.Option, help="stop (default), or drop the row and count it."
)
