"""Encode the rows of texts that variants make of a batch of rationales.

The variants of a set have nearly all values in common but the completion: the question's
id, its labels and target, and the prompt. So each different value is encoded as JSON
once a batch, and each different column as Arrow once.
"""

from collections.abc import Sequence
from functools import cache

import pyarrow as pa

from cotbuild.builder.storage.arrow_schema import arrow_schema
from cotbuild.builder.storage.arrow_tables import make_array
from cotbuild.builder.storage.parquet import EncodedRows
from cotbuild.prompts.student_rows import TextRow
from cotbuild.schemas.fingerprint import dumped_json
from cotbuild.schemas.variant_rows import TrainingRow

Value = str | int | tuple[str, ...] | None
"""A value of a `TextRow`."""


class TextRowsEncoder:
    """Encodes the rows of one batch, variant by variant, as `encode_rows` does."""

    def __init__(self) -> None:
        self._json = _JsonTexts()
        self._arrays: dict[tuple[pa.DataType, tuple[Value, ...]], pa.Array] = {}

    def encode(self, rows: Sequence[TextRow]) -> EncodedRows:
        """Return rows as `SplitWriter.add_encoded` takes them; there is at least one."""
        schema = _schema()
        columns: list[tuple[Value, ...]] = list(zip(*rows, strict=True))
        arrays = [
            self._array(field.type, values)
            for field, values in zip(schema, columns, strict=True)
        ]
        table = pa.Table.from_arrays(arrays, schema=schema)
        return EncodedRows(table, lines=list(map(self._line, rows)), images=None)

    def _array(self, kind: pa.DataType, values: tuple[Value, ...]) -> pa.Array:
        key = (kind, values)
        if key not in self._arrays:
            self._arrays[key] = make_array(values, kind)
        return self._arrays[key]

    def _line(self, row: TextRow) -> str:
        """Return a row as canonical JSON, in which names are in order."""
        known = self._json
        return (
            f'{{"choices":{known[row.choices]}'
            f',"completion":{dumped_json(row.completion)}'
            f',"label_end":{known[row.label_end]}'
            f',"label_start":{known[row.label_start]}'
            f',"prompt":{known[row.prompt]}'
            f',"question_id":{known[row.question_id]}'
            f',"rationale_end":{known[row.rationale_end]}'
            f',"rationale_start":{known[row.rationale_start]}'
            f',"sample_index":{known[row.sample_index]}'
            f',"target":{known[row.target]}'
            f',"task":{known[row.task]}}}'
        )


class _JsonTexts(dict[Value, str]):
    """Values as JSON, made as they occur. No two are equal and of different types."""

    def __missing__(self, value: Value) -> str:
        text = self[value] = dumped_json(value)
        return text


@cache
def _schema() -> pa.Schema:
    return arrow_schema(TrainingRow)
