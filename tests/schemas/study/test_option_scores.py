"""The packed scores of options: what goes in comes out, rounded; damage is refused."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study import option_scores
from cotbuild.schemas.study.option_scores import (
    MIN_LOG_PROB,
    OptionScores,
    StoredOption,
    pack_numbers,
    unpack_numbers,
)

OPTIONS = st.builds(
    StoredOption,
    log_prob=st.floats(-5000, 0),
    chars=st.integers(1, 100_000),
    correct=st.booleans(),
)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=50))
def test_numbers_come_out_as_they_went_in(numbers: list[int]) -> None:
    assert unpack_numbers(pack_numbers(numbers)) == numbers


@given(st.lists(st.lists(OPTIONS, max_size=6), max_size=20))
def test_options_come_out_rounded_to_a_thousandth(
    questions: list[list[StoredOption]],
) -> None:
    found = OptionScores.pack(questions).unpack()
    assert [len(options) for options in found] == [len(one) for one in questions]
    for options, expected in zip(found, questions, strict=True):
        for option, other in zip(options, expected, strict=True):
            assert option.log_prob == pytest.approx(other.log_prob, abs=0.000501)
            assert option[1:] == other[1:]


@pytest.mark.parametrize(
    ("log_prob", "kept"),
    [
        (-2_147_483.648, -2_147_483.648),
        (-2_147_483.647, -2_147_483.647),
        (-2_147_483.65, MIN_LOG_PROB),
        (-1e300, MIN_LOG_PROB),
    ],
)
def test_a_log_likelihood_below_the_least_is_raised_to_it(
    log_prob: float, kept: float
) -> None:
    [[option]] = OptionScores.pack([[StoredOption(log_prob, 1, True)]]).unpack()
    assert option.log_prob == kept


def test_packed_text_is_as_it_was_written() -> None:
    """Cells that were written stay readable."""
    planes = bytes([1, 0xFE, 0, 0xFF, 0, 0xFF, 0, 0xFF])
    text = base64.b64encode(zlib.compress(planes, 1)).decode()
    assert unpack_numbers(text) == [1, -2]


def test_3000_questions_of_five_options_take_less_than_60_kb() -> None:
    """Log-likelihoods as far apart as a student's are, no two alike."""
    questions = [
        [
            StoredOption(-((q * 5 + o) * 7919 % 25_000) / 1000, 3 + q * o % 30, o == 0)
            for o in range(5)
        ]
        for q in range(3000)
    ]
    assert len(OptionScores.pack(questions).model_dump_json()) < 60_000


ONE = OptionScores.pack([[StoredOption(-1.0, 4, True), StoredOption(-2.0, 3, False)]])


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("chars", pack_numbers([1]), "chars has 1 numbers, expected one for each of"),
        (
            "chars",
            pack_numbers([0, 3]),
            "chars has numbers from 0 to 3, expected from 1",
        ),
        ("correct", pack_numbers([0, 2]), "from 0 to 2, expected from 0 to 1"),
        ("counts", pack_numbers([3, -1]), "counts has -1, expected no number below 0"),
        ("log_probs", "no base64!", "a packed text is damaged"),
        ("log_probs", "AAAA", "a packed text is damaged"),
        (
            "log_probs",
            base64.b64encode(zlib.compress(b"123")).decode(),
            "holds 3 bytes, expected fours",
        ),
        (
            "log_probs",
            base64.b64encode(zlib.compress(b"1234")[:-5]).decode(),
            "is cut off or holds more than",
        ),
    ],
)
def test_damage_is_one_clear_line(field: str, text: str, message: str) -> None:
    values = {**ONE.model_dump(mode="json"), field: text}
    with pytest.raises(DataError, match=message) as caught:
        OptionScores.parse(values, "cell.json")
    assert "\n" not in str(caught.value)


def test_no_more_is_unpacked_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(option_scores, "MAX_PACKED_NUMBERS", 100)
    with pytest.raises(ValueError, match="more than 100 numbers"):
        unpack_numbers(pack_numbers([0] * 101))
