"""Tables of plain values, beside those that pyarrow makes of them."""

import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.storage import arrow_tables
from cotbuild.builder.storage.arrow_tables import make_array, make_table

SCALARS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(),
    pa.binary(): st.binary(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
}

WRITES_ROWS = """
import sys
from cotbuild.builder.storage.parquet import encode_rows
from cotbuild.schemas.variant_rows import ChatTurn

encode_rows(ChatTurn, [ChatTurn(role="user", content="Why?")])
assert "pyarrow" in sys.modules
print("pandas" in sys.modules)
"""


@st.composite
def types_and_values(draw: st.DrawFn) -> tuple[pa.DataType, list[Any]]:
    """Draw a type and values of it, nulls among them."""
    kind, values = draw(st.sampled_from(list(SCALARS.items())))
    for _ in range(draw(st.integers(0, 2))):
        values = values | st.none()
        if draw(st.booleans()):
            kind, values = pa.list_(kind), st.lists(values, max_size=3)
        else:
            kind = pa.struct([("first", kind), ("second", pa.string())])
            values = st.fixed_dictionaries(
                {"first": values, "second": SCALARS[pa.string()] | st.none()}
            )
    return kind, draw(st.lists(values | st.none(), max_size=20))


@given(types_and_values())
def test_arrays_are_those_of_pyarrow(drawn: tuple[pa.DataType, list[Any]]) -> None:
    kind, values = drawn
    array = make_array(values, kind)
    array.validate(full=True)
    assert array.equals(pa.array(values, kind))
    assert array.null_count == values.count(None)


@pytest.mark.parametrize(
    "values",
    [[], ["ab"], ["ab", "cd", "ef", "gh", "ij"]],
    ids=["none", "one", "several"],
)
def test_texts_too_large_for_an_array_make_several(
    values: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_tables, "_MAX_OFFSET", 4)
    schema = pa.schema([("text", pa.string())])
    rows = [{"text": value} for value in values]
    table = make_table(rows, schema)
    assert table.equals(pa.Table.from_pylist(rows, schema))
    assert table.column("text").num_chunks == max(1, -(-len(values) // 2))


def test_a_type_that_no_record_has_is_refused() -> None:
    with pytest.raises(TypeError, match="date32"):
        make_array([1], pa.date32())


def test_pandas_is_not_imported() -> None:
    found = subprocess.run(
        [sys.executable, "-c", WRITES_ROWS], capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"
