"""Addresses in an offline copy: relative, on every file system, and only what is there."""

import pytest

from cotbuild.builder.pages.links import Links
from cotbuild.builder.pages.static_links import CopyPlan, StaticLinks, file_name


def links_at(here: str) -> tuple[CopyPlan, Links]:
    plan = CopyPlan(2, 2, first_variants={"mine": "label_only"})
    return plan, StaticLinks(plan, here)


def test_addresses_are_relative_to_the_page() -> None:
    _, top = links_at("index.html")
    _, deep = links_at("builds/mine/questions/q1.html")
    assert [top.home(), top.build("mine"), top.static("page.css")] == [
        "index.html",
        "builds/mine/index.html",
        "static/page.css",
    ]
    assert [deep.home(), deep.build("mine"), deep.static("page.css")] == [
        "../../../index.html",
        "../index.html",
        "../../../static/page.css",
    ]


def test_what_a_page_links_to_becomes_part_of_the_copy() -> None:
    plan, links = links_at("index.html")
    links.build("mine")
    links.question("mine", "q 1", near=7, verdict="correct")
    assert plan.files == {
        "/": "index.html",
        "/builds/mine": "builds/mine/index.html",
        "/builds/mine/question?id=q%201&near=7": (
            f"builds/mine/questions/{file_name('q 1')}.html"
        ),
    }


def test_a_question_has_one_page_however_it_is_reached() -> None:
    plan, links = links_at("index.html")
    first = links.question("mine", "q1", near=7)
    assert links.question("mine", "q1", near=9, verdict="correct") == first
    assert len(plan.files) == 2


def test_a_copy_has_as_many_rows_and_questions_as_it_may() -> None:
    _, links = links_at("index.html")
    assert links.rows("mine") == "builds/mine/rows.html"
    assert links.rows("mine", after="x") == "builds/mine/rows-2.html"
    assert links.rows("mine", after="y") is None
    assert links.rows("mine", after="x") == "builds/mine/rows-2.html"
    assert links.rows("other") == "builds/other/rows.html"
    assert links.question("mine", "q1") is not None
    assert links.question("mine", "q2") is not None
    assert links.question("mine", "q3") is None


def test_filters_and_free_comparisons_have_no_page() -> None:
    _, links = links_at("index.html")
    assert links.rows("mine", verdict="correct") is None
    assert links.variants("mine") is None
    assert links.variants("mine", a="pre_cot", b="post_cot") is None
    assert links.variants("mine", a="label_only", b="label_only") is None
    assert links.variants("mine", a="label_only", b="post_cot", only="differs") is None
    assert links.variants("mine", a="label_only", b="post_cot") == (
        "builds/mine/compare-label_only-post_cot.html"
    )
    assert links.builds(a="mine", b="other") is None
    assert links.evaluations(a="x", b="y") is None
    assert links.evaluation("x", sort="class") is None
    assert links.evaluation("x") == "evaluations/x.html"
    assert links.jobs() is links.new() is links.login() is None


@pytest.mark.parametrize("text", ["q1", "choice_few-shot.2", "a"])
def test_a_plain_id_is_its_own_file(text: str) -> None:
    assert file_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "Q1",
        "é",
        "a b",
        "q.",
        "x" * 61,
        "\0",
        "\ud800",
        "con:",
    ],
)
def test_any_other_id_is_a_file_of_its_own(text: str) -> None:
    name = file_name(text)
    assert name == name.lower()
    assert name.isascii()
    assert name[-12:].isalnum()
    assert not set(name) & set("/\\:. \0")


def test_ids_that_differ_in_case_alone_are_two_files() -> None:
    assert len({file_name(text).lower() for text in ("q1", "Q1", "q1 ", "q-1")}) == 4
