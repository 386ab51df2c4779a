"""When new tokens of a server are progress, and when one answer never ends."""

import pytest

from cotbuild.builder.teachers.http.token_progress import TokenProgress


def record_all(*counts: float, allowed: int | None) -> list[bool]:
    progress = TokenProgress()
    return [progress.record(count, allowed) for count in counts]


def test_new_tokens_are_progress_and_none_are_not() -> None:
    assert record_all(5, 5, 6, 6, allowed=10) == [True, False, True, False]


def test_more_tokens_than_all_requests_may_have_are_no_progress() -> None:
    counts = (1e6, 1e6 + 1000, 1e6 + 1020, 1e6 + 1021, 2e6)
    assert record_all(*counts, allowed=10) == [True, True, True, False, False]


@pytest.mark.parametrize("allowed", [None, 10**9])
def test_tokens_of_other_clients_or_long_answers_are_progress(
    allowed: int | None,
) -> None:
    assert record_all(1, 10**6, 10**8, allowed=allowed) == [True] * 3


def test_a_finished_request_begins_the_count_anew() -> None:
    progress = TokenProgress()
    assert [progress.record(count, 1) for count in (1, 5000)] == [True, False]
    progress.restart()
    assert [progress.record(count, 1) for count in (6000, 6500)] == [True, True]


def test_a_server_that_was_restarted_begins_the_count_anew() -> None:
    assert record_all(5000, 3, 900, allowed=1) == [True, False, True]
