"""Parquet that somebody else wrote: equal values for ordinary files, bounds for others."""

import datetime
import decimal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.files import read_parquet
from cotbuild.builder.storage import parquet_rows
from cotbuild.builder.storage.parquet import read_rows
from cotbuild.builder.storage.parquet_rows import ParquetRows, RowFault
from cotbuild.schemas.errors import DataError

MIB = 1 << 20


def read(path: Path) -> list[dict[str, Any] | RowFault]:
    with ParquetRows(path, path.name) as file:
        return list(file.rows())


def repeated(text: str, times: int) -> pa.Array:
    """Return an array of one text, stored once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), [text])


def write(path: Path, table: pa.Table, **options: Any) -> Path:
    pq.write_table(table, path, compression="zstd", store_schema=False, **options)
    return path


# -- ordinary files -----------------------------------------------------------------------


def test_an_empty_row_group_is_read(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"]})
    path = tmp_path / "rows.parquet"
    with pq.ParquetWriter(path, table.schema) as writer:
        for part in (table, table.slice(2), table, table.slice(2)):
            writer.write_table(part)
    assert pq.read_metadata(path).num_row_groups == 4
    assert read(path) == [{"text": "a"}, {"text": "b"}] * 2


VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), ["a", None, "", "é" * 300, "a"]),
    "large text": (pa.large_string(), ["a", None, "", "b", "a"]),
    "bytes": (pa.binary(), [b"\xff", None, b"", b"b", b"\xff"]),
    "fixed bytes": (pa.binary(2), [b"ab", None, b"cd", b"ab", b"ab"]),
    "list": (pa.list_(pa.string()), [["a", None], None, [], ["b"] * 9, ["a"]]),
    "fixed list": (pa.list_(pa.int8(), 2), [[1, 2], None, [3, None], [4, 5], [6, 7]]),
    "lists": (
        pa.list_(pa.list_(pa.string())),
        [[["a"]], None, [None], [[], ["b"]], []],
    ),
    "struct": (
        pa.struct([("p", pa.string()), ("q", pa.int64())]),
        [
            {"p": "a", "q": 1},
            None,
            {"p": None, "q": 2},
            {"p": "a", "q": None},
            {"p": "b", "q": 3},
        ],
    ),
    "map": (
        pa.map_(pa.string(), pa.string()),
        [[("k", "v")], None, [], [("k", None)], [("l", "v")]],
    ),
    "category": (pa.dictionary(pa.int8(), pa.string()), ["a", None, "b", "a", "a"]),
    "decimal": (
        pa.decimal128(5, 2),
        [decimal.Decimal("1.25"), None, decimal.Decimal(0), None, None],
    ),
    "date": (pa.date32(), [datetime.date(2001, 2, 3), None, None, None, None]),
    "time": (
        pa.timestamp("us", "UTC"),
        [datetime.datetime(2001, 2, 3, tzinfo=datetime.UTC), None, None, None, None],
    ),
    "flag": (pa.bool_(), [True, None, False, True, True]),
    "number": (pa.float32(), [1.5, None, 0.0, 2.5, 1.5]),
    "nothing": (pa.null(), [None] * 5),
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False},
        {"row_group_size": 2},
        {"data_page_version": "2.0"},
        {"compression": "none"},
    ],
    ids=str,
)
def test_an_ordinary_file_has_the_values_that_pyarrow_reads(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    columns = {name: pa.array(values, kind) for name, (kind, values) in VALUES.items()}
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(columns), path, **options)
    assert read(path) == pq.read_table(path).to_pylist()
    with ParquetRows(path, "rows") as file:
        assert (
            list(file.rows(["flag", "text"]))
            == pq.read_table(path, columns=["flag", "text"]).to_pylist()
        )


texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
any_rows = st.lists(
    st.fixed_dictionaries(
        {
            "t": texts,
            "l": st.none() | st.lists(texts, max_size=3),
            "s": st.none() | st.fixed_dictionaries({"l": st.lists(texts, max_size=2)}),
        }
    ),
    min_size=1,
    max_size=30,
)
SCHEMA = pa.schema(
    [
        ("t", pa.string()),
        ("l", pa.list_(pa.string())),
        ("s", pa.struct([("l", pa.list_(pa.string()))])),
    ]
)


@settings(max_examples=50)
@given(any_rows, st.integers(1, 8), st.integers(60, 500))
def test_slices_of_any_size_hold_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    group: int,
    size: int,
) -> None:
    path = tmp_path_factory.mktemp("slices") / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_rows, "_SLICE_BYTES", size)
        assert read(path) == rows


# -- bombs --------------------------------------------------------------------------------

BIG = 20 * MIB
BOMBS: dict[str, Callable[[], pa.Table]] = {
    "text": lambda: pa.table({"a": repeated("x" * BIG, 1000)}),
    "text in structs": lambda: pa.table(
        {"a": pa.StructArray.from_arrays([repeated("x" * BIG, 1000)], ["p"])}
    ),
    "text in lists": lambda: pa.table(
        {
            "a": pa.ListArray.from_arrays(
                list(range(0, 1001, 100)), repeated("x" * BIG, 1000)
            )
        }
    ),
    "text in one list": lambda: pa.table(
        {"a": pa.ListArray.from_arrays([0, 1000], repeated("x" * BIG, 1000))}
    ),
    "many columns": lambda: pa.table(
        {f"c{n}": repeated("x" * MIB, 1000) for n in range(50)}
    ),
}
READ_ALL = """
import sys
from pathlib import Path
from cotbuild.builder.sources.files import read_parquet
from cotbuild.schemas.errors import CotbuildError
import pyarrow.parquet
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) >> 10
before = peak()
for name in sys.argv[1:]:
    try:
        for row in read_parquet(Path(name)):
            pass
        print("read")
    except CotbuildError as error:
        print(error)
