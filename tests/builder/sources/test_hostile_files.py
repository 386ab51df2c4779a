"""Files that somebody else wrote: every bound is named, every bad text is one bad row."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.sources import Source, open_source
from cotbuild.builder.sources.files import FileRows, json_rows, lines
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Question

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]

TEXT = '{{"id": {id}, "question": {question}, "answer": {answer}}}\n'
CHOICE = (
    '{{"id": {id}, "question": {question}, "choices": {choices}, "answer": {answer}}}\n'
)
GOOD = {"id": '"x"', "question": '"Why?"', "answer": '"A"', "choices": '["a", "b"]'}


@pytest.mark.parametrize("character", [r"\ud800", r"\uDFFF\ud800", r"\u0000"])
@pytest.mark.parametrize(
    ("form", "field", "value"),
    [
        (TEXT, "id", '"x{}"'),
        (TEXT, "question", '"Why{}?"'),
        (TEXT, "answer", '"{}"'),
        (TEXT, "answer", '["so", "thus{}"]'),
        (CHOICE, "choices", '["a{}", "b"]'),
        (CHOICE, "choices", '{{"A": "a", "B{}": "b"}}'),
        (
            CHOICE,
            "choices",
            '[{{"label": "A", "text": "a"}}, {{"label": "B", "text": "{}"}}]',
        ),
        (CHOICE, "answer", '"{}"'),
    ],
)
def test_no_text_of_a_question_has_a_surrogate_or_nul(
    form: str, field: str, value: str, character: str, write: Write, ask: Ask
) -> None:
    values = GOOD | {field: value.format(character)}
    first = form.format(**GOOD | {"id": '"first"'})
    path = write("a.jsonl", first + form.format(**values))
    with pytest.raises(DataError, match=r"^a.jsonl row 1 \(from 0\): ") as caught:
        ask(path)
    assert str(caught.value).isascii()
    questions, source = ask(path, on_bad_row="drop")
    assert [question.id for question in questions] == ["first"]
    assert sum(source.drops.values()) == 1


def test_a_column_that_is_not_read_may_hold_anything(write: Write, ask: Ask) -> None:
    path = write(
        "a.jsonl", r'{"question": "Why?", "answer": "so", "more": "\ud800\u0000"}'
    )
    assert len(ask(path)[0]) == 1


def test_a_rationale_with_a_surrogate_is_one_bad_row(write: Write) -> None:
    rows = r"""
        {"question": "Why?", "answer": "so", "rationale": "because \ud800"}
        {"question": "How?", "answer": "so", "rationale": "thus"}
    """
    path = write("a.jsonl", rows)
    with pytest.raises(
        DataError, match=r"row 0 \(from 0\): rationale has a lone surro"
    ):
        list(open_source(SourceConfig(name=str(path))).read_with_rationales("train"))
    source = open_source(SourceConfig(name=str(path), on_bad_row="drop"))
    assert [text for _, text in source.read_with_rationales("train")] == ["thus"]


LONG_LINE = '{"question": "' + "x" * 2_000 + '", "answer": "so"}\n'
TEN_THOUSAND = list(map(str, range(10_000)))
SHORT_LINE = '{"question": "Why?", "answer": "so"}\n'


@pytest.mark.parametrize("end", ["", LONG_LINE.rstrip("\n")])
def test_a_line_over_the_bound_is_one_bad_row(
    end: str, write: Write, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1_000)
    path = write("a.jsonl", SHORT_LINE + LONG_LINE + SHORT_LINE + end)
    with pytest.raises(
        DataError, match=r"row 1 \(from 0\): line 2 is longer than 0 MiB"
    ):
        ask(path)
    questions, source = ask(path, on_bad_row="drop")
    assert [question.source.row for question in questions] == [0, 2]
    assert source.drops == {"too_large": 2 if end else 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "question,answer," + ",".join(TEN_THOUSAND), "10,002 columns"),
        ("a.csv", "question,answer\nq,\0\n", "has a NUL character"),
        ("a.json", "[" * 900 + "]" * 900, "nested deeper than 100 levels"),
        ("a.json", '[{"question": ' + "9" * 900 * 5 + "}]", "4,300 digits"),
    ],
    ids=["columns", "nul", "depth", "digits"],
)
def test_a_file_over_a_bound_is_refused_in_one_line(
    name: str, content: str, message: str, write: Write, ask: Ask
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        ask(write(name, content))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "question,answer\n" + "x" * 7_000 + ",so\n", "row that holds line 2"),
        ("a.csv", 'question,answer\n"' + "x\n" * 4_000, "row that holds line"),
        ("a.json", "[" + SHORT_LINE * 200 + "]", "a JSON document larger than"),
    ],
    ids=["line", "row", "document"],
)
def test_a_file_over_a_bound_on_bytes_is_refused_in_one_line(
    name: str,
    content: str,
    message: str,
    write: Write,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The bounds themselves, 64 MiB and 2 GiB, take too long.
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 6_000)
    monkeypatch.setattr(json_rows, "MAX_DOCUMENT_BYTES", 6_000)
    with pytest.raises(DataError, match=message) as caught:
        ask(write(name, content))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("content", ["[" + "{}," * 99 + "{}]", '{"a": {}, "b": {}}'])
def test_a_document_may_be_one_long_line(
    content: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    assert set(map(str, FileRows(write("a.json", content)))) == {"{}"}


def test_rows_are_bounded_one_by_one(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    content = "question,answer\n" + 'q,"two\nlines"\n' * 1_000
    assert len(list(FileRows(write("a.csv", content)))) == 1_000
