"""The Retry-After header: a number of seconds or an HTTP date."""

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from cotbuild.builder.retry_after import parse_retry_after

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MAX_S = 300.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("2", 2.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("1e9", MAX_S),
        ("inf", MAX_S),
        ("nan", None),
        ("soon", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:00 +99999999999999999999", None),
        ("", None),
        (format_datetime(NOW.replace(second=25), usegmt=True), 20.0),
        (format_datetime(NOW.replace(second=1), usegmt=True), 0.0),
        (format_datetime(NOW.replace(year=2027), usegmt=True), MAX_S),
    ],
)
def test_the_header_gives_seconds_up_to_a_limit(
    value: str | None, expected: float | None
) -> None:
    wait_s = parse_retry_after(value, max_s=MAX_S, now_s=NOW.timestamp())
    assert wait_s == expected


def test_without_a_limit_the_wait_is_what_the_server_says() -> None:
    assert parse_retry_after("3600") == 3600.0
    assert parse_retry_after("inf") == math.inf
