"""How files of rows are read: settings of files of questions and of rationales alike."""

from typing import Annotated, Literal, get_args

from pydantic import Field

FileFormat = Literal["jsonl", "json", "csv", "tsv", "parquet", "xlsx", "lines"]
"""Formats of the files that questions and rationales are read from."""
FILE_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)

FormatField = Annotated[
    FileFormat | None,
    Field(
        exclude_if=lambda name: name is None,
        description="Format of the files: jsonl, json, csv, tsv, parquet, xlsx or lines; "
        "None to find it by content and name.",
    ),
]
HeaderField = Annotated[
    tuple[str, ...],
    Field(
        exclude_if=lambda names: not names,
        description="Names of the columns of a table whose first line does not have them.",
    ),
]
RowsUnderField = Annotated[
    str | None,
    Field(
        min_length=1,
        exclude_if=lambda path: path is None,
        description="Path to the rows in JSON documents, such as data.paragraphs.qas, or the "
        "sheet of a workbook; None to find them.",
    ),
]
