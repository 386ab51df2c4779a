"""Pages of rows: all rows once and in order, as a plain loop over the build finds them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.facets import read_facets
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.rows import RowPage, read_page
from cotbuild.builder.view.shown_rows import ShownRow
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Choice, QuestionKind, Tag
from cotbuild.schemas.rationale import Flag, Purpose, Rationale, Verdict
from tests.support.big_builds import write_big_build, write_rationales
from tests.support.source_tree import ROOT

GOLDEN = ROOT / "tests" / "golden" / "builds"


def rationale(number: int, **changes: Any) -> Rationale:
    fields: dict[str, Any] = {
        "question_id": f"q{number // 2}",
        "sample_index": number % 2,
        "kind": QuestionKind.CHOICE,
        "question": "Where is the rake?",
        "choices": (Choice(label="A", text="shed"), Choice(label="B", text="car")),
        "target": "A",
        "other_targets": (),
        "rationale": "Rakes stand in sheds.",
        "answer": "A",
        "verdict": Verdict.CORRECT,
        "flags": (),
        "completion": "Rakes stand in sheds. The answer is A.",
        "reasoning": None,
        "finish_reason": "stop",
        "prompt_tokens": 10,
        "completion_tokens": 8,
        "failure": None,
        "teacher": "scripted",
        "purpose": Purpose.ELICIT,
        "template": "elicit_choice@2",
        "request_key": f"{number:064x}",
        "other_steps": (),
        "origin": None,
        "dataset": "garden",
        "config_name": None,
        "split": "train",
        "revision": None,
        "row": number,
    }
    return Rationale(**{**fields, **changes})


def all_pages(
    database: Database, build: StoredBuild, row_filter: RowFilter, limit: int
) -> Iterator[RowPage]:
    after: str | None = None
    while True:
        page = read_page(database, build, row_filter, after, limit)
        yield page
        after = page.next
        if after is None:
            return


def all_rows(
    database: Database, build: StoredBuild, row_filter: RowFilter, limit: int = 100
) -> list[ShownRow]:
    pages = all_pages(database, build, row_filter, limit)
    return [row for page in pages for row in page.rows]


# -- against a plain loop ------------------------------------------------------------------

WORDS = [
    "rake",
    "Shed",
    "ÉTÉ",
    "été",
    "a'b",
    '"; --',
    "%_",
    "\\x41",
    "\0",
    "K",
    "\u202e",
]


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> StoredBuild:
    """Rows that differ in everything a filter tests, in several files."""
    rows = [
        rationale(
            number,
            kind=list(QuestionKind)[number % 5],
            question=f"{WORDS[number % 11]} and {WORDS[number % 7]}?",
            rationale=f"{WORDS[number % 5]} {'x' * (number % 13)}",
            verdict=list(Verdict)[number % 6],
            flags=tuple(sorted(list(Flag)[: number % 4])),
            purpose=list(Purpose)[number % 2],
            template=f"elicit_{'ab'[number % 2]}@1",
            tags=(Tag(name="area", value=f"a{number % 3}"),) if number % 2 else (),
            completion_tokens=None if number % 10 == 9 else number % 17,
        )
        for number in range(60)
    ]
    folder = tmp_path_factory.mktemp("varied")
    return write_rationales(folder, rows, rows_per_file=23)


def meets(row: Rationale, query: RowFilter) -> bool:
    """The filter in plain Python."""
    tokens, chars = row.completion_tokens, len(row.rationale)
    tag = (query.tag or "").partition(":")
    text = (query.text or "").casefold()
    return (
        query.verdict in (None, row.verdict)
        and query.purpose in (None, row.purpose)
        and query.kind in (None, row.kind)
        and query.template in (None, row.template)
        and query.id in (None, row.question_id)
        and (query.flag is None or query.flag in row.flags)
        and (query.tag is None or Tag(name=tag[0], value=tag[2]) in row.tags)
        and (query.min_chars is None or chars >= query.min_chars)
        and (query.max_chars is None or chars <= query.max_chars)
        and (
            query.min_tokens is None
            or (tokens is not None and tokens >= query.min_tokens)
        )
        and (
            query.max_tokens is None
            or (tokens is not None and tokens <= query.max_tokens)
        )
        and (text in row.question.casefold() or text in row.rationale.casefold())
    )


# Mostly few conditions, so that most filters find rows.
filters = st.builds(
    RowFilter,
    verdict=st.none() | st.sampled_from(list(Verdict)),
    flag=st.none() | st.sampled_from(list(Flag)[:4]),
    purpose=st.none() | st.sampled_from(list(Purpose)),
    kind=st.none() | st.sampled_from(list(QuestionKind)),
    template=st.none() | st.sampled_from(["elicit_a@1", "elicit_c@1"]),
    tag=st.none() | st.sampled_from(["area:a1", "area:b", "other:a1"]),
    id=st.none() | st.sampled_from(["q3", "q'"]),
    text=st.none() | st.sampled_from([*WORDS, "RAKE", "xx", " and "]),
    min_chars=st.none() | st.integers(0, 20),
    max_chars=st.none() | st.integers(0, 20),
    min_tokens=st.none() | st.integers(0, 20),
    max_tokens=st.none() | st.integers(0, 20),
)


@pytest.fixture(scope="module")
def database(varied: StoredBuild) -> Iterator[Database]:
    with Database([varied.folder], seconds=60) as database:
        yield database


@settings(deadline=None, max_examples=15)
@given(row_filter=filters, limit=st.integers(3, 30))
def test_pages_have_what_a_loop_over_the_build_finds(
    database: Database, varied: StoredBuild, row_filter: RowFilter, limit: int
) -> None:
    expected = [
        number
        for number, row in enumerate(varied.rationales())
        if meets(row, row_filter)
    ]
    pages = list(all_pages(database, varied, row_filter, limit))
    back = list(_pages_back(database, varied, row_filter, pages[-1], limit))
    facets = read_facets(database, varied, row_filter)
    assert [row.position for page in pages for row in page.rows] == expected
    assert {page.total for page in pages} == {len(expected)}
    assert all(page.stopped is None for page in pages)
    assert [row.position for page in back for row in page.rows] == expected
    by_verdict = {
        one.value: one.count
        for facet in facets.facets
        if facet.name == "verdict"
        for one in facet.values
    }
    assert sum(by_verdict.values()) == len(expected)


def _pages_back(
    database: Database,
    build: StoredBuild,
    row_filter: RowFilter,
    last: RowPage,
    limit: int,
) -> list[RowPage]:
    """The pages from the last one back to the first, in order."""
    pages = [last]
    while (after := pages[0].previous) is not None:
        pages.insert(0, read_page(database, build, row_filter, after, limit))
    return pages


def test_each_condition_alone_finds_some_rows_and_not_all(
    database: Database, varied: StoredBuild
) -> None:
    """So that the property above compares more than empty lists."""
    queries = [
        {"verdict": "incorrect"},
        {"flag": Flag.CUT.value},
        {"purpose": "rationalize"},
        {"kind": "number"},
        {"template": "elicit_a@1"},
        {"tag": "area:a1"},
        {"id": "q3"},
        {"text": "\0"},
        {"text": "SHED"},
        {"text": "été"},
        {"text": '"; --'},
        {"text": "%_"},
        {"text": "\\x41"},
        {"min_chars": "9"},
        {"max_tokens": "4"},
    ]
    for query in queries:
        row_filter = RowFilter.from_query(query)
        positions = [row.position for row in all_rows(database, varied, row_filter)]
        expected = [
            at for at, row in enumerate(varied.rationales()) if meets(row, row_filter)
        ]
        assert positions == expected, query
        assert 0 < len(expected) < 60, query


# -- what others wrote ---------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script> '); DROP TABLE x; -- \0\x1b[31m\u202e\u2028 ${7*7} {{7*7}}"


def test_hostile_texts_come_back_as_they_are(tmp_path: Path) -> None:
    row = rationale(0, question=HOSTILE, rationale=HOSTILE, question_id=HOSTILE)
    build = write_rationales(tmp_path, [row, rationale(1)])
    with Database([tmp_path], seconds=60) as database:
        for query in ({"text": HOSTILE}, {"id": HOSTILE}):
            [found] = all_rows(database, build, RowFilter.from_query(query))
            assert found.question_id == HOSTILE
            assert found.question is not None
            assert found.question.text == HOSTILE


def test_a_huge_cell_is_cut_and_found(tmp_path: Path) -> None:
    huge = "é" * 5_000_000 + " end"
    rows = [
        rationale(0),
        rationale(1, rationale=huge, question="é" * 700),
        rationale(2),
    ]
    build = write_rationales(tmp_path, rows)
    with Database([tmp_path], seconds=60) as database:
        page = read_page(database, build, RowFilter())
        found = all_rows(database, build, RowFilter(min_chars=1_000_000))
    shown = page.rows[1]
    assert shown.rationale is not None
    assert shown.question is not None
    assert shown.rationale.text == "é" * 600
    assert shown.rationale.num_chars == len(huge)
    assert shown.rationale.is_cut
    assert shown.question.num_chars == 700
    assert len(page.model_dump_json()) < 20_000
    assert [row.position for row in found] == [1]


def test_lists_of_any_length_are_cut(tmp_path: Path) -> None:
    many = tuple(Choice(label=f"L{n}" * 200, text="t" * 900) for n in range(500))
    build = write_rationales(tmp_path, [rationale(0, choices=many)])
    with Database([tmp_path], seconds=60) as database:
        [row] = read_page(database, build, RowFilter()).rows
    assert len(row.choices) == 26
    assert len(row.choices[0].label) == 200
    assert row.choices[0].text.num_chars == 900
    assert row.choices[0].text.is_cut


@pytest.mark.parametrize("version", ["row_version_1", "row_version_3"])
def test_builds_of_older_versions_are_shown(version: str) -> None:
    build = StoredBuild.open(GOLDEN / version)
    with Database([build.folder], seconds=60) as database:
        rows = all_rows(database, build, RowFilter())
        assert [row.question_id for row in rows] == [
            row.question_id for row in build.rationales()
        ]
        assert all_rows(database, build, RowFilter(tag="area:x")) == []
        for config in {entry.config_name for entry in build.manifest.files}:
            shown = all_rows(database, build, RowFilter(config=config))
            splits = build.splits(config)
            split = build.split if build.split in splits else splits[0]
            assert len(shown) == len(list(build.read(config, split)))


# -- configs and what they do not have -----------------------------------------------------


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"config": "nothing"}, "'nothing': the build has none of this name"),
        ({"config": "../etc"}, "the build has none of this name"),
        ({"split": "nothing"}, "'nothing': rationales has none of this name"),
        ({"config": "post_cot", "verdict": "correct"}, "no such column"),
        ({"config": "post_cot", "min_tokens": "1"}, "no such column"),
    ],
)
def test_a_filter_that_does_not_fit_the_build_is_refused(
    query: dict[str, str], message: str
) -> None:
    build = StoredBuild.open(GOLDEN / "row_version_1")
    with (
        Database([build.folder]) as database,
        pytest.raises(ConfigError, match=message),
    ):
        read_page(database, build, RowFilter.from_query(query))


@pytest.mark.parametrize(
    "after", ["x", "0" * 12 + "-after-1", "' OR 1=1", "-after-", "a" * 9999, "\ud800"]
)
def test_a_cursor_of_something_else_is_refused(varied: StoredBuild, after: str) -> None:
    with (
        Database([varied.folder]) as database,
        pytest.raises(ConfigError, match="first page"),
    ):
        read_page(database, varied, RowFilter(), after)


def test_a_cursor_beyond_the_end_gives_an_empty_page(varied: StoredBuild) -> None:
    with Database([varied.folder], seconds=60) as database:
        first = read_page(database, varied, RowFilter(), limit=1)
        assert first.next is not None
        beyond = first.next.replace("-after-0", "-after-999999999999999")
        page = read_page(database, varied, RowFilter(), beyond)
        searched = read_page(
            database, varied, RowFilter(verdict=Verdict.CORRECT), beyond
        )
    assert page.rows == searched.rows == ()
    assert page.next is searched.next is None
    assert page.previous is not None


# -- a build that changes ------------------------------------------------------------------


def test_a_build_that_is_replaced_while_it_is_paged_says_so(tmp_path: Path) -> None:
    build = write_rationales(tmp_path, [rationale(n) for n in range(30)])
    with Database([tmp_path], seconds=60) as database:
        page = read_page(database, build, RowFilter(), limit=10)
        changed = [rationale(n, rationale="other " * n) for n in range(40)]
        new_build = write_rationales(tmp_path, changed)
        with pytest.raises(DataError, match="manifest"):
            read_page(database, build, RowFilter(), page.next, limit=10)
        with pytest.raises(ConfigError, match="replaced since"):
            read_page(database, new_build, RowFilter(), page.next, limit=10)
        rows = all_rows(database, new_build, RowFilter(text="other"), limit=7)
    assert [row.position for row in rows] == list(range(1, 40))


def test_a_missing_or_linked_file_is_one_line(tmp_path: Path) -> None:
    build = write_rationales(tmp_path / "build", [rationale(0)])
    [path] = (tmp_path / "build" / "rationales").iterdir()
    with Database([tmp_path]) as database:
        shutil.move(path, tmp_path / "moved.parquet")
        with pytest.raises(DataError, match="missing"):
            read_page(database, build, RowFilter())
        path.symlink_to(tmp_path / "moved.parquet")
        with pytest.raises(DataError, match="a link"):
            read_page(database, build, RowFilter())


def test_a_file_with_other_columns_is_refused_before_duckdb_reads_it(
    tmp_path: Path,
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    build = write_rationales(tmp_path, [rationale(0)])
    [path] = (tmp_path / "rationales").iterdir()
    table = pq.read_table(path)
    pq.write_table(table.append_column("file_row_number", pa.array([7])), path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["files"][0]["num_bytes"] = path.stat().st_size
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    build = StoredBuild.open(tmp_path)
    with (
        Database([tmp_path]) as database,
        pytest.raises(DataError, match="file_row_num"),
    ):
        read_page(database, build, RowFilter())


def test_pages_go_over_row_groups_and_files(tmp_path: Path) -> None:
    build = write_big_build(
        tmp_path / "big", 1_050, rows_per_file=400, rows_per_group=100
    )
    with Database([tmp_path], seconds=60) as database:
        rows = all_rows(database, build, RowFilter())
    assert [row.position for row in rows] == list(range(1_050))
    assert [row.question_id for row in rows] == [
        row.question_id for row in build.rationales()
    ]
