"""Samples of lm-evaluation-harness: the files samples_*.jsonl of its --log_samples.

A row is the result of one question under one filter of the task, here of version 0.4.13:

    {"doc_id": 0, "doc": {"id": "q7", …}, "target": "2", "filter": "none",
     "arguments": {"gen_args_0": {"arg_0": "Question: …", "arg_1": " bank"}, …},
     "resps": …, "filtered_resps": [["-3.1", "False"], …],
     "doc_hash": …, "metrics": ["acc", "acc_norm"], "acc": 1.0, "acc_norm": 0.0}

Versions before 0.4.7 list no `metrics` and no `filter`: a question has a row for each
filter of the task, in the task's order, and no row names its filter. The first versions
have no digests either, and lists in `arguments`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.compare.answers import (
    AnsweredQuestion,
    GradedAnswer,
    StudentAnswers,
    Writer,
    keep_text,
)
from cotbuild.builder.compare.lm_eval_responses import Responses
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.files import FileRows
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.record import short_repr

MAX_METRICS = 50
"""Metrics of a file, counted once for each filter; tasks have a few."""

_OTHER_FIELDS = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter"}
    | {"metrics", "doc_hash", "prompt_hash", "target_hash"}
)
_GRADES = {0.0: False, 1.0: True}
_REMEDY = (
    "Pass a file samples_*.jsonl that lm-evaluation-harness wrote with --log_samples."
)
_ONE_RUN = "Pass the samples of a single run of a single task."


class _Metric(NamedTuple):
    name: str
    filter: str


@dataclass
class _Document:
    """A question while the rows of its filters are read."""

    id: str | None
    target: str | None
    doc_hash: str | None
    responses: int
    """Hash of what the model returned, the same in the rows of all filters."""
    answers: dict[_Metric, GradedAnswer] = field(default_factory=dict)
    filters: set[str] = field(default_factory=set)


def read_samples(path: Path, filter_name: str | None = None) -> StudentAnswers:
    """Read the samples of one task.

    `acc` is read as `accuracy`, `acc_norm` as `normalised`, and `exact_match` of a
    generated text as `free`, the metrics of `cotbuild evaluate` that are nearest. They
    are not the same quantities: the log-likelihood of an option is of its text alone
    here, and there also of the token that ends it.

    Where a task has several filters, each has its own metric `free,FILTER`;
    `filter_name` reads the rows of one filter alone. Filters that no row names are
    numbered from 1, in the order of the rows.

    Raises DataError, with the row, if the file is no such file or holds a row twice;
    ConfigError if no row has the filter.
    """
    documents: dict[int, _Document] = {}
    filters: dict[str, None] = {}
    num_rows: Counter[int] = Counter()
    """By the doc_id."""
    for where, row in _valid_rows(path):
        doc_id = _read_doc_id(row, where)
        num_rows[doc_id] += 1
        name = _read_filter(row, num_rows[doc_id], where)
        filters[name] = None
        if filter_name is None or name == filter_name:
            _add_row(documents, doc_id, row, name, where)
        _check_count(path, len(filters), "filters")
    if not filters:
        raise DataError(f"{path}: no rows. {_REMEDY}")
    if not documents:
        names = ", ".join(map(repr, filters))
        raise ConfigError(
            f"{path}: no row has the filter {filter_name!r}. Its filters: {names}."
        )
    return _make_answers(path, documents)


def _valid_rows(path: Path) -> Iterator[tuple[str, Row]]:
    for position, row in enumerate(FileRows(path)):
        where = f"{path} row {position} (from 0)"
        if isinstance(row, BadRow):
            raise DataError(f"{where}: {row.message} {_REMEDY}")
        yield where, row


def _add_row(
    documents: dict[int, _Document],
    doc_id: int,
    row: Row,
    filter_name: str,
    where: str,
) -> None:
    """Add the answers of a row to those of its question."""
    document = documents.setdefault(doc_id, _read_document(row))
    if filter_name in document.filters:
        raise DataError(
            f"{where}: doc_id {doc_id} occurs twice with the filter {filter_name!r}. "
            f"{_ONE_RUN}"
        )
    if "filter" not in row and _hash_responses(row) != document.responses:
        raise DataError(
            f"{where}: doc_id {doc_id} occurs again with other responses (resps), so it "
            f"is no other filter of the same run. {_ONE_RUN}"
        )
    document.filters.add(filter_name)
    responses = Responses.read(row)
    for name in _metric_names(row, where):
        metric = _Metric(responses.name_metric(name), filter_name)
        answer = responses.find_answer(name)
        document.answers[metric] = GradedAnswer(answer, _read_grade(row.get(name)))


def _make_answers(path: Path, documents: Mapping[int, _Document]) -> StudentAnswers:
    metrics: dict[_Metric, bool] = {}
    """Each metric, and whether it grades every answer as correct or not."""
    for document in documents.values():
        for metric, graded in document.answers.items():
            is_graded = graded.correct is not None
            metrics[metric] = metrics.get(metric, True) and is_graded
        _check_count(path, len(metrics), "metrics")
    has_filters = len({metric.filter for metric in metrics}) > 1
    names = {
        metric: ",".join(metric) if has_filters else metric.name for metric in metrics
    }
    return StudentAnswers(
        place=str(path),
        writer=Writer.LM_EVAL,
        questions=tuple(_make_questions(documents, names)),
        metrics=tuple(names[one] for one, is_graded in metrics.items() if is_graded),
        left_out=tuple(
            names[one] for one, is_graded in metrics.items() if not is_graded
        ),
    )


def _make_questions(
    documents: Mapping[int, _Document], names: Mapping[_Metric, str]
) -> Iterable[AnsweredQuestion]:
    """Yield the questions in the order of the split."""
    for doc_id, document in sorted(documents.items()):
        answers = document.answers.items()
        yield AnsweredQuestion(
            id=document.id,
            target=document.target,
            answers={names[metric]: graded for metric, graded in answers},
            doc_id=doc_id,
            doc_hash=document.doc_hash,
        )


def _check_count(path: Path, number: int, what: str) -> None:
    if number > MAX_METRICS:
        raise DataError(f"{path}: more than {MAX_METRICS} {what}. {_REMEDY}")


# -- the fields of a row ----------------------------------------------------------------


def _read_filter(row: Row, number: int, where: str) -> str:
    """Return the name of a row's filter; `number` if the row does not name it."""
    name = row.get("filter", str(number))
    if not isinstance(name, str):
        raise DataError(f"{where}: filter is {short_repr(name)}, not a text. {_REMEDY}")
    return keep_text(name)


