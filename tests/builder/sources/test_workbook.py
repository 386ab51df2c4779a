"""Sheets of Excel workbooks, read as tables."""

import datetime
import io
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cotbuild.builder.sources import open_source
from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.files import FileRows, workbook
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from tests.support.commands import DATA

Table = Sequence[Sequence[Any]]
Save = Callable[..., Path]
ROWS: Table = [["question", "answer"], ["Is ice cold?", "yes"], ["Is it hot?", "no"]]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save_workbook(name: str = "a.xlsx", **sheets: Table) -> Path:
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / name)
        return tmp_path / name

    return save_workbook


def test_rows_have_plain_values_and_blank_rows_are_left_out(save: Save) -> None:
    table = [
        [],
        ["text", "n", None, "when", "ok", "sum"],
        [" a ", 1, "x", datetime.datetime(2020, 1, 2), True, "=1+1"],
        [None, "  "],
        ["#N/A", 1.5],
    ]
    rows = list(FileRows(save(one=table)))
    assert rows == [
        {"text": " a ", "n": 1, "Unnamed: 2": "x", "when": "2020-01-02T00:00:00", "ok": True, "sum": None},
        {"text": None, "n": 1.5, "Unnamed: 2": None, "when": None, "ok": None, "sum": None},
    ]  # fmt: skip


def test_a_sheet_is_chosen_by_rows_under(save: Save) -> None:
    path = save(first=ROWS, second=[["question"], ["Why?"]])
    assert len(list(FileRows(path))) == 2
    assert (
        FileRows(path).shape == "workbook, sheet 'first', 1 more sheet by --rows-under"
    )
    assert list(FileRows(path, rows_under="second")) == [{"question": "Why?"}]
    with pytest.raises(
        ConfigError, match=r"no sheet 'x' among \['first', 'second'\]. Pass"
    ):
        list(FileRows(path, rows_under="x"))


def test_names_of_columns_can_be_given(save: Save) -> None:
    path = save(one=ROWS[1:])
    assert next(iter(FileRows(path, header=("q", "a")))) == {"q": "Is ice cold?", "a": "yes"}  # fmt: skip


def test_content_decides_not_the_name(save: Save) -> None:
    assert FileRows(save("table.data", one=ROWS)).format == "xlsx"


def test_a_source_of_questions(save: Save) -> None:
    source = open_source(SourceConfig(name=str(save(one=ROWS))))
    assert [question.target for question in source.read("train")] == ["yes", "no"]
    assert source.read_as("train") == (
        "workbook, sheet 'one': yes_no questions; target answer as yes or no (2 of 2 rows "
        "tell) (change with --map, --kind)"
    )


def test_a_value_beside_the_named_columns_is_a_bad_row(save: Save) -> None:
    rows = list(FileRows(save(one=[["question"], ["Why?", "more"]])))
    assert isinstance(rows[0], BadRow)
    assert (
        rows[0].message == "the row has 'more' to the right of the 1 named column(s)."
    )


def test_repeated_names_are_refused(save: Save) -> None:
    with pytest.raises(DataError, match=r"a.xlsx: its first row \['q', 'q'\] has rep"):
        list(FileRows(save(one=[["q", "q"], ["1", "2"]])))


def _replace_part(path: Path, name: str, edit: Callable[[bytes], bytes]) -> Path:
    """Write a workbook again with one of its parts edited."""
    content = io.BytesIO(path.read_bytes())
    with (
        zipfile.ZipFile(content) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            part = old.read(info)
            new.writestr(info.filename, edit(part) if info.filename == name else part)
    return path


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("part", "edit", "message"),
    [
        ("xl/workbook.xml", lambda _: b"<x", "a workbook that cannot be read: "),
        (SHEET, lambda part: part[:-20], "a workbook that cannot be read: "),
        (SHEET, lambda part: part.replace(b'r="2"', b'r="99999999999"'), "more than 1,048,576 rows"),
        (SHEET, lambda part: part.replace(b'"B2"', b'"ZZZ2"'), "10,000 columns"),
        (SHEET, lambda part: part.replace(b'"A2"', b'"ZZZZ2"'), "a workbook that cannot be read"),
    ],
)  # fmt: skip
def test_hostile_workbooks_are_refused_in_a_line(
    part: str, edit: Callable[[bytes], bytes], message: str, save: Save
) -> None:
    path = _replace_part(save(one=ROWS), part, edit)
    with pytest.raises(DataError, match=message) as raised:
        list(FileRows(path))
    assert str(raised.value).startswith("a.xlsx: ")
    assert "Save the sheet as CSV in UTF-8" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("bound", "value", "message"),
    [
        ("MAX_XML_TAGS", 40, "a workbook of more than 10 cells. Save the sheet as CSV"),
        ("MAX_XML_BYTES", 1 << 10, r"a workbook of 0 MiB of XML, more than 0. Save"),
    ],
)
def test_what_a_workbook_holds_is_bounded(
    bound: str, value: int, message: str, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(one=ROWS)
    assert getattr(workbook, bound) > value
    monkeypatch.setattr(workbook, bound, value)
    with pytest.raises(DataError, match=message):
        list(FileRows(path))


def test_entities_do_not_grow(save: Save) -> None:
    laughs = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(10)
    )
    doctype = f"<!DOCTYPE x [{laughs}]>".encode()

    def edit(part: bytes) -> bytes:
        head, rest = part.split(b"<worksheet", 1)
        return head + doctype + b"<worksheet" + rest.replace(b"</v>", b"&e9;</v>")

    path = _replace_part(save(one=ROWS), SHEET, edit)
    with pytest.raises(DataError, match="a workbook that cannot be read"):
        list(FileRows(path))


def test_without_openpyxl_a_line_says_what_to_install(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(one=ROWS)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        ConfigError,
        match=r"as CSV in UTF-8, or run in a checkout of cotbuild: pip install '\.\[xlsx\]'$",
    ):
        list(FileRows(path))


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("name", "num_rows", "row", "column", "value"),
    [
        ("train_eng.xlsx", 5695, 0, "human_justification", "negative effect"),
        ("train_eng.xlsx", 5695, 0, "label", 0),
        ("test_eng.xlsx", 2183, 0, "human_justification", " neutral explanation"),
        ("test_asr.xlsx", 2183, 0, "label", "1"),
    ],
)
def test_published_sheets(
    name: str, num_rows: int, row: int, column: str, value: object
) -> None:
    rows = list(FileRows(DATA / "tasks" / "sentiment_reasoning" / name))
    assert len(rows) == num_rows
    read = rows[row]
    assert not isinstance(read, BadRow)
    assert read[column] == value
