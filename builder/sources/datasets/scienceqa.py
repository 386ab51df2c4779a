"""ScienceQA (Lu et al., 2022): questions of school science, many about a picture.

It is published as one JSON document with the questions of all splits by their ids,
problems.json, a folder of pictures, and captions of them by a model, captions.json. The
rationale of a question is its lecture, which it shares with others of its skill, and
its solution.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cotbuild.builder.sources.base import (
    BadRow,
    BadRowReason,
    KnownDataset,
    PublishedFolder,
    Row,
)
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.files import FileRows, read_head, read_values
from cotbuild.builder.sources.make import (
    LETTERS,
    clean_field,
    clean_id,
    clean_text,
    make_question,
)
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Input, Question, QuestionKind, SourceRef, Tag
from cotbuild.schemas.record import short_repr

# The only commit of the Hub's copy that published code names.
REVISION = "f18b0a70359ebfb41f658fd564208d0355b013f4"

PROBLEMS = "problems.json"
CAPTIONS = "captions.json"
_COLUMNS = {"question", "choices", "answer", "hint", "image", "lecture", "solution"}
_TEXT_INPUTS = ("hint", "caption")
_TAGS = ("subject", "topic", "grade", "task")


def matches(row: Row) -> bool:
    """Return whether a file's first row has the published shape, also the Hub's."""
    return row.keys() >= _COLUMNS


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row, without its picture; raises BadRow.

    Published, with the id and the caption that other files have: {"id": "4", "question":
    "Which is wet?", "choices": ["tea", "sand"], "answer": 0, "hint": "", "image":
    "image.png", "caption": "A cup.", "subject": "natural science", "lecture": "Liquids
    are wet.", "solution": "Tea is a liquid.", …}

    Hub: the same without id and caption; image holds the picture.
    """
    return make_question(
        clean_id(row["id"]) if "id" in row else None,
        QuestionKind.CHOICE,
        clean_field(row.get("question"), "question"),
        parse_choices(row.get("choices")),
        _parse_target(row),
        ref,
        inputs=list(_text_inputs(row)),
        tags=list(_tags(row)),
    )


def _text_inputs(row: Row) -> Iterator[Input]:
    for name in _TEXT_INPUTS:
        text = _clean(row.get(name))
        if text:
            yield Input(name=name, text=text)


def _tags(row: Row) -> Iterator[Tag]:
    for name in _TAGS:
        value = _clean(row.get(name))
        if value:
            yield Tag(name=name, value=value)
    yield Tag(name="picture", value="yes" if row.get("image") else "no")


def _clean(value: object) -> str:
    return clean_text(value) if isinstance(value, str) else ""


def _parse_target(row: Row) -> str:
    answer, choices = row.get("answer"), row.get("choices")
    count = len(choices) if isinstance(choices, list) else 0
    if type(answer) is not int or not 0 <= answer < min(count, len(LETTERS)):
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"answer is {short_repr(answer)}. Expected a whole number from 0 to "
            f"{count - 1}.",
        )
    return LETTERS[answer]


def images(row: Row) -> dict[str, object]:
    """Return where the picture of a row is, or the picture itself on the Hub."""
    image = row.get("image")
    return {"image": image} if image else {}


def rationales(row: Row) -> tuple[str, ...]:
    """Return the lecture and the solution of a row that has a solution."""
    lecture, solution = _clean(row.get("lecture")), _clean(row.get("solution"))
    if not solution:
        return ()
    return (f"{lecture}\n{solution}" if lecture else solution,)


# -- published files -------------------------------------------------------------------


class _Problems:
    """The questions of one split in problems.json, with their ids and captions."""

    def __init__(self, folder: Path, split: str) -> None:
        self.location = f"{folder.resolve().name}/{split}"
        self._folder = folder
        self._split = split

    def __iter__(self) -> Iterator[Row | BadRow]:
        problems = _read_object(self._folder / PROBLEMS)
        captions = self._captions()
        pictures = self._picture_folder()
        for problem_id, problem in problems.items():
            if not isinstance(problem, dict):
                message = (
                    f"the value of {short_repr(problem_id)} is {short_repr(problem)}."
                )
                yield BadRow(BadRowReason.NOT_A_ROW, message)
                continue
            split = problem.get("split")
            if canonical_split(str(split)) != self._split:
                continue
            row = {"id": problem_id, **problem, "caption": captions.get(problem_id)}
            if problem.get("image"):
                row["image"] = f"{pictures}{split}/{problem_id}/{problem['image']}"
            yield row

    def _captions(self) -> Mapping[str, Any]:
        path = self._folder / CAPTIONS
        if not path.is_file():
            return {}
        captions = _read_object(path).get("captions")
        if not isinstance(captions, dict):
            raise DataError(
                f"{path.name}: captions is {short_repr(captions)}. Expected an object of "
                "captions by the id of their question."
            )
        return captions

    def _picture_folder(self) -> str:
        """Return what the path of a picture begins with, from the folder of the files."""
        return "images/" if (self._folder / "images").is_dir() else ""

    def checksum(self) -> str:
        """Return a digest of the sha256 of both files."""
        paths = [self._folder / name for name in (PROBLEMS, CAPTIONS)]
        checksums = {
            path.name: FileRows(path).checksum() for path in paths if path.is_file()
        }
        return digest("scienceqa/1", checksums)


def _read_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON document holds; raises DataError for another."""
    values = read_values(path)
    if len(values) != 1 or not isinstance(values[0], dict):
        raise DataError(f"{path.name}: not one JSON object. Fetch the file again.")
    return values[0]


def open_folder(folder: Path, config_name: str | None) -> PublishedFolder | None:
    """Return the questions of a folder with problems.json, None for another folder."""
    path = folder / PROBLEMS
    if config_name is not None or not path.is_file():
        return None
    head = read_head(path)
    if not all(f'"{column}"' in head for column in _COLUMNS):
        return None  # problems of another kind
    return PublishedFolder(KNOWN.splits, lambda split: _Problems(folder, split))


KNOWN = KnownDataset(
    name="scienceqa",
    hub_id="derek-thomas/ScienceQA",
    config_name=None,
    revision=REVISION,
    splits=("train", "validation", "test"),
    licence="CC BY-NC-SA 4.0",
    kind=QuestionKind.CHOICE,
    matches=matches,
    to_question=to_question,
    id_column=None,
    rationales=rationales,
    rationales_by="people",
    input_names=("hint", "caption", "image"),
    images=images,
    published_at="https://github.com/lupantech/ScienceQA, data",
    open_folder=open_folder,
)
