"""Filters of the templates."""

import pytest

from cotbuild.builder.pages.render import (
    count,
    cut,
    duration,
    environment,
    part_of,
    percent,
    plural,
    short_digests,
    shown,
    stack,
    time_words,
    words,
)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (shown("a\u202eb\n\tc"), "a\\u202eb\n\tc"),
        (cut("abc", 3), "abc"),
        (cut("abc def", 4), "abc …"),
        (words("no_answer"), "no answer"),
        (short_digests("by " + "0123456789abcdef" * 4), "by 0123456789ab…"),
        (short_digests("by 0123456789abcdef"), "by 0123456789abcdef"),
        (part_of(1, 4), "25"),
        (part_of(5, 4), "100"),
        (part_of(1, 0), "0"),
        (count(1234567), "1,234,567"),
        (count(None), "–"),
        (plural(1, "row"), "1 row"),
        (plural(1234, "row"), "1,234 rows"),
        (percent(0.1234), "12.3 %"),
        (percent(1, 8), "12.5 %"),
        (percent(1, 0), "–"),
        (percent(None), "–"),
        (duration(65), "1:05"),
        (duration(None), "–"),
        (time_words("2026-11-28T14:05:00+00:00"), "28 Nov 2026, 14:05"),
        (time_words("2026-11-28T14:05:00+01:00"), "28 Nov 2026, 13:05"),
        (time_words("some time"), "some time"),
    ],
)
def test_filters(found: str, expected: str) -> None:
    assert found == expected


def test_parts_of_a_bar_stand_side_by_side() -> None:
    assert stack([("a", 1), ("b", 0), ("c", 3)]) == [
        ("a", "0", "25"),
        ("c", "25", "75"),
    ]


def test_what_others_wrote_is_text() -> None:
    template = environment().from_string("{{ text|shown|cut(100) }}")
    assert template.render(text="<b>\u200b&") == "&lt;b&gt;\\u200b&amp;"
