"""When a run is stopped for its teacher's sake.

Outcomes are written as strings: o a completion, x a failure.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.teachers.early_stop import EarlyStop
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind
from cotbuild.schemas.errors import TeacherError


def answer(sign: str) -> Answer:
    if sign == "o":
        return Completion(request_key="k", text="t", finish_reason="stop")
    return Failure(
        request_key="k",
        kind=FailureKind.UNAVAILABLE,
        message={"x": "HTTP 500: boom"}.get(sign, sign),
    )


def stopped_at(signs: str, completed_before: int = 0) -> int | None:
    """How many answers were seen when it stopped; None: it did not."""
    watch = EarlyStop(completed_before)
    for i, sign in enumerate(signs, 1):
        try:
            watch.record(answer(sign))
        except TeacherError:
            return i
    return None


@pytest.mark.parametrize(
    ("signs", "completed_before", "expected"),
    [
        ("x" * 20, 0, 20),
        ("x" * 19, 0, None),
        ("x" * 19 + "o" + "x" * 60, 0, None),
        ("o" + "x" * 198, 0, None),
        ("o" + "x" * 199, 0, 200),
        ("o" * 1000, 0, None),
        ("ox" * 1000, 0, None),  # half is not most
        ("ox" * 500 + "x", 0, 1001),
        ("o" * 1000 + "x" * 100, 0, None),
        ("o" * 1000 + "x" * 101, 0, 1101),
        ("oo" + "x" * 99 + "o" * 99 + "xx", 0, 202),
        ("x" * 60, 5, None),  # a resumed run begins with what failed before
        ("x" * 200, 5, 200),
        ("", 0, None),
    ],
)
def test_stops(signs: str, completed_before: int, expected: int | None) -> None:
    assert stopped_at(signs, completed_before) == expected


@given(st.text(alphabet="ox", min_size=200, max_size=500))
def test_counts_of_the_last_200_are_exact(signs: str) -> None:
    expected = next(
        (i for i in range(200, len(signs) + 1) if signs[i - 200 : i].count("x") > 100),
        None,
    )
    assert stopped_at(signs, completed_before=1) == expected


def test_says_what_mends_it_though_the_numbers_of_tokens_differ() -> None:
    watch = EarlyStop()
    for number in range(19):
        watch.record(answer(f"HTTP 400: context length is 9, requested {number}"))
    with pytest.raises(
        TeacherError, match=r"20 of them with '.* requested 0'\. Lower --max-tokens, .*"
    ):
        watch.record(answer("HTTP 400: context length is 9, requested 99"))


def test_says_counts_and_the_commonest_words() -> None:
    watch = EarlyStop()
    for i in range(19):
        watch.record(answer("HTTP 503: no GPU" if i % 3 else "HTTP 500: other"))
    with pytest.raises(
        TeacherError,
        match=r"the first 20 requests all failed, 13 of them with 'HTTP 503: no GPU'\. ",
    ):
        watch.record(answer("HTTP 503: no GPU"))
