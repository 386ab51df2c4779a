"""Files in the shapes that people bring: each gives the same rows, and says its shape."""

import bz2
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.files import FileRows, opening
from cotbuild.schemas.errors import CotbuildError, DataError
from tests.support.compressed import gzipped

Write = Callable[..., Path]

ROWS = [
    {"question": "One; two, three?", "answer": "3"},
    {"question": "Four?", "answer": "4"},
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
COLUMNS = {"question": [row["question"] for row in ROWS], "answer": ["3", "4"]}
BY_LABEL = {
    name: dict(zip("01", column, strict=True)) for name, column in COLUMNS.items()
}
BY_TEXT_LABEL = {
    name: dict(zip(("q1", "q2"), column, strict=True))
    for name, column in COLUMNS.items()
}
SPLIT = {
    "columns": list(COLUMNS),
    "index": [0, 1],
    "data": [list(row.values()) for row in ROWS],
}
TABLE = {
    "schema": {"fields": [{"name": "question", "type": "string"}]},
    "data": ROWS,
}


def zstd(data: bytes) -> bytes:
    compressed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return compressed


@pytest.mark.parametrize(
    ("name", "content", "shape"),
    [
        # tables
        ("a.csv", 'question,answer\n"One; two, three?",3\nFour?,4\n', "CSV, comma"),
        ("a.csv", 'question;answer\n"One; two, three?";3\nFour?;4\n', "CSV, semicolon"),
        ("a.csv", "question\tanswer\nOne; two, three?\t3\nFour?\t4\n", "TSV, tab"),
        ("a.csv", "question|answer\nOne; two, three?|3\nFour?|4\n", "CSV, bar"),
        ("a.tsv", "question\tanswer\nOne; two, three?\t3\nFour?\t4\n", "TSV, tab"),
        ("a.tsv", 'question,answer\n"One; two, three?",3\nFour?,4\n', "CSV, comma"),
        (
            "a.csv",
            'sep=;\r\nquestion;answer\r\n"One; two, three?";3\r\nFour?;4\r\n',
            "CSV, semicolon",
        ),
        (
            "a.csv",
            'question,answer\n"One; two, three?","3"\n"Four?",4\n',
            "CSV, comma-separated",
        ),
        (
            "a.csv",
            'question,answer,,\n"One; two, three?",3,,\nFour?,4, ,\n',
            "CSV, comma",
        ),
        ("a.txt", "question\tanswer\nOne; two, three?\t3\nFour?\t4\n", "TSV, tab"),
        ("table", 'question;answer\n"One; two, three?";3\nFour?;4\n', "CSV, semicolon"),
        # JSON
        ("a.json", LINES, "JSON Lines"),
        ("a.log", LINES, "JSON Lines"),
        ("rows", LINES, "JSON Lines"),
        ("a.jsonl", json.dumps(ROWS), "JSON, an array of rows"),
        ("a.txt", json.dumps(ROWS, indent=1), "JSON, an array of rows"),
        ("a.json", json.dumps(dict(enumerate(ROWS))), "JSON, an object of rows"),
        ("a.json", json.dumps({"q1": ROWS[0], "q2": ROWS[1]}, indent=1), "JSON, an obje"),
        ("a.json", json.dumps(BY_LABEL), "JSON, an object of columns"),
        ("a.json", json.dumps(BY_LABEL, indent=2), "JSON, an object of columns"),
        ("a.json", json.dumps(BY_TEXT_LABEL), "JSON, an object of columns"),
        ("a.json", json.dumps(COLUMNS), "JSON, an object of columns"),
        ("a.json", json.dumps(SPLIT), "JSON, a pandas table of orient split"),
        ("a.json", json.dumps(TABLE), "JSON, a pandas table of orient table"),
        ("a.json", json.dumps({"version": "1", "data": ROWS}), "JSON, rows under data"),
        (
            "a.json",
            json.dumps({"eval": {"id": 1}, "samples": ROWS, "logs": [{"a": 1}]}, indent=1),
            "JSON, rows under samples",
        ),
        ("a.json", "\n".join(json.dumps(row, indent=2) for row in ROWS), "JSON, objects"),
        ("a.jsonl", "".join(json.dumps(row) for row in ROWS), "JSON, objects"),
        ("a.json", "".join(json.dumps(row, indent=2) for row in ROWS), "JSON, objects"),
        # wrapped
        ("a.jsonl.gz", gzipped(LINES.encode()), "JSON Lines, gzip"),
        ("a.jsonl", gzipped(LINES.encode()), "JSON Lines, gzip"),
        ("a.jsonl.gz", gzipped(b"") + gzipped(LINES.encode()), "JSON Lines"),
        ("a.jsonl.gz", LINES, "JSON Lines"),
        ("a.jsonl.zst", zstd(LINES.encode()), "JSON Lines, zstd"),
        ("a.jsonl.zst", zstd(LINES[:20].encode()) + zstd(LINES[20:].encode()), "JSON Li"),
        ("a.json.bz2", bz2.compress(json.dumps(ROWS).encode()), "JSON, an array of rows, b"),
        ("a.csv.xz", lzma.compress(b'question,answer\n"One; two, three?",3\nFour?,4\n'), ""),
        ("a.jsonl", LINES.encode("utf-16"), "JSON Lines, UTF-16"),
        ("a.json", b"\xfe\xff" + json.dumps(ROWS).encode("utf-16-be"), "JSON, an array"),
        ("a.csv", 'question;answer\r\n"One; two, three?";3\r\nFour?;4'.encode("utf-16"), "CSV"),
        ("a.json", b"\xef\xbb\xbf" + json.dumps(COLUMNS).encode(), "JSON, an object of c"),
        ("a.csv", '\ufeffquestion;answer\n"One; two, three?";3\nFour?;4', "CSV, semicolon"),
    ],
)  # fmt: skip
def test_the_same_rows_in_every_shape(
    name: str, content: str | bytes, shape: str, write: Write
) -> None:
    rows = FileRows(write(name, content))
    assert list(rows) == ROWS
    assert list(rows) == ROWS  # again
    assert rows.shape.startswith(shape)


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        ("a;b\n1;1\n", "CSV, semicolon-separated"),
        ("1,1\n2,3\n", "CSV, comma-separated"),
        ('"a, b"\tc\n', "TSV, tab-separated"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "table"])
