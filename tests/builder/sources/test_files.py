"""Files as they come: broken lines, encodings, odd shapes, and every format there is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotbuild.builder.sources import Source, open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Question, QuestionKind

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]

ROW = {
    "id": "a",
    "question": "What stirs tea?",
    "choices": ["a fork", "a spoon"],
    "answer": "B",
}
ROWS = [ROW, {**ROW, "id": "b", "answer": "A"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
CSV = """id,question,choices,answer
a,What stirs tea?,"[""a fork"", ""a spoon""]",B
b,"What stirs tea?","{""A"": ""a fork"", ""B"": ""a spoon""}",A
"""
TSV_ROWS = """a\tWhat stirs tea?\t"[""a fork"", ""a spoon""]"\tB
b\tWhat stirs tea?\t"[""a fork"", ""a spoon""]"\tA
"""
GOOD = '{"id": "z", "question": "One and one?", "answer": 2}\n'


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES),
        ("a.ndjson", LINES.rstrip("\n")),
        ("a.jsonl", "\ufeff" + LINES),
        ("a.jsonl", "\r\n" + LINES.replace("\n", "\r\n\r\n") + "  \n"),
        ("a.json", LINES),
        ("a.json", json.dumps(ROWS)),
        ("a.json", "\ufeff\n" + json.dumps(ROWS, indent=2)),
        ("a.jsonl", json.dumps(ROWS)),
        ("a.jsonl", json.dumps({"0": ROWS[0], "1": ROWS[1]})),
        ("a.json", json.dumps({"0": ROWS[0], "1": ROWS[1]}, indent=1)),
        ("a.csv", CSV),
        ("a.csv", "\ufeff" + CSV.replace("\n", "\r\n\r\n")),
        ("a.tsv", "id\tquestion\tchoices\tanswer\n" + TSV_ROWS),
    ],
)
def test_the_same_rows_in_every_format(
    name: str, content: str, write: Write, ask: Ask
) -> None:
    questions, source = ask(write(name, content))
    assert [
        (q.id, q.text, q.target, len(q.choices), q.source.row) for q in questions
    ] == [
        ("a", "What stirs tea?", "B", 2, 0),
        ("b", "What stirs tea?", "A", 2, 1),
    ]
    assert source.dataset == name


def test_parquet_with_nested_choices(tmp_path: Path, ask: Ask) -> None:
    nested = {"label": ["A", "B"], "text": ["a fork", "a spoon"]}
    questions, _ = ask(
        write_parquet(
            tmp_path / "a.parquet", [{**row, "choices": nested} for row in ROWS]
        )
    )
    assert [(q.id, q.target, q.choices[1].text) for q in questions] == [
        ("a", "B", "a spoon"),
        ("b", "A", "a spoon"),
    ]


def test_a_csv_field_may_hold_line_breaks_and_be_long(write: Write, ask: Ask) -> None:
    long = "x" * 200_000
    (question,), _ = ask(write("a.csv", f'question,answer\n"one\ntwo {long}",3\n'))
    assert question.text == f"one\ntwo {long}"
    assert (question.kind, question.target) == (QuestionKind.NUMBER, "3")


@pytest.mark.parametrize(
    ("bad", "reason", "message"),
    [
        (
            b'{"id": "x", "question": \n',
            "bad_json",
            "line 2 is not JSON: Expecting value",
        ),
        (
            b'{"id": "x", "question": "q", "answer": NaN}\n',
            "no_target",
            "target is nan",
        ),
        (
            b'{"id": "x", "question": "q", "answer": -Infinity}\n',
            "bad_target",
            "target is -inf",
        ),
        (
            b'{"id": "x", "question": "q", "answer": ' + b"9" * 5000 + b"}\n",
            "bad_json",
            "4,300 digits",
        ),
        (b'{"a":' * 100_000 + b"\n", "bad_json", "nested deeper than 100 levels"),
        (
            b'{"id": "x", "question": "caf\xe9", "answer": 2}\n',
            "not_utf8",
            "byte 81 of the file is 0xe9",
        ),
        (b'["x", "q"]\n', "not_a_row", "not a JSON object"),
        (b"17\n", "not_a_row", "the row is 17"),
        (b'{"id": "x", "answer": 2}\n', "missing_field", "question is None"),
        (
            b'{"id": "x", "question": " \\u200b ", "answer": 2}\n',
            "missing_field",
            "question is ' \\u200b '",
        ),
        (b'{"id": "", "question": "q", "answer": 2}\n', "missing_field", "id is ''"),
        (b'{"id": 1.5, "question": "q", "answer": 2}\n', "missing_field", "id is 1.5"),
        (
            b'{"id": "x", "question": "q", "answer": null}\n',
            "no_target",
            "target is None",
        ),
        (
            b'{"id": "x", "question": "q", "answer": " "}\n',
            "no_target",
            "target is ' '",
        ),
        (
            b'{"id": "x", "question": "q", "answer": 1e999}\n',
            "bad_target",
            "target is inf",
        ),
        (b'{"id": "x", "question": "q", "answer": []}\n', "bad_target", "target is []"),
        (
            b'{"id": "x", "question": "q", "answer": true}\n',
            "bad_target",
            "target is True",
        ),
        (
            b'{"id": "z", "question": "q", "answer": 2}\n',
            "duplicate_id",
            "duplicate id 'z'",
        ),
        (
            b'{"id": "x", "question": "q\\ud800", "answer": 2}\n',
            "bad_question",
            "text is",
        ),
    ],
)
def test_a_bad_row_stops_or_is_counted(
    bad: bytes, reason: str, message: str, write: Write, ask: Ask
) -> None:
    last = GOOD.replace('"z"', '"y"').encode()
    path = write("some_train.jsonl", GOOD.encode() + bad + last)
    with pytest.raises(DataError) as caught:
        ask(path)
    line = str(caught.value)
    assert line.startswith("some_train.jsonl row 1 (from 0): ")
    assert message in line
    assert line.endswith("Fix the row or pass --on-bad-row drop.")
    assert str(path.parent) not in line
    assert "\n" not in line

    questions, source = ask(path, on_bad_row="drop")
    assert [(q.id, q.source.row) for q in questions] == [("z", 0), ("y", 2)]
    assert source.drops == {reason: 1}


def test_byte_offset_of_what_is_not_utf8_counts_the_bom(write: Write, ask: Ask) -> None:
    content = b"\xef\xbb\xbf" + GOOD.encode() + b'{"question": "caf\xe9"}\n'
    with pytest.raises(
        DataError, match=f"byte {content.index(0xE9)} of the file is 0xe9"
    ):
        ask(write("a.jsonl", content))


@pytest.mark.parametrize(
    ("row", "count"),
    [("too,few", 2), ("one,too,many,fields", 4)],
)
def test_ragged_csv_rows(row: str, count: int, write: Write, ask: Ask) -> None:
    path = write("a.csv", f"id,question,answer\na,One?,1\n{row}\nb,Two?,2\n")
    with pytest.raises(
        DataError,
        match=rf"a.csv row 1 \(from 0\): .* line 3 has {count} fields; the header has 3",
    ):
        ask(path)
    questions, source = ask(path, on_bad_row="drop")
    assert ([q.id for q in questions], source.drops) == (["a", "b"], {"ragged_row": 1})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "a.jsonl: no rows."),
        ("a.jsonl", "\ufeff", "a.jsonl: no rows"),
        ("a.jsonl", "\n \n", "a.jsonl: no rows"),
        ("a.json", "[]", "a.json: no rows"),
        ("a.csv", "", "a.csv: no rows"),
        ("a.csv", "question,answer\n", "a.csv: no rows"),
        ("a.json", "[{]", "a.json: not JSON: Expecting property name"),
        (
            "a.json",
            b'[{"question": "caf\xe9"}]',
            "a.json: byte 18 of the file is 0xe9, which is not UTF-8",
        ),
        ("a.json", '{\n"data": [1]}', "a.json: one object with the fields ['data']"),
        (
            "a.jsonl",
            "nonsense",
            "a.jsonl: none of the first 1 rows can be read: line 1 is not JSON",
        ),
        (
            "a.csv",
            b"question,answer\ncaf\xe9,1\n",
            "a.csv: byte 19 of the file is 0xe9, which is not UTF-8",
        ),
        (
            "a.csv",
            'question,answer\n"open,1\n',
            "a.csv: line 2 is not CSV: unexpected end of data",
        ),
        (
            "a.csv",
            "question,question,answer\na,b,c\n",
            "a.csv: header ['question', 'question', 'answer']",
        ),
        ("a.parquet", "PAR1 or not", "a.parquet: not Parquet, or damaged"),
        ("a.txt", "question", "a.txt: its first lines are neither JSON nor"),
    ],
)
def test_files_that_cannot_be_read(
    name: str, content: str | bytes, message: str, write: Write, ask: Ask
) -> None:
    with pytest.raises(DataError) as caught:
        ask(write(name, content))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_without_one_good_row_is_an_error(write: Write, ask: Ask) -> None:
    with pytest.raises(
        DataError, match=r"a.jsonl: all rows are bad: 1 missing_field\."
    ):
        ask(write("a.jsonl", '{"question": "", "answer": 1}\n'), on_bad_row="drop")


def test_a_file_that_cannot_be_opened_names_no_folder(tmp_path: Path) -> None:
    (tmp_path / "gone.jsonl").write_text(GOOD)
    source = open_source(SourceConfig(name=str(tmp_path / "gone.jsonl")))
    (tmp_path / "gone.jsonl").unlink()
    with pytest.raises(DataError, match=r"^gone.jsonl: cannot be read: No such file"):
        source.read("train")


def test_text_is_kept_but_for_outer_space_and_zero_width_characters(
    write: Write, ask: Ask
) -> None:
    text = " \ufeffTwo  spaces,\u200b\u2060 a\u200djoiner\nand a\u00a0break \u00a0"
    (question,), _ = ask(write("a.jsonl", [{"question": text, "answer": "x"}]))
    assert question.text == "Two  spaces, a\u200djoiner\nand a\u00a0break"


def test_checksum_is_of_the_bytes(write: Write) -> None:
    path = write("a.jsonl", "abc")
    checksum = open_source(SourceConfig(name=str(path))).checksum("train")
    assert (
        checksum == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
