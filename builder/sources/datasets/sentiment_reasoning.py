"""Sentiment Reasoning (Le-Duc et al., 2025): what patients and doctors say, and its mood.

People labelled the transcripts and wrote why, mostly in a word or two. It is published
as workbooks: train.xlsx and test.xlsx in Vietnamese, train_eng.xlsx and test_eng.xlsx
in English, and test_asr.xlsx with the output of a speech recogniser beside the
transcript. In a folder of them the config names what follows the split: eng, asr.
"""

import re
from pathlib import Path

from cotbuild.builder.sources.base import (
    BadRow,
    BadRowReason,
    KnownDataset,
    PublishedFolder,
    Row,
)
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.make import (
    clean_field,
    clean_text,
    make_question,
)
from cotbuild.builder.sources.reading import letter_labels
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.schemas.question import Input, Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

LABELS = ("negative", "neutral", "positive")
_CHOICES = letter_labels(LABELS)
# Whole numbers, but texts in test_asr.xlsx.
_LETTERS = {str(number): letter for number, (letter, _) in enumerate(_CHOICES)}
_RATIONALES = ("human_justification_en", "human_justification")
_FILE = re.compile(r"(train|test)(?:_([a-z]+))?\.xlsx")


def matches(row: Row) -> bool:
    """Return whether a file's first row has the shape of the workbooks or of the Hub."""
    has_reason = "human_justification" in row or "asr" in row
    return has_reason and "text" in row and str(row.get("label")) in _LETTERS


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row, whose text is the transcript; raises BadRow.

    Published: {"text": "I slept well.", "label": 2, "human_justification": "well"}, or
    with "asr": "I slept whale." in place of the last

    Hub: the same with text_en and human_justification_en, which are read.
    """
    text = row["text_en"] if "text_en" in row else row.get("text")
    asr = row.get("asr")
    heard = clean_text(asr) if isinstance(asr, str) else ""
    return make_question(
        None,
        QuestionKind.CHOICE,
        clean_field(text, "text"),
        _CHOICES,
        _parse_target(row.get("label")),
        ref,
        inputs=[Input(name="asr", text=heard)] if heard else [],
    )


def _parse_target(label: object) -> str:
    target = _LETTERS.get(str(label))
    if target is None:
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"label is {short_repr(label)}. Expected 0, 1 or 2: {', '.join(LABELS)}.",
        )
    return target


def rationales(row: Row) -> tuple[str, ...]:
    """Return the human justification of a row; it may have none."""
    values = (row.get(name) for name in _RATIONALES)
    texts = (clean_text(value) for value in values if isinstance(value, str))
    first = next((text for text in texts if text), None)
    return () if first is None else (first,)


def open_folder(folder: Path, config_name: str | None) -> PublishedFolder | None:
    """Return the workbooks of one config, None if the folder has none of theirs.

    Without a config they are the Vietnamese ones. A folder with one workbook a split is
    no special one.
    """
    found = [(path, _FILE.fullmatch(path.name)) for path in sorted(folder.iterdir())]
    files = {match.groups(): path for path, match in found if match is not None}
    has_configs = any(name is not None for _, name in files)
    splits = {
        canonical_split(split): path
        for (split, name), path in files.items()
        if name == config_name
    }
    if not splits or not has_configs:
        return None
    return PublishedFolder(tuple(splits), lambda split: FileRows(splits[split]))


KNOWN = KnownDataset(
    name="sentiment_reasoning",
    hub_id=None,
    config_name=None,
    revision=None,
    splits=("train", "test"),
    licence="unknown",
    kind=QuestionKind.CHOICE,
    matches=matches,
    to_question=to_question,
    id_column=None,
    rationales=rationales,
    rationales_by="people",
    input_names=("asr",),
    published_at="https://github.com/leduckhai/Sentiment-Reasoning, data",
    open_folder=open_folder,
)