def test_the_header_may_be_given(
    content: str, shape: str, name: str, write: Write
) -> None:
    rows = FileRows(write(name, content), header=("question", "answer"))
    found = list(rows)
    assert [set(row) for row in found if not isinstance(row, BadRow)] == [
        {"question", "answer"}
    ] * len(content.splitlines())
    assert rows.shape == shape


def test_what_pandas_writes_has_an_index(write: Write) -> None:
    rows = FileRows(write("a.csv", ",question,answer\n5,Why?,so\n7,How?,thus\n"))
    assert list(rows) == [
        {"Unnamed: 0": "5", "question": "Why?", "answer": "so"},
        {"Unnamed: 0": "7", "question": "How?", "answer": "thus"},
    ]


NULLS = """question,number,truth,options,target,more,all
Why?,3,True,"['a', 'b']",nan,"[""x""]",nan
How?,nan,None,nan,None,NaN,NaN
None,"1,000",False,"array(['c'], dtype=object)",red,null,
Who?,nan,nan,None,nan,"['y']",None
"""


def test_null_words_are_decided_over_the_column(write: Write) -> None:
    rows = FileRows(write("a.csv", NULLS))
    columns: dict[str, list[Any]] = {}
    for row in rows:
        assert not isinstance(row, BadRow)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    assert columns == {
        "question": ["Why?", "How?", "None", "Who?"],
        "number": ["3", "", "1,000", ""],
        "truth": ["True", "", "False", ""],
        "options": ["['a', 'b']", "", "array(['c'], dtype=object)", ""],
        "target": ["nan", "None", "red", "nan"],
        "more": ['["x"]', "", "", "['y']"],
        "all": ["", "", "", ""],
    }
    texts, empty = "texts", "empty cells, as no other cell is a text"
    read_as = {
        "question": f"{texts}: 'None' in 1 row",
        "number": f"{empty}: 'nan' in 2 rows",
        "truth": f"{empty}: 'None' in 1 row, 'nan' in 1 row",
        "options": f"{empty}: 'None' in 1 row, 'nan' in 1 row",
        "target": f"{texts}: 'None' in 1 row, 'nan' in 2 rows",
        "more": f"{empty}: 'NaN' in 1 row, 'null' in 1 row",
        "all": f"{empty}: 'NaN' in 1 row, 'None' in 1 row, 'nan' in 1 row",
    }
    assert dict(rows.notes) == {
        name: f"null words in column {name!r} are read as {words}"
        for name, words in read_as.items()
    }


