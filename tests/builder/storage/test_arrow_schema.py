"""The columns of a record's file follow its annotations."""

import pyarrow as pa
import pytest

from cotbuild.builder.storage.arrow_schema import arrow_schema, arrow_type
from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str | None, pa.string()),
        (QuestionKind, pa.string()),
        (int, pa.int64()),
        (tuple[str, ...], pa.list_(pa.string())),
        (
            tuple[Choice, ...],
            pa.list_(pa.struct([("label", pa.string()), ("text", pa.string())])),
        ),
    ],
)
def test_arrow_types_follow_the_annotations(
    annotation: object, expected: pa.DataType
) -> None:
    assert arrow_type(annotation) == expected


def test_a_field_no_column_can_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="no Arrow type"):
        arrow_type(dict[str, int])


@pytest.mark.parametrize("model", [Question, Rationale])
def test_a_published_record_has_a_column_a_field(model: type[Record]) -> None:
    assert arrow_schema(model).names == list(model.model_fields)
