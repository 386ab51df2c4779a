"""The rows of files, whatever their format, shape and compression."""

from cotbuild.builder.sources.files.formats import (
    ENDINGS,
    data_ending,
    find_format,
    is_compressed_name,
    is_data_file,
    may_be_file_name,
)
from cotbuild.builder.sources.files.json_rows import read_values
from cotbuild.builder.sources.files.opening import read_head
from cotbuild.builder.sources.files.reader import (
    FileRows,
    ParallelRows,
    RowFile,
    open_rows,
    parallel_name,
    read_parquet,
)
from cotbuild.builder.sources.files.rows_under import describe_rows_inside
from cotbuild.builder.sources.files.text_lines import parse_parallel

__all__ = [
    "ENDINGS",
    "FileRows",
    "ParallelRows",
    "RowFile",
    "data_ending",
    "describe_rows_inside",
    "find_format",
    "is_compressed_name",
    "is_data_file",
    "may_be_file_name",
    "open_rows",
    "parallel_name",
    "parse_parallel",
    "read_head",
    "read_parquet",
    "read_values",
]