@pytest.mark.parametrize(
    ("lines", "cells"),
    [
        # Quotes enclose fields.
        (['"a\tb"\tc'], [["a\tb", "c"]]),
        (['"one', 'two"\tc'], [["one\ntwo", "c"]]),
        (['"a ""b"""\tc', "d\te"], [['a "b"', "c"], ["d", "e"]]),
        # They are text: else a field goes on after its quotes, or into the next line.
        (['"So" he said\tc'], [['"So" he said', "c"]]),
        (['"So he said\tc', 'Then" \td'], [['"So he said', "c"], ['Then" ', "d"]]),
        (['"open\tc', "d\te"], [['"open', "c"], ["d", "e"]]),
    ],
)
def test_quotes_in_a_tab_separated_file(
    lines: list[str], cells: list[list[str]], write: Write
) -> None:
    content = "\n".join(["q\ta", *lines, ""])
    rows = FileRows(write("a.tsv", content))
    found = [list(row.values()) for row in rows if not isinstance(row, BadRow)]
    assert found == cells


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (r'"What is \"this\", Ann?",1', ['What is "this", Ann?', "1"]),
        (r'"A \frac and \"quotes\", Ann?",1', [r'A \frac and "quotes", Ann?', "1"]),
        (r'"A \"backslash\", Ann: \\",1', [r'A "backslash", Ann: \\', "1"]),
        # Regular without escapes.
        (r'"C:\",1', ["C:\\", "1"]),
        (r'say \"so\",1', [r'say \"so\"', "1"]),
    ],
)  # fmt: skip
def test_quotes_after_a_backslash(line: str, cells: list[str], write: Write) -> None:
    rows = FileRows(write("a.csv", f"q,a\n{line}\n"))
    found = [list(row.values()) for row in rows if not isinstance(row, BadRow)]
    assert found == [cells]
    assert ("after a backslash" in rows.shape) == ("Ann" in line)


SQUAD = {
    "version": "v2",
    "data": [
        {
            "title": "Tea",
            "paragraphs": [
                {
                    "context": "Tea is hot.",
                    "qas": [
                        {"id": "1", "question": "What?"},
                        {"id": "2", "question": "Is?"},
                    ],
                },
                {"context": "It cools.", "qas": [{"id": "3", "question": "Does it?"}]},
            ],
        }
    ],
}


@pytest.mark.parametrize(
    ("document", "rows_under", "rows"),
    [
        (SQUAD, "data.paragraphs.qas", [
            {"title": "Tea", "context": "Tea is hot.", "id": "1", "question": "What?"},
            {"title": "Tea", "context": "Tea is hot.", "id": "2", "question": "Is?"},
            {"title": "Tea", "context": "It cools.", "id": "3", "question": "Does it?"},
        ]),
        (SQUAD, "data.0.paragraphs.1.qas", [{"id": "3", "question": "Does it?"}]),
        (SQUAD, "data", SQUAD["data"]),
        (SQUAD["data"], "paragraphs.qas", [
            {"title": "Tea", "context": "Tea is hot.", "id": "1", "question": "What?"},
            {"title": "Tea", "context": "Tea is hot.", "id": "2", "question": "Is?"},
            {"title": "Tea", "context": "It cools.", "id": "3", "question": "Does it?"},
        ]),
        ({"a": {"b": ROWS}}, "a.b", ROWS),
        ({"a": {"b": COLUMNS}}, "a.b", ROWS),
        ({"a": {"b": {"x": ROWS[0], "y": ROWS[1]}}}, "a.b", ROWS),
        ({"train": ROWS, "test": [{"question": "x"}]}, "train", ROWS),
    ],
)  # fmt: skip
@pytest.mark.parametrize("indent", [None, 1])
def test_rows_under_a_path(
    document: Any, rows_under: str, rows: Any, indent: int | None, write: Write
) -> None:
    path = write("a.json", json.dumps(document, indent=indent))
    assert list(FileRows(path, rows_under=rows_under)) == rows


