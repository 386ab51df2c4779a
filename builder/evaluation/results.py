"""The files of an evaluation: a journal while it runs, then parquet, and the metrics.

The untrained model's results are also kept in the user's cache, so that ten runs of one
model on the same questions evaluate it once.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from cotbuild.builder.storage.arrow_schema import arrow_schema
from cotbuild.builder.storage.arrow_tables import make_table
from cotbuild.builder.storage.parquet_rows import ParquetRows
from cotbuild.schemas.errors import ConfigError, DataError, StoreError
from cotbuild.schemas.evaluation import (
    EVALUATION_RECORD,
    Evaluation,
    EvaluationInputs,
    QuestionResult,
)
from cotbuild.schemas.files import (
    JsonLinesWriter,
    read_json_lines,
    read_record,
    write_error,
    write_record,
)
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import short_repr

_REMEDY = "Delete the file to evaluate again."
_INPUTS_KEY = b"cotbuild.evaluated"
PartialResults = dict[int, QuestionResult]
"""Results by the position of their question."""


class ResultsFile:
    """The results of one student in a folder: NAME.parquet, until then .NAME.jsonl.

    Every method raises StoreError if a file cannot be read or written, and ConfigError
    if the files belong to another evaluation.
    """

    def __init__(self, folder: Path, name: str, inputs: EvaluationInputs) -> None:
        self._parquet = folder / f"{name}.parquet"
        self._journal = folder / f".{name}.jsonl"
        self._inputs = inputs

    def read_finished(self) -> list[QuestionResult] | None:
        """Return all results in order, or None while incomplete."""
        if not self._parquet.exists():
            return None
        inputs, rows = _read_parquet(self._parquet)
        self._check_same(self._parquet, inputs)
        _check_count(self._parquet, len(rows), self._inputs)
        return _parse_rows(self._parquet, rows)

    def read_partial(self) -> PartialResults:
        """Read the results of an interrupted run; damaged lines are left out."""
        lines = read_json_lines(
            self._journal, remedy=_REMEDY, error=StoreError, skip_damaged=True
        )
        if lines.values:
            self._check_same(self._journal, lines.values[0].get("evaluated"))
        return dict(_parse_partial(self._journal, lines.values))

    def collect(
        self,
        evaluate: Callable[[PartialResults], Iterator[tuple[int, QuestionResult]]],
        progress: Callable[[int, int], None],
    ) -> list[QuestionResult]:
        """Return all results in order, evaluating those missing.

        `evaluate` is called with the stored results and yields the others with their
        positions, in any order. `progress` is called with the number done in this call
        and the number that were missing.
        """
        finished = self.read_finished()
        if finished is not None:
            return finished
        done, total = self.read_partial(), self._inputs.num_questions
        num_stored = len(done)
        with self._open_journal(fresh=not done) as journal:
            for position, result in evaluate(dict(done)):
                line = {"at": position, "result": result.model_dump(mode="json")}
                journal.append(json.dumps(line), fsync=False)
                done[position] = result
                progress(len(done) - num_stored, total - num_stored)
        results = [done[position] for position in range(total)]
        self._write_parquet(results)
        return results

    def _open_journal(self, *, fresh: bool) -> JsonLinesWriter:
        try:
            if fresh:
                self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self._journal, error) from error
        journal = JsonLinesWriter(self._journal)
        header = {"evaluated": self._inputs.model_dump(mode="json")}
        journal.append(json.dumps(header), fsync=False)
        return journal

    def _write_parquet(self, results: list[QuestionResult]) -> None:
        schema = arrow_schema(QuestionResult).with_metadata(
            {_INPUTS_KEY: self._inputs.model_dump_json().encode()}
        )
        rows = [result.model_dump(mode="json") for result in results]
        table = make_table(rows, schema)
        temporary = self._parquet.with_name(f".{self._parquet.name}.{os.getpid()}")
        try:
            pq.write_table(table, temporary, compression="zstd")
            temporary.replace(self._parquet)
            self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self._parquet, error) from error

    def _check_same(self, path: Path, stored: object) -> None:
        current = self._inputs.model_dump(mode="json")
        if not isinstance(stored, dict):
            raise StoreError(
                f"{path}: does not say what was evaluated ({short_repr(stored)}), so it may "
                f"be of another evaluation. {_REMEDY}"
            )
        if stored == current:
            return
        names = current | stored
        field = next(name for name in names if stored.get(name) != current.get(name))
        raise ConfigError(
            f"{path.parent}: holds an evaluation with {field} "
            f"{short_repr(stored.get(field))}, now it is "
            f"{short_repr(current.get(field))}. Pass another --out, or delete it."
        )


def _parse_partial(
    path: Path, values: list[dict[str, Any]]
) -> Iterator[tuple[int, QuestionResult]]:
    """Yield position and result of each line that has one."""
    for value in values:
        if "result" not in value:
            continue
        position = value.get("at")
        if type(position) is not int:
            raise StoreError(
                f"{path}: a result is at position {short_repr(position)}. {_REMEDY}"
            )
        yield position, QuestionResult.parse(value["result"], str(path), StoreError)


def cached_untrained(cache: Path, inputs: EvaluationInputs) -> ResultsFile:
    """Return the file of the untrained model's results in the user's cache.

    Its folder is named by a digest of everything that decides the results, the
    precision among it. Folders of "evaluation/1" may hold results of another precision.
    """
    key = digest("evaluation/2", inputs.model_dump(mode="json"))
    return ResultsFile(cache / "evaluations" / key[:16], "untrained", inputs)


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write evaluation.json atomically. Raises StoreError."""
    write_record(folder / EVALUATION_RECORD, evaluation)


