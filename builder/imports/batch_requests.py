"""Read the requests of a batch, such as those of the OpenAI Batch API, as questions."""

from itertools import islice
from pathlib import Path

from cotbuild.builder.imports.shapes import Shape, is_list, is_scalar, is_text
from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.files import open_rows
from cotbuild.builder.sources.read_columns import SAMPLE_ROWS
from cotbuild.schemas.config import SourceConfig


def with_request_columns(source: SourceConfig) -> SourceConfig:
    """Return a source with the columns of a batch's requests, if it is a file of them.

    A question is the last turn of the user. Columns that the user named are kept, and
    any other source is returned as it is. Raises DataError or ConfigError.
    """
    if source.columns or not Path(source.name).is_file():
        return source
    file = open_rows(source.name, source.file_format, source.rows_under, source.header)
    sample = islice(file, SAMPLE_ROWS)
    rows = [row for row in sample if not isinstance(row, BadRow)]
    question = _find_question(Shape(rows)) if rows else None
    if question is None:
        return source
    columns = {"id": "custom_id", "question": question, "target": ""}
    return source.model_copy(update={"columns": columns})


def _find_question(shape: Shape) -> str | None:
    if not shape.has("custom_id", is_scalar):
        return None
    if shape.has("body.messages", is_list):
        return "body.messages[role=user].-1.content"
    if shape.has("body.input.0.role", is_text):
        return "body.input[role=user].-1.content"
    texts = shape.texts_among(("input", "prompt"), "body.")
    return texts[0] if texts else None