print(peak() - before)
"""


def test_a_bomb_of_any_shape_takes_bounded_memory(tmp_path: Path) -> None:
    names = []
    for name, make in BOMBS.items():
        path = write(tmp_path / f"{name}.parquet", make())
        assert path.stat().st_size < 100_000
        names.append(str(path))
    run = subprocess.run(
        [sys.executable, "-c", READ_ALL, *names],
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, peak_mib = run.stdout.splitlines()
    assert len(lines) == len(BOMBS)
    for line, name in zip(lines, BOMBS, strict=True):
        # A row of its own over the bound is left to --on-bad-row.
        assert (
            line == "read"
            if name == "text in one list" or name == "text in lists"
            else line.startswith(f"{name}.parquet: ")
        )
    assert int(peak_mib) < 1200


def test_lists_of_values_that_take_no_bytes_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_rows, "_MAX_LIST_BYTES", MIB)
    flags = pa.nulls(200_000, pa.bool_())
    lists = pa.ListArray.from_arrays([0, len(flags)], flags)
    path = write(tmp_path / "rows.parquet", pa.table({"a": lists}))
    with pytest.raises(
        DataError, match=r"lists of column 'a\.list\.element' may take 1 MiB"
    ):
        read(path)


def test_a_row_over_the_bound_is_one_bad_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_rows, "MAX_ROW_BYTES", MIB)
    monkeypatch.setattr(parquet_rows, "_SLICE_BYTES", MIB)
    rows = ["a", "x" * 2 * MIB, "b"]
    path = write(tmp_path / "rows.parquet", pa.table({"a": rows}))
    first, bad, last = read_parquet(path)
    assert (first, last) == ({"a": "a"}, {"a": "b"})
    assert isinstance(bad, BadRow)
    assert bad.reason is BadRowReason.UNREADABLE
    assert bad.message == "the row takes 2 MiB, more than 1."


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([b"\0" * 9 * MIB], {"use_dictionary": False}),
        ([b"\0" * 9 * MIB, b""], {}),
        ([b"\0" * 9 * MIB], {"use_dictionary": False, "data_page_version": "2.0"}),
    ],
)
def test_a_page_over_the_bound_is_not_decompressed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: list[bytes],
    options: dict[str, Any],
) -> None:
    monkeypatch.setattr(parquet_rows, "_MAX_PAGES_BYTES", 8 * MIB)
    path = write(tmp_path / "rows.parquet", pa.table({"a": values}), **options)
    assert path.stat().st_size < 10_000
    with pytest.raises(
        DataError,
        match=r"^rows.parquet: .*row group 0 has pages that take 9 MiB decompressed, more than 8\.$",
    ):
        read(path)


def test_texts_that_repeat_the_one_before_are_read_few_at_a_time(
    tmp_path: Path,
) -> None:
    text = "x" * MIB
    path = write(
        tmp_path / "rows.parquet",
        pa.table({"a": [text] * 100}),
        use_dictionary=False,
        column_encoding={"a": "DELTA_BYTE_ARRAY"},
    )
    assert path.stat().st_size < 10_000
    with ParquetRows(path, "rows") as file:
        assert file._check_group(0) <= 32
        assert [row == {"a": text} for row in file.rows()] == [True] * 100


# -- damaged files ------------------------------------------------------------------------


def invalid_text() -> pa.Array:
    return pa.array([b"a", b"\xff", b"b"]).cast(pa.binary()).view(pa.string())


def test_a_text_that_is_not_utf8_is_one_bad_row(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", pa.table({"a": invalid_text()}))
    first, bad, last = read_parquet(path)
    assert (first, last) == ({"a": "a"}, {"a": "b"})
    assert isinstance(bad, BadRow)
    assert bad.reason is BadRowReason.NOT_UTF8


FOOTER_LIST = b"\x19"  # field 1, a list
FOOTERS = {
    "nested lists": FOOTER_LIST * 20_000,
    "nested structs": b"\x1c" * 20_000,
    "endless list": b"\x19\xf1\xff\xff\xff\xff\x7f" + b"\x00" * 100,
    "many values": b"\x19\xf5\x80\x80\x7f" + b"\x00" * 3_000_000,
    "unknown type": b"\x1e",
    "nothing": b"",
    "long number": b"\x15" + b"\xff" * 100,
}


@pytest.mark.parametrize("kind", FOOTERS)
def test_a_footer_of_any_bytes_ends_in_one_line(tmp_path: Path, kind: str) -> None:
    footer = FOOTERS[kind]
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")
    with pytest.raises(
        DataError, match=r"^rows.parquet: not Parquet, or damaged: "
    ) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_with_changed_bytes_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    table = pa.table(
        {"t": ["a", "b", None] * 5, "l": [["x"], [], ["y", "z"]] * 5, "n": range(15)}
    )
    content = bytearray(write(folder / "rows.parquet", table).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255)
        )
    (folder / "rows.parquet").write_bytes(
        content[: data.draw(st.integers(0, len(content)))]
    )
    line = ""
    try:
        read(folder / "rows.parquet")
    except DataError as error:
        line = str(error)
    assert "\n" not in line


def test_column_names_that_repeat_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    path = write(tmp_path / "rows.parquet", table)
    with pytest.raises(DataError, match="column 'a' occurs 2 times"):
        read(path)


@pytest.mark.parametrize(
    ("kind", "value", "version", "message"),
    [
        (pa.decimal128(5, 2), decimal.Decimal(1), b"1", "has the type decimal128"),
        (pa.list_(pa.date32()), [], b"1", "has the type list"),
        (pa.string(), "a", b"9" * 5_000, "format version"),
        (pa.string(), "a", "²".encode(), "format version"),
        (pa.string(), "a", b"", "format version ''"),
    ],
)
def test_a_file_of_a_build_has_the_types_and_version_of_one(
    tmp_path: Path, kind: pa.DataType, value: Any, version: bytes, message: str
) -> None:
    schema = pa.schema([("a", kind)], metadata={b"cotbuild.format_version": version})
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": pa.array([value], kind)}, schema), path)
    with pytest.raises(DataError, match=message) as caught:
        list(read_rows(path))
    assert len(str(caught.value)) < 400
