"""The bundled tasks: a few questions with inputs, and translations, written for cotbuild."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cotbuild.builder.sources.base import KnownDataset, Row
from cotbuild.builder.sources.make import clean_field, clean_id, make_question
from cotbuild.builder.sources.reading import letter_labels
from cotbuild.schemas.question import Input, Question, QuestionKind, SourceRef, Tag

FILE = Path(__file__).parents[1] / "bundled_tasks.jsonl"
_COLUMNS = {"id", "split", "task", "kind", "question", "inputs", "choices", "target"}


def matches(row: Row) -> bool:
    """Return whether a file's first row has the shape of the bundled file."""
    return row.keys() == _COLUMNS and isinstance(row["inputs"], Mapping)


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row; raises BadRow.

    {"id": "sentiment-01", "split": "train", "task": "sentiment", "kind": "choice",
    "question": "The tea was cold.", "inputs": {}, "choices": ["negative", "positive"],
    "target": "A"}
    """
    inputs: Mapping[str, Any] = row["inputs"]
    return make_question(
        clean_id(row["id"]),
        QuestionKind(row["kind"]),
        clean_field(row["question"], "question"),
        letter_labels(row["choices"]),
        row["target"],
        ref,
        inputs=[
            Input(name=name, text=clean_field(text, name))
            for name, text in inputs.items()
        ],
        tags=[Tag(name="task", value=clean_field(row["task"], "task"))],
    )


KNOWN = KnownDataset(
    name="bundled_tasks",
    hub_id=None,
    config_name=None,
    revision=None,
    splits=("train", "test"),
    licence="Apache-2.0",
    kind=None,
    matches=matches,
    to_question=to_question,
    input_names=("premise", "hypothesis", "source_lang", "target_lang"),
    file=FILE,
)
