"""The folder of an evaluation: a journal while it runs, then a parquet file of its
results.

Also of the untrained student's in the user's cache, so that ten runs of one student on
the same rows pay for it once.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotbuild.builder.storage.parquet import arrow_schema
from cotbuild.schemas.errors import ConfigError, DataError, StoreError
from cotbuild.schemas.evaluation import Evaluation, EvaluationInputs, QuestionResult
from cotbuild.schemas.files import (
    JsonLinesWriter,
    read_json_lines,
    read_record,
    write_error,
    write_record,
)
from cotbuild.schemas.fingerprint import digest

RECORD = "evaluation.json"
_REMEDY = "Delete the file to evaluate again."
_EVALUATED = b"cotbuild.evaluated"
Done = dict[int, QuestionResult]
"""Results by the place of their question."""


class ResultsFile:
    """The results of one student in `folder`: NAME.parquet, until then .NAME.jsonl.
    Raises StoreError on any fault.
    """

    def __init__(self, folder: Path, name: str, what: EvaluationInputs) -> None:
        self._parquet, self._journal = (
            folder / f"{name}.parquet",
            folder / f".{name}.jsonl",
        )
        self._what = what

    def finished(self) -> list[QuestionResult] | None:
        """All results in order; None: not all are had. Raises ConfigError where those
        of another evaluation stand.
        """
        if not self._parquet.exists():
            return None
        found, rows = _read_parquet(self._parquet)
        self._check_same(self._parquet, found)
        return _parsed(self._parquet, rows)

    def begun(self) -> Done:
        """Read the results of an interrupted run; damaged lines are left out."""
        lines = read_json_lines(
            self._journal, remedy=_REMEDY, error=StoreError, skip_damaged=True
        )
        if lines.values:
            self._check_same(self._journal, lines.values[0].get("evaluated"))
        where = str(self._journal)
        return {
            value["at"]: QuestionResult.parse(value["result"], where)
            for value in lines.values
            if "result" in value
        }

    def collect(
        self,
        run: Callable[[Done], Iterator[tuple[int, QuestionResult]]],
        progress: Callable[[int, int], None],
    ) -> list[QuestionResult]:
        """All results in order: those that are had already, then those that `run` gives
        of the others.
        """
        if (there := self.finished()) is not None:
            return there
        done, total = self.begun(), self._what.num_questions
        had = len(done)
        with self._opened(fresh=not done) as journal:
            for place, result in run(dict(done)):
                line = {"at": place, "result": result.model_dump(mode="json")}
                journal.append(json.dumps(line), fsync=False)
                done[place] = result
                progress(len(done) - had, total - had)
        results = [done[i] for i in range(total)]
        self._write(results)
        return results

    def _opened(self, *, fresh: bool) -> JsonLinesWriter:
        try:
            if fresh:
                self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self._journal, error) from error
        journal = JsonLinesWriter(self._journal)
        header = {"evaluated": self._what.model_dump(mode="json")}
        journal.append(json.dumps(header), fsync=False)
        return journal

    def _write(self, results: list[QuestionResult]) -> None:
        schema = arrow_schema(QuestionResult).with_metadata(
            {_EVALUATED: self._what.model_dump_json().encode()}
        )
        rows = [result.model_dump(mode="json") for result in results]
        part = self._parquet.with_name(f".{self._parquet.name}.{os.getpid()}")
        try:
            pq.write_table(pa.Table.from_pylist(rows, schema), part, compression="zstd")
            part.replace(self._parquet)
            self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self._parquet, error) from error

    def _check_same(self, path: Path, found: object) -> None:
        mine = self._what.model_dump(mode="json")
        if not isinstance(found, dict) or found == mine:
            return
        field = next(name for name in mine if found.get(name) != mine[name])
        raise ConfigError(
            f"{path.parent}: holds an evaluation with {field} {found.get(field)!r}, now it is {mine[field]!r}. "
            "Expected the same to go on with it. Pass another --out, or remove it."
        )


def cached_untrained(cache: Path, what: EvaluationInputs) -> ResultsFile:
    """The untrained student's results in the user's cache, by all that decides them."""
    key = digest("evaluation/1", what.model_dump(mode="json"))
    return ResultsFile(cache / "evaluations" / key[:16], "untrained", what)


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write evaluation.json atomically. Raises StoreError."""
    write_record(folder / RECORD, evaluation)


def read_evaluation(folder: Path) -> Evaluation:
    """Read evaluation.json. Raises DataError."""
    evaluation = read_record(folder / RECORD, Evaluation, remedy=_REMEDY)
    if evaluation is None:
        raise DataError(f"{folder}: no {RECORD}. Run `cotbuild evaluate` first.")
    return evaluation


def read_results(path: Path) -> list[QuestionResult]:
    """The rows of a parquet file of results. Raises StoreError, DataError."""
    return _parsed(path, _read_parquet(path)[1])


def _parsed(path: Path, rows: list[dict[str, Any]]) -> list[QuestionResult]:
    return [
        QuestionResult.parse(row, f"{path} row {number}")
        for number, row in enumerate(rows)
    ]


def _read_parquet(path: Path) -> tuple[object, list[dict[str, Any]]]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    said = (table.schema.metadata or {}).get(_EVALUATED, b"null")
    return json.loads(said), table.to_pylist()


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path}: could not be read: {error}. {_REMEDY}")
