"""The names that a wrong one may be meant for."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, create_model

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.field_names import MAX_NAMES, suggest_names
from cotbuild.schemas.record import Record


class Circle(Record):
    shape: Literal["circle"] = "circle"
    radius: int = 1


class Square(Record):
    shape: Literal["square", "tile"] = "square"
    width: int = 1


class Drawing(Record):
    title: str = ""
    one: Circle | None = None
    shapes: tuple[Annotated[Circle | Square, Field(discriminator="shape")], ...] = ()
    named: dict[str, Square] | None = None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("titel",), "Did you mean title?"),
        (("zzz",), "The fields are title, one, shapes, named."),
        (("one", "radios"), "Did you mean radius?"),
        (("one", "zzz"), "The fields there are shape, radius."),
        # The tag says which form of the union was meant.
        (("shapes", 0, "circle", "radios"), "Did you mean radius?"),
        (("shapes", 0, "tile", "zzz"), "The fields there are shape, width."),
        (("shapes", 0, "tile", "radius"), "The fields there are shape, width."),
        # Without it each form counts, and no list is given.
        (("shapes", 0, "widht"), "Did you mean width?"),
        (("shapes", 0, "zzz"), ""),
        (("named", "left", "widht"), "Did you mean width?"),
        (("title", "zzz"), ""),
    ],
)
def test_names_at_a_path(path: tuple[int | str, ...], expected: str) -> None:
    assert suggest_names(Drawing, path) == expected


def test_a_union_of_models_and_no_model() -> None:
    assert suggest_names(Circle | Square, ("square", "widht")) == (
        "Did you mean width?"
    )
    assert suggest_names(None, ("zzz",)) == ""


def test_a_model_without_fields_suggests_none() -> None:
    assert suggest_names(create_model("Empty"), ("zzz",)) == ""


def test_a_long_list_is_cut() -> None:
    fields = {f"field_{number}": (int, 0) for number in range(MAX_NAMES + 1)}
    wide = create_model("Wide", **fields)  # type: ignore[call-overload]
    assert suggest_names(wide, ("zzz",)).endswith(f"field_{MAX_NAMES - 1}, ….")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"titel": "x"}, "here: there is no field 'titel'. Did you mean title?"),
        (
            {"titel": "x", "zzz": 1},
            "here: there is no field 'titel' (and 1 more fault). Did you mean title?",
        ),
        (
            {"one": {"a\nb": 1}, "titel": "x", "zzz": 1},
            "here: there is no field 'one.a\\nb' (and 2 more faults). The fields there "
            "are shape, radius.",
        ),
    ],
)
def test_one_line_of_a_record(values: dict[str, object], expected: str) -> None:
    with pytest.raises(DataError) as raised:
        Drawing.parse(values, "here")
    assert str(raised.value) == expected