@pytest.mark.parametrize(
    ("document", "rows_under"),
    [
        (SQUAD, "data.paragraphs.qas"),
        ({"train": ROWS, "test": ROWS}, "train"),
        ({"version": 1, "mine": {"list": ROWS}}, "mine.list"),
        ({"data": [{"x": 1}], "rows": [{"x": 1}]}, "data"),
        ({"x": {"y": [{"question": "x"}]}, "z": 1}, "x.y"),
        ({"meta": [{"a": 1}], "my rows": [{"question": "x"}]}, "my rows"),
    ],
)
def test_a_suggested_path_is_taken(
    document: Any, rows_under: str, write: Write
) -> None:
    has_question = "question" in json.dumps(document)
    path = write("a.json", json.dumps(document, indent=None if has_question else 1))
    with pytest.raises(DataError, match="--rows-under") as caught:
        list(FileRows(path))
    quoted = f"'{rows_under}'" if " " in rows_under else rows_under
    assert f"Add: --rows-under {quoted} to read" in str(caught.value)
    assert list(FileRows(path, rows_under=rows_under))


@pytest.mark.parametrize(
    ("row"),
    [
        {"id": 1, "question": "Q?", "choices": [{"label": "A", "text": "x"}], "answer": "A"},
        {"messages": [{"role": "user", "content": "x"}]},
        {"id": "x", "conversations": [{"from": "human", "value": "x"}]},
        {"question": "Q?", "choices": ["a", "b"], "items": [{"x": 1}]},
        {"title": "x", "mine": [{"y": 1}]},
        {"choices": {"label": ["A"], "text": ["a"]}, "question": {"stem": "x"}, "id": "1"},
    ],
)  # fmt: skip
def test_a_single_line_with_a_row_is_that_row(
    row: dict[str, Any], write: Write
) -> None:
    assert list(FileRows(write("a.jsonl", json.dumps(row) + "\n"))) == [row]


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.zip", b"PK\x03\x04" + b"\0" * 99, {}, "a.zip: a zip archive. Unpack it with `unz"),
        ("a.jsonl", b"PK\x03\x04" + b"\0" * 99, {}, "a.jsonl: a zip archive"),
        ("a.xlsx", b"PK\x03\x04" + b"\0" * 99, {}, "a.xlsx: a damaged workbook, or none of Ex"),
        ("a.tar.gz", gzipped(b"a" * 257 + b"ustar"), {}, "a tar archive. Unpack it with"),
        ("a.gz", gzipped(gzipped(b"x" * 99)), {}, "compressed twice"),
        ("a.jsonl", LINES.encode("utf-32"), {}, "text in UTF-32. Save it as UTF-8"),
        ("a.jsonl", LINES.encode("utf-16-le"), {}, "text in UTF-16 without a byte order mark"),
        ("a.jsonl", LINES.encode("utf-16") + b"\0\xd8", {}, "begins as UTF-16 and is not"),
        ("a.parquet.gz", gzipped(b"PAR1" * 9), {}, "a Parquet file inside gzip"),
        ("a.jsonl.gz", gzipped(LINES.encode())[:-9], {}, "damaged gzip: Compressed file"),
        ("a.jsonl.zst", zstd(LINES.encode())[:-9], {}, "a.jsonl.zst: damaged zstd"),
        ("a.jsonl.bz2", bz2.compress(LINES.encode())[:-9], {}, "damaged bzip2"),
        ("a.jsonl.xz", lzma.compress(LINES.encode())[:-9], {}, "damaged xz"),
        ("a.csv", "version https://git-lfs.github.com/spec/v1\n", {}, "a Git LFS pointer, not the"),
        ("a.json", "\n<!DOCTYPE html>\n<html>", {}, "a.json: a web page. Download the file"),
        ("data.arrow", b"\xff\xff\xff\xff\x90\0\0\0", {}, "an Arrow file. Write it as Parquet"),
        ("a.db", b"SQLite format 3\0", {}, "binary data in none of the formats"),
        ("a.txt", "Some, prose.\nMore, of it.\n", {}, "Add: --as lines if each line is a row"),
        ("a.txt", "une phrase\ta sentence\nencore\tmore\n", {}, "neither JSON nor a table"),
        ("a.json", '[\n{"question": "x",}]', {}, "a comma before '}' at line 2 column 18"),
        ("a.json", '[{"question": "x"},]', {}, "a comma before ']' at line 1 column 20"),
        ("a.json", "{\n'question': 'x'}", {}, "single quotes at line 2 column 1"),
        ("a.json", '[{"a": None}]', {}, "a value of Python at line 1 column 8"),
        ("a.json", '{\n"a": 1\n}\n,\n{\n"a": 2\n}', {}, "after the end of its value, ','"),
        ("a.json", "[1]\n[2]\n", {}, "2 JSON values one after the other, the first [1]"),
        ("a.json", "{\n" + json.dumps(COLUMNS | {"answer": ["3"]})[1:], {}, "different len"),
        ("a.json", "{\n" + json.dumps(SPLIT | {"data": [["x"]]})[1:], {}, "row 0 (from 0) und"),
        ("a.json", json.dumps(SQUAD), {"rows_under": "dat"}, "no field 'dat' among ['version',"),
        ("a.json", json.dumps(SQUAD), {"rows_under": "version.x"}, "'v2' has no 'x' inside"),
        ("a.json", json.dumps(SQUAD), {"rows_under": "version"}, "'v2' is there. Name a list"),
        ("a.json", json.dumps({"a": {"b": 1}}), {"rows_under": "a"}, "the fields ['b'] is th"),
        ("a.json", LINES, {"rows_under": "data"}, "2 JSON objects one after the other"),
        ("a.csv", "a,b\n", {"rows_under": "data"}, "--rows-under data is for JSON"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_what_to_do(
    name: str, content: str | bytes, options: Any, message: str, write: Write
) -> None:
    with pytest.raises(CotbuildError) as caught:
        list(FileRows(write(name, content), **options))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content", "file_format", "rows"),
    [
        ("one\n\nthree", "lines", [{"text": "one"}, {"text": ""}, {"text": "three"}]),
        ("question;x\na;b\n", "csv", [{"question": "a", "x": "b"}]),
        ("question;x\na;b\n", "tsv", [{"question;x": "a;b"}]),
        (LINES, "jsonl", ROWS),
        (LINES, "json", ROWS),
        (json.dumps(ROWS[0]), "json", ROWS[:1]),
    ],
)
def test_the_format_may_be_named(
    content: str, file_format: Any, rows: Any, write: Write
) -> None:
    assert list(FileRows(write("a.dat", content), file_format)) == rows


def test_what_a_file_holds_is_bounded(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAX_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(opening, "MAX_RATIO", 10)
    path = write("a.jsonl.gz", gzipped(b'{"a": 1}\n' * 200_000))
    with pytest.raises(DataError, match=r"more than 1 MiB, 10 times its size"):
        list(FileRows(path))


def test_the_checksum_is_of_the_bytes_on_disk(write: Write) -> None:
    import hashlib

    data = gzipped(LINES.encode())
    checksum = FileRows(write("a.jsonl.gz", data)).checksum()
    assert checksum == hashlib.sha256(data).hexdigest()


MARKS = list("\"'{}[],;\t\n\r\0:0 \\")
WORDS = ["NaN", "nan", "question", "answer", "data", "columns", "array(", "\ufeff"]
MAGIC = [b"\xff", b"\xff\xfe", b"\x1f\x8b", b"PK\x03\x04", b"PAR1"]
PIECES = st.sampled_from([*(text.encode() for text in MARKS + WORDS), *MAGIC])
FORMATS = st.sampled_from(
    ("a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a", "a.parquet", "a.csv.gz")
)


@settings(max_examples=150, deadline=None)
@given(
    name=FORMATS,
    start=st.sampled_from([LINES, json.dumps(ROWS), json.dumps(SQUAD), NULLS, ""]),
    pieces=st.lists(PIECES, max_size=12),
    at=st.integers(0, 100),
)
def test_any_bytes_are_rows_or_one_line(
    name: str,
    start: str,
    pieces: list[bytes],
    at: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content = start.encode()
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content[:at] + b"".join(pieces) + content[at:])
    fault = ""
    try:
        rows = FileRows(path)
        assert all(isinstance(row, dict | BadRow) for row in rows)
        assert rows.shape
    except CotbuildError as error:
        fault = str(error)
    assert len(fault.splitlines()) < 2
