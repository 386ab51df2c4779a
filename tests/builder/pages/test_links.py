"""Addresses of pages, on a server."""

import pytest

from cotbuild.builder.pages.links import Links, ServerLinks, with_query

LINKS: Links = ServerLinks()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (LINKS.build("mine"), "/builds/mine"),
        (LINKS.rows("mine"), "/builds/mine/rows"),
        (LINKS.rows("mine", verdict="correct"), "/builds/mine/rows?verdict=correct"),
        (
            LINKS.rows("mine", text="a b&c", after=None, flag=""),
            "/builds/mine/rows?text=a%20b%26c",
        ),
        (LINKS.question("mine", "é/1 ?"), "/builds/mine/question?id=%C3%A9%2F1%20%3F"),
        (LINKS.variants("mine", a="x@1", b="y@1"), "/builds/mine/compare?a=x%401&b=y%401"),
        (LINKS.report("s"), "/studies/s/report"),
        (LINKS.static("page.css"), "/static/page.css"),
        (LINKS.jobs(), None),
        (LINKS.new(), None),
        (LINKS.file("mine", "a/b.parquet"), None),
    ],
)  # fmt: skip
def test_an_address_is_quoted(address: str | None, expected: str | None) -> None:
    assert address == expected


def test_a_service_has_jobs_and_files() -> None:
    links = ServerLinks(has_jobs=True, has_files=True)
    assert links.job("j 1") == "/jobs/j%201"
    assert links.jobs(state=["running", "queued"]) == "/jobs?state=running&state=queued"
    assert (
        links.file("mine", "a b/c.parquet") == "/v1/builds/mine/files/a%20b/c.parquet"
    )


def test_a_name_cannot_leave_its_part_of_the_path() -> None:
    assert LINKS.build("../../v1") == "/builds/..%2F..%2Fv1"


@pytest.mark.parametrize(
    ("value", "query"),
    [(True, "?x=1"), (False, ""), (0, "?x=0"), ([], ""), (["a", "", "b"], "?x=a&x=b")],
)
def test_values_without_a_meaning_are_left_out(value: object, query: str) -> None:
    assert with_query("/", {"x": value}) == f"/{query}"  # type: ignore[dict-item]