def _read_doc_id(row: Row, where: str) -> int:
    doc_id = row.get("doc_id")
    if not isinstance(doc_id, int) or isinstance(doc_id, bool) or doc_id < 0:
        raise DataError(
            f"{where}: doc_id is {short_repr(doc_id)}, not the number of a question. "
            f"{_REMEDY}"
        )
    return doc_id


def _read_document(row: Row) -> _Document:
    doc = row.get("doc")
    own_id = doc.get("id") if isinstance(doc, Mapping) else None
    has_id = isinstance(own_id, str | int) and not isinstance(own_id, bool)
    target, doc_hash = row.get("target"), row.get("doc_hash")
    target_text = target if isinstance(target, str) else short_repr(target)
    return _Document(
        id=keep_text(str(own_id)) if has_id else None,
        target=None if target is None else keep_text(target_text),
        doc_hash=doc_hash if isinstance(doc_hash, str) else None,
        responses=_hash_responses(row),
    )


def _hash_responses(row: Row) -> int:
    # A repr, in which NaN is equal to itself.
    return hash(repr(row.get("resps")))


def _metric_names(row: Row, where: str) -> list[str]:
    """Return the names of a row's metrics, as it lists them or has values for."""
    listed = row.get("metrics")
    if listed is None:
        return [name for name in row if name not in _OTHER_FIELDS]
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise DataError(
            f"{where}: metrics is {short_repr(listed)}, not a list of names. {_REMEDY}"
        )
    return listed


def _read_grade(value: object) -> bool | None:
    """Return whether an answer is correct; None for a metric with other values."""
    return _GRADES.get(value) if isinstance(value, int | float) else None