def read_evaluation(folder: Path) -> Evaluation:
    """Read evaluation.json. Raises DataError."""
    evaluation = read_record(folder / EVALUATION_RECORD, Evaluation, remedy=_REMEDY)
    if evaluation is None:
        raise DataError(
            f"{folder}: no {EVALUATION_RECORD}. Run `cotbuild evaluate` first."
        )
    return evaluation


class StoredResults(NamedTuple):
    """The content of a parquet file of results."""

    results: list[QuestionResult]
    evaluated: EvaluationInputs | None
    """None if the file does not record it."""


def read_stored_results(path: Path) -> StoredResults:
    """Read a parquet file of results, and what was evaluated.

    Raises ConfigError if it is another file, StoreError and DataError if it is damaged.
    """
    stored, rows = _read_parquet(path)
    evaluated = None
    if isinstance(stored, dict):
        evaluated = EvaluationInputs.parse(stored, f"{path}: metadata")
        _check_count(path, len(rows), evaluated)
    return StoredResults(_parse_rows(path, rows), evaluated)


def read_results(path: Path) -> list[QuestionResult]:
    """Read a parquet file of results. Raises as `read_stored_results`."""
    return read_stored_results(path).results


def _check_count(path: Path, num_rows: int, evaluated: EvaluationInputs) -> None:
    """Raise StoreError unless a finished file has a row for each question."""
    if num_rows != evaluated.num_questions:
        raise StoreError(
            f"{path}: {num_rows} rows, but {evaluated.num_questions} questions were "
            f"evaluated. {_REMEDY}"
        )


def _parse_rows(path: Path, rows: list[dict[str, Any]]) -> list[QuestionResult]:
    return [
        QuestionResult.parse(row, f"{path} row {number}")
        for number, row in enumerate(rows)
    ]


def _read_parquet(path: Path) -> tuple[object, list[dict[str, Any]]]:
    """Return what a file of results says was evaluated, None if nothing, and its rows."""
    try:
        with ParquetRows(path, str(path)) as file:
            _check_columns(path, file.schema.names)
            text = (file.schema.metadata or {}).get(_INPUTS_KEY, b"null")
            rows = list(file.valid_rows())
        return parse_record_json(text), rows
    except DataError as error:
        raise StoreError(f"{error} {_REMEDY}") from error
    except JsonFault as error:
        raise StoreError(f"{path}: metadata is not JSON: {error}. {_REMEDY}") from error


def _check_columns(path: Path, names: list[str]) -> None:
    """Raise ConfigError unless the columns are those of a file of results."""
    fields = QuestionResult.model_fields.items()
    missing = [
        name for name, field in fields if field.is_required() and name not in names
    ]
    if missing:
        raise ConfigError(
            f"{path}: not a file of results, since it has no column {missing[0]!r}. Pass "
            "student.parquet or untrained.parquet of an evaluation, or its folder."
        )
