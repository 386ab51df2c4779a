"""Attempts at the questions of a build, which become an input of their questions."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.imports import open_import
from cotbuild.builder.imports.read import open_imported
from cotbuild.builder.imports.recipes import build_recipe, recipe_from_mapping
from cotbuild.builder.imports.recognise import make_recipe, recognise
from cotbuild.builder.sources import Source
from cotbuild.builder.sources.base import BadRow, Row, column_names
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.read_columns import read_sample
from cotbuild.schemas.answers.grade import GradingRules, grade_completion
from cotbuild.schemas.attempts import ATTEMPT, AttemptsConfig, AttemptsEntry
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.evaluation import EVALUATION_RECORD, STUDENT
from cotbuild.schemas.import_recipe import ImportConfig, ImportFile, ImportRecipe
from cotbuild.schemas.question import Input, Question
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.record import short_repr

WRONG_VERDICTS = frozenset({Verdict.INCORRECT, Verdict.NO_ANSWER, Verdict.TRUNCATED})

_USUAL_COLUMNS = {
    "text": ("text", "attempt"),
    "id": ("id", "question_id"),
    "question": ("question",),
}
"""Names of the columns of a file of attempts, by field; the first that it has."""
_BUILD_COLUMNS = {"id": "question_id", "text": "completion", "error": "failure"}


class AttemptedQuestion(NamedTuple):
    """A question with an attempt as an input."""

    question: Question
    number: int
    """Number of the attempt among those of its question that are evaluated, from 0."""


@dataclass
class _Tally:
    """Counts of one pass over the questions."""

    evaluated: int = 0
    without: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass
class Attempts:
    """The attempts of a build, held in memory and looked up by question."""

    config: AttemptsConfig
    grading: GradingRules
    files: tuple[ImportFile, ...]
    columns: dict[str, str]
    num_texts: int
    dropped: dict[str, int]
    """Texts without a question of the build, by reason."""
    texts_for: Callable[[Question], list[str]]
    tally: _Tally = field(default_factory=_Tally)
    """Counts of the last complete pass."""

    def attach(self, questions: Iterable[Question]) -> Iterator[AttemptedQuestion]:
        """Yield each question once per attempt to evaluate, in the order of both.

        Questions without one are left out and counted.
        """
        tally = _Tally()
        for question in questions:
            index = 0
            for text in self.texts_for(question):
                reason = self._reason_to_skip(question, text)
                if reason is not None:
                    tally.skipped[reason] += 1
                    continue
                yield AttemptedQuestion(with_attempt(question, text), index)
                index += 1
            tally.evaluated += index
            tally.without += not index
        self.tally = tally

    def _reason_to_skip(self, question: Question, text: str) -> str | None:
        if not text.strip():
            return "empty"
        if self.config.only == "all":
            return None
        verdict = grade_attempt(question, text, self.grading)
        return None if verdict in WRONG_VERDICTS else "not_wrong"

    def entry(self) -> AttemptsEntry:
        """Return what a manifest records, after a complete pass."""
        dropped = {**self.dropped, **self.tally.skipped}
        return AttemptsEntry(
            files=self.files,
            columns=self.columns,
            only=self.config.only,
            num_texts=self.num_texts,
            num_evaluated=self.tally.evaluated,
            num_questions_without=self.tally.without,
            dropped=dict(sorted(dropped.items())),
        )


def with_attempt(question: Question, text: str) -> Question:
    """Return a question with an attempt as its last input."""
    attempt = Input(name=ATTEMPT, text=text)
    return question.model_copy(update={"inputs": (*question.inputs, attempt)})


def grade_attempt(question: Question, text: str, grading: GradingRules) -> Verdict:
    """Return the verdict on an attempt, by the rules for completions."""
    graded = grade_completion(
        question, text, finish_reason=None, grading=grading, flags=False
    )
    return graded.verdict


# -- opening ---------------------------------------------------------------------------


def open_attempts(
    config: AttemptsConfig, source: Source, grading: GradingRules
) -> Attempts:
    """Read the attempts and find the question of each.

    Raises ConfigError if the columns of a file do not show texts and questions,
    DataError if nothing can be read or no text has a question.
    """
    folder = Path(config.file).expanduser()
    if (folder / EVALUATION_RECORD).is_file():
        return _from_evaluation(config, folder, source, grading)
    return _from_files(config, _import_config(config, folder, source), source, grading)


def _import_config(config: AttemptsConfig, path: Path, source: Source) -> ImportConfig:
    if (path / MANIFEST).is_file():
        build = StoredBuild.open(path)
        files = tuple(str(build.place(entry)) for entry in build.files(RATIONALES))
        recipe = build_recipe(
            ATTEMPT, "Texts of a build.", _BUILD_COLUMNS, "id", origin=config.file
        )
        return ImportConfig(files=files, recipe=recipe)
    return ImportConfig(files=(config.file,), recipe=_file_recipe(config, source))


def _file_recipe(config: AttemptsConfig, source: Source) -> ImportRecipe:
    rows = open_imported(config.file, source.config)
    names = column_names(read_sample(rows))
    columns = {**_find_columns(names), **config.columns}
    try:
        if "text" in columns and not {"id", "question"}.isdisjoint(columns):
            return recipe_from_mapping(columns)
        return make_recipe(recognise(rows, None, config.columns), has_source=True)
    except ConfigError as error:
        raise ConfigError(
            f"--attempts {config.file!r}: its columns {short_repr(names)} do not show the "
            "text and the question of an attempt. Pass --attempts-map text=COL and "
            "--attempts-map id=COL or question=COL; or import the file with `cotbuild "
            "import`, and pass that build."
        ) from error


def _find_columns(names: Sequence[str]) -> dict[str, str]:
    """Return the usual columns of attempts that a file has, by field."""
    found = {}
    for field_name, usual in _USUAL_COLUMNS.items():
        column = next((name for name in usual if name in names), None)
        if column is not None:
            found[field_name] = column
    return found


def _from_files(
    config: AttemptsConfig,
    imported: ImportConfig,
    source: Source,
    grading: GradingRules,
) -> Attempts:
    found = open_import(imported, source)
    entry = found.entry
    return Attempts(
        config=config,
        grading=grading,
        files=entry.files,
        columns=entry.columns,
        num_texts=entry.num_texts,
        dropped=entry.dropped,
        texts_for=lambda question: [one.text for one in found.texts_for(question)],
    )


def _from_evaluation(
    config: AttemptsConfig, folder: Path, source: Source, grading: GradingRules
) -> Attempts:
    rows = FileRows(folder / f"{STUDENT}.parquet")
    texts: dict[str, str] = {}
    num_rows = 0
    for row in rows:
        num_rows += 1
        if isinstance(row, BadRow):
            raise DataError(f"{rows.location}: {row.message} Evaluate again.")
        texts[str(row.get("question_id"))] = student_attempt(row)
    known = {question.id for question in source.read(source.split)}
    num_unknown = len(texts.keys() - known)
    if num_unknown == len(texts):
        raise DataError(
            f"{folder}: none of its {len(texts)} questions is one of "
            f"{source.dataset}/{source.split}. Check --source and --split."
        )
    return Attempts(
        config=config,
        grading=grading,
        files=(
            ImportFile(file=rows.location, checksum=rows.checksum(), num_rows=num_rows),
        ),
        columns={},
        num_texts=len(texts),
        dropped={"no_question": num_unknown} if num_unknown else {},
        texts_for=lambda question: _texts_of(texts, question),
    )


def _texts_of(texts: dict[str, str], question: Question) -> list[str]:
    text = texts.get(question.id)
    return [] if text is None else [text]


def student_attempt(row: Row) -> str:
    """Return what a student wrote about a question: its rationale and its answer."""
    rationale = str(row.get("rationale") or "").strip()
    answer = str(row.get("said") or "").strip()
    statement = f"The answer is {answer.rstrip('.')}." if answer else ""
    return "\n".join(part for part in (rationale, statement) if part)
