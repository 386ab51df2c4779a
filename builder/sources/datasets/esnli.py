"""e-SNLI (Camburu et al., 2018): does a sentence follow from another, and why.

People explained each label, three of them in the splits dev and test.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
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
    clean_id,
    clean_text,
    make_question,
)
from cotbuild.builder.sources.reading import letter_labels
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Input, Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

TEXT = "How does the hypothesis relate to the premise?"
"""The question of every row, whose premise and hypothesis are inputs."""
LABELS = ("entailment", "neutral", "contradiction")
_CHOICES = letter_labels(LABELS)
_LETTERS = {label: letter for letter, label in _CHOICES}
_CSV = {"premise": "Sentence1", "hypothesis": "Sentence2", "label": "gold_label"}
_LINES = {"premise": "sentence1", "hypothesis": "sentence2", "label": "label"}


def matches(row: Row) -> bool:
    """Return whether a file's first row has the shape of the authors' CSV or texts."""
    is_csv = {*_CSV.values(), "Explanation_1"} <= row.keys()
    return is_csv or {*_LINES.values(), "explanation_1"} <= row.keys()


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row of either form; raises BadRow.

    CSV: {"pairID": "1.jpg#0r1n", "gold_label": "neutral", "Sentence1": "Ann drinks.",
    "Sentence2": "Ann drinks tea.", "Explanation_1": "It may be milk.", …}

    The authors' tokenised text files, line by line: {"label": "neutral", "sentence1":
    "Ann drinks .", "sentence2": "Ann drinks tea .", "explanation_1": "it may be milk .",
    …}; rows have no id.
    """
    columns = _columns(row)
    inputs = [
        Input(name=name, text=clean_field(row.get(columns[name]), columns[name]))
        for name in ("premise", "hypothesis")
    ]
    return make_question(
        clean_id(row["pairID"]) if "pairID" in row else None,
        QuestionKind.CHOICE,
        TEXT,
        _CHOICES,
        _parse_target(row.get(columns["label"]), columns["label"]),
        ref,
        inputs=inputs,
    )


def _columns(row: Row) -> Mapping[str, str]:
    return _CSV if "gold_label" in row else _LINES


def _parse_target(label: object, column: str) -> str:
    target = _LETTERS.get(label) if isinstance(label, str) else None
    if target is None:
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"{column} is {short_repr(label)}. Expected one of {', '.join(LABELS)}.",
        )
    return target


def rationales(row: Row) -> tuple[str, ...]:
    """Return the explanations of a row, one to three."""
    prefix = "Explanation_" if "gold_label" in row else "explanation_"
    values = (row.get(f"{prefix}{number}") for number in (1, 2, 3))
    texts = (clean_text(value) for value in values if isinstance(value, str))
    return tuple(text for text in texts if text)


_FILES = {
    "train": ("esnli_train_1.csv", "esnli_train_2.csv"),
    "validation": ("esnli_dev.csv",),
    "test": ("esnli_test.csv",),
}


class _Rows:
    """The rows of one or several files, one after the other."""

    def __init__(self, paths: list[Path]) -> None:
        self.location = " and ".join(path.name for path in paths)
        self._files = [FileRows(path) for path in paths]

    def __iter__(self) -> Iterator[Row | BadRow]:
        return chain.from_iterable(self._files)

    def checksum(self) -> str:
        """Return the sha256 of the file, or a digest of those of several files."""
        checksums = [file.checksum() for file in self._files]
        return checksums[0] if len(checksums) == 1 else digest("files/1", checksums)


def open_folder(folder: Path, config_name: str | None) -> PublishedFolder | None:
    """Return the authors' CSV files, None if the folder has none of them."""
    found = {
        split: [folder / name for name in names]
        for split, names in _FILES.items()
        if all((folder / name).is_file() for name in names)
    }
    if not found or config_name is not None:
        return None
    return PublishedFolder(tuple(found), lambda split: _Rows(found[split]))


KNOWN = KnownDataset(
    name="esnli",
    hub_id=None,
    config_name=None,
    revision=None,
    splits=("train", "validation", "test"),
    licence="CC BY-SA 4.0; its explanations MIT",
    kind=QuestionKind.CHOICE,
    matches=matches,
    to_question=to_question,
    id_column="pairID",
    rationales=rationales,
    rationales_by="people (crowd workers)",
    input_names=("premise", "hypothesis"),
    published_at="https://github.com/OanaMariaCamburu/e-SNLI, dataset",
    open_folder=open_folder,
)
