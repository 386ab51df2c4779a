"""Errors as problems: what happened and what to do, apart."""

import pytest
from starlette.requests import Request

from cotbuild.builder.web.problems import (
    ProblemError,
    ProblemResponder,
    split_advice,
)
from cotbuild.schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("message", "detail", "hint"),
    [
        ("x: no such folder. Pass one.", "x: no such folder.", "Pass one."),
        ("One sentence.", "One sentence.", None),
        ("a is 1. Expected 2. Remove it.", "a is 1. Expected 2.", "Remove it."),
        ("a: it's bad. `b` shows it.", "a: it's bad.", "`b` shows it."),
        # What is quoted may look like an end.
        ("'a. B' is bad. Use one.", "'a. B' is bad.", "Use one."),
        ("a is 'x. Do this", "a is 'x. Do this", None),
        ("`a. B` fails. Run `c. D`.", "`a. B` fails.", "Run `c. D`."),
        ('a is "it\'s. B". Say c.', 'a is "it\'s. B".', "Say c."),
        ("", "", None),
    ],
)
def test_what_to_do_is_the_last_sentence(
    message: str, detail: str, hint: str | None
) -> None:
    assert split_advice(message) == (detail, hint)


def test_any_message_is_split_in_a_moment() -> None:
    detail, hint = split_advice("'" + ". A" * 2_600)
    assert (len(detail), hint) == (7_801, None)


def test_a_problem_carries_its_headers_and_hides_nothing() -> None:
    request = Request({"type": "http", "path": "/v1/x", "headers": []})
    responder = ProblemResponder()
    error = ProblemError(503, "busy", "\x1b[2J is busy.", headers={"retry-after": "1"})
    response = responder.respond(request, error)
    assert response.headers["retry-after"] == "1"
    assert b"\x1b" not in bytes(response.body)
    shown = responder.problem_of(ConfigError("a: wrong. Use b."))
    assert (shown.status, shown.detail, shown.hint) == (422, "a: wrong.", "Use b.")
